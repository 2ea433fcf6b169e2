"""State machines that really run: SageMaker's .sync, SDK calls, Lambda, paths, stopping."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

TRAIN = "arn:aws:states:::sagemaker:createTrainingJob.sync"


def task(resource: Any, parameters: Any, **more: Any) -> Any:
    return {"Type": "Task", "Resource": resource, "Parameters": parameters, "End": True, **more}


def aws_sdk(service: Any, action: Any, parameters: Any, **more: Any) -> Any:
    return task(f"arn:aws:states:::aws-sdk:{service}:{action}", parameters, **more)


def test_training_job_sync_ends_with_the_jobs_description(run: Any, training: Any, name: Any) -> None:
    job = run({"Train": task(TRAIN, training())})
    assert (job["TrainingJobName"], job["TrainingJobStatus"]) == (name, "Completed")
    assert job["ModelArtifacts"]["S3ModelArtifacts"].endswith("model.tar.gz")
    assert abs(job["TrainingEndTime"] - time.time() * 1000) < 60_000


def test_failed_job_is_task_failed_with_the_job_as_cause(run: Any, training: Any) -> None:
    status, error, cause = run({"Train": task(TRAIN, training(HyperParameters={"mode": "crash"}))})
    assert (status, error) == ("FAILED", "States.TaskFailed")
    assert json.loads(cause)["FailureReason"] == "AlgorithmError: ValueError: no learning rate, exit code: 1"


def test_refused_job_is_an_amazon_sagemaker_exception(run: Any, training: Any) -> None:
    status, error, cause = run({"Train": task(TRAIN, training(CheckpointConfig={"S3Uri": "s3://a/b"}))})
    assert (status, error) == ("FAILED", "SageMaker.AmazonSageMakerException")
    assert "does not emulate CheckpointConfig" in cause
    assert "Error Code: ValidationException" in cause


def test_duplicate_job_name_can_be_retried_with_the_retry_count_in_it(
    run: Any, training: Any, name: Any, runtime: Any
) -> None:
    runtime.client("sagemaker").create_training_job(**training(TrainingJobName=f"{name}-0"))
    parameters = training()
    del parameters["TrainingJobName"]
    parameters["TrainingJobName.$"] = f"States.Format('{name}-{{}}', $$.State.RetryCount)"
    retry = [{"ErrorEquals": ["SageMaker.ResourceInUseException"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    assert run({"Train": task(TRAIN, parameters, Retry=retry)})["TrainingJobName"] == f"{name}-1"


def test_processing_job_sync_runs_the_jobs_entrypoint(run: Any, image: Any, name: Any) -> None:
    parameters = {
        "ProcessingJobName": name,
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 5}
        },
        "AppSpecification": {"ImageUri": image, "ContainerEntrypoint": ["python3", "-c", "print(1)"]},
        "RoleArn": "arn:aws:iam::123456789012:role/x",
    }
    job = run({"Process": task("arn:aws:states:::sagemaker:createProcessingJob.sync", parameters)})
    assert job["ProcessingJobStatus"] == "Completed"


def test_tuning_job_sync_names_the_best_training_job(run: Any, training: Any, name: Any) -> None:
    definition = training(HyperParameters={})
    static = {"StaticHyperParameters": definition.pop("HyperParameters")}
    del definition["TrainingJobName"]
    definition["AlgorithmSpecification"]["MetricDefinitions"] = [{"Name": "score", "Regex": r"score=(\S+)"}]
    config = {
        "Strategy": "Grid",
        "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "score"},
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 2, "MaxParallelTrainingJobs": 2},
        "ParameterRanges": {"CategoricalParameterRanges": [{"Name": "x", "Values": ["0.3", "0.9"]}]},
    }
    parameters = {
        "HyperParameterTuningJobName": name,
        "HyperParameterTuningJobConfig": config,
        "TrainingJobDefinition": definition | static,
    }
    job = run({"Tune": task("arn:aws:states:::sagemaker:createHyperParameterTuningJob.sync", parameters)})
    assert job["BestTrainingJob"]["TunedHyperParameters"] == {"x": "0.3"}


def test_transform_job_is_refused_by_name(client: Any, name: Any) -> None:
    states = {"Transform": task("arn:aws:states:::sagemaker:createTransformJob.sync", {})}
    definition = json.dumps({"StartAt": "Transform", "States": states})
    with pytest.raises(ClientError, match=r"sagemaker:createTransformJob.sync not recognized"):
        client.create_state_machine(name=name, definition=definition, roleArn="arn:aws:iam::123456789012:role/x")


def test_stopping_the_execution_stops_its_job(
    start: Any, training: Any, client: Any, runtime: Any, name: Any, wait_for: Any, eventually: Any
) -> None:
    describe = start({"Train": task(TRAIN, training(HyperParameters={"mode": "sleep"}))})
    job = lambda: runtime.client("sagemaker").describe_training_job(TrainingJobName=name)  # noqa: E731
    eventually(lambda: runtime.client("sagemaker").list_training_jobs(NameContains=name)["TrainingJobSummaries"])
    client.stop_execution(executionArn=describe()["executionArn"], cause="enough")
    assert wait_for(job, "TrainingJobStatus", until=("Stopped",))
    assert wait_for(describe, "status", until=("ABORTED",))


def test_task_that_times_out_stops_its_job_and_can_be_caught(
    run: Any, training: Any, runtime: Any, name: Any, wait_for: Any
) -> None:
    catch = [{"ErrorEquals": ["States.Timeout"], "Next": "Late", "ResultPath": "$.error"}]
    states = {
        "Train": task(TRAIN, training(HyperParameters={"mode": "sleep"}), TimeoutSeconds=3, Catch=catch),
        "Late": {"Type": "Pass", "Result": {"late": True}, "End": True},
    }
    assert run(states) == {"late": True}
    job = lambda: runtime.client("sagemaker").describe_training_job(TrainingJobName=name)  # noqa: E731
    wait_for(job, "TrainingJobStatus", until=("Stopped",))


def test_execution_that_times_out_says_so(run: Any) -> None:
    assert run({"Wait": {"Type": "Wait", "Seconds": 30, "End": True}}, TimeoutSeconds=1)[0] == "TIMED_OUT"


def test_s3_object_is_read_and_parsed(run: Any, put: Any, bucket: Any) -> None:
    put("evaluation.json", json.dumps({"accuracy": 0.93, "matrix": [[1, 2], [3, 4]]}))
    selector = {"metrics.$": "States.StringToJson($.Body)"}
    states = {
        "Read": aws_sdk("s3", "getObject", {"Bucket": bucket, "Key": "evaluation.json"}, ResultSelector=selector),
    }
    assert run(states)["metrics"]["accuracy"] == 0.93


def test_s3_listing_and_copy_give_plain_values(run: Any, put: Any, get: Any, bucket: Any) -> None:
    put("a/one", "1")
    listing = aws_sdk("s3", "listObjectsV2", {"Bucket": bucket, "Prefix": "a/"}, Next="Copy")
    del listing["End"]
    copy = {"Bucket": bucket, "Key": "b", "CopySource.$": f"States.Format('{bucket}/{{}}', $.Contents[0].Key)"}
    answer = run({"List": listing, "Copy": aws_sdk("s3", "copyObject", copy)})
    assert get("b") == b"1"
    assert answer["CopyObjectResult"]["LastModified"].endswith("Z")


@pytest.mark.parametrize(
    ("service", "action", "parameters", "error"),
    [
        ("s3", "getObject", {"Bucket": "t-never-there", "Key": "x"}, "S3.NoSuchBucketException"),
        ("ssm", "getParameter", {"Name": "/nothing"}, "Ssm.ParameterNotFoundException"),
        ("sagemaker", "describeEndpoint", {"EndpointName": "nothing"}, "SageMaker.SageMakerException"),
    ],
)
def test_errors_of_sdk_calls_have_the_services_names(
    run: Any, service: Any, action: Any, parameters: Any, error: Any
) -> None:
    assert run({"Call": aws_sdk(service, action, parameters)})[1] == error


def test_parameter_sns_and_events_are_called(run: Any, name: Any, runtime: Any) -> None:
    topic = runtime.client("sns").create_topic(Name=name)["TopicArn"]
    put_parameter = aws_sdk("ssm", "putParameter", {"Name": f"/{name}", "Value": "42", "Type": "String"}, Next="Tell")
    del put_parameter["End"]
    states = {
        "Put": put_parameter,
        "Tell": {**task("arn:aws:states:::sns:publish", {"TopicArn": topic, "Message": "done"}), "Next": "Event"},
        "Event": task(
            "arn:aws:states:::events:putEvents",
            {"Entries": [{"Source": "test", "DetailType": "t", "Detail": {"a": 1}, "EventBusName": "default"}]},
        ),
    }
    del states["Tell"]["End"]
    assert run(states)["FailedEntryCount"] == 0
    assert runtime.client("ssm").get_parameter(Name=f"/{name}")["Parameter"]["Value"] == "42"


def test_lambda_answers_and_its_error_can_be_caught_by_type(run: Any, function: Any, name: Any) -> None:
    function("class Bad(Exception): pass\ndef handler(event, context):\n    raise Bad('no ' + event['what'])\n")
    catch = [{"ErrorEquals": ["Bad"], "Next": "Caught", "ResultPath": "$.error"}]
    invoke = task(
        "arn:aws:states:::lambda:invoke", {"FunctionName": name, "Payload": {"what.$": "$.what"}}, Catch=catch
    )
    states = {"Call": invoke, "Caught": {"Type": "Pass", "End": True}}
    caught = run(states, data={"what": "luck"})
    assert json.loads(caught["error"]["Cause"])["errorMessage"] == "no luck"


def test_nested_state_machine_sync2_returns_its_output(run: Any, client: Any, name: Any) -> None:
    inner = json.dumps({"StartAt": "P", "States": {"P": {"Type": "Pass", "Result": {"n": 7}, "End": True}}})
    arn = client.create_state_machine(
        name=f"{name}-inner", definition=inner, roleArn="arn:aws:iam::123456789012:role/x"
    )["stateMachineArn"]
    outer = task("arn:aws:states:::states:startExecution.sync:2", {"StateMachineArn": arn, "Name": name, "Input": {}})
    assert run({"Nest": outer})["Output"] == {"n": 7}


@pytest.mark.parametrize(
    ("path", "value"),
    [("$.a[0].b", 1), ("$.a[0].c", [5]), ("$.a[1]", {"b": 2}), ("$.a[*].b", [1, 2]), ("$['x y']", 3)],
)
def test_paths_name_values_as_in_step_functions(run: Any, path: Any, value: Any) -> None:
    data = {"a": [{"b": 1, "c": [5]}, {"b": 2}], "x y": 3}
    states = {"P": {"Type": "Pass", "Parameters": {"found.$": path}, "End": True}}
    assert run(states, data=data)["found"] == value


def test_jsonata_expressions_are_evaluated(run: Any) -> None:
    states = {"P": {"Type": "Pass", "Output": {"sum": "{% $sum($states.input.n) %}"}, "End": True}}
    assert run(states, data={"n": [1, 2, 3]}, QueryLanguage="JSONata") == {"sum": 6}
