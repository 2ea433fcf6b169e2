"""The skeleton's promises, kept in the sandbox by the real CDK CLI: each test varies what is deployed.

The tests share one sandbox, and each begins with the same settings deployed.
"""

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import urllib3

from cli import train
from cli.predict import ask
from sandbox import launch
from serving.artifact import read_artifact
from tests.integration.workstation import Workstation, connection, write_dataset
from training import schema

BOTH = ["attack", "normal"]


def test_deploy_from_nothing_serves_a_trained_model(workstation: Workstation) -> None:
    workstation.deploy()
    assert workstation.labels() == BOTH
    assert workstation.parameter("model/served") == workstation.parameter("model/approved")
    assert len(workstation.training_jobs()) == 1


def test_unchanged_deploy_changes_nothing_and_does_not_train(workstation: Workstation) -> None:
    workstation.begin_with()
    before = workstation.training_jobs()
    printed = workstation.deploy()
    assert printed.count("(no changes)") == 4
    assert workstation.training_jobs() == before


def test_diff_names_a_changed_min_capacity_and_the_deploy_applies_it(workstation: Workstation) -> None:
    workstation.begin_with()
    scaling = {"min_capacity": 2, "max_capacity": 10, "policies": [{"kind": "target_tracking", "target": 30000}]}
    diff = workstation.cdk("diff", "--fail", assembly=workstation.synthesize(scaling=scaling))
    assert diff.returncode == 1
    assert "MinCapacity" in diff.stdout + diff.stderr
    workstation.deploy(scaling=scaling)
    scaler = workstation.runtime.client("application-autoscaling")
    (target,) = scaler.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    assert target["MinCapacity"] == 2
    assert workstation.labels() == BOTH


def test_changed_hyperparameter_retrains_and_changing_it_back_promotes_without_training(
    workstation: Workstation,
) -> None:
    workstation.begin_with()
    first, jobs = workstation.parameter("model/served"), len(workstation.training_jobs())
    workstation.deploy(training={"hyperparameters": {"epochs": 3}})
    second = workstation.parameter("model/served")
    assert second != first
    assert len(workstation.training_jobs()) == jobs + 1
    assert workstation.labels() == BOTH
    workstation.deploy()
    assert workstation.parameter("model/served") == first
    assert len(workstation.training_jobs()) == jobs + 1


def test_score_of_a_row_is_the_same_from_api_endpoint_and_artifact(workstation: Workstation, tmp_path: Path) -> None:
    workstation.begin_with()
    bucket, _, key = workstation.parameter("model/served").removeprefix("s3://").partition("/")
    workstation.runtime.client("s3").download_file(bucket, key, str(tmp_path / "model.tar.gz"))
    model = read_artifact(tmp_path / "model.tar.gz")
    noise = random.Random(1)
    records = [connection(attack, noise) for attack in (True, False, True)]
    rows = np.array([schema.encode(record) for record in records], dtype=np.float32)
    expected = model.scores(rows).ravel()

    body = "\n".join(",".join(map(str, row)) for row in rows).encode()
    deployment = workstation.deployment()
    headers = {"Content-Type": "text/csv"}
    answer = urllib3.request("POST", deployment.api_url("/invocations"), body=body, headers=headers)
    from_api = [prediction["score"] for prediction in answer.json()["predictions"]]
    invoked = workstation.runtime.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=workstation.parameter("endpoint/name"), ContentType="text/csv", Body=body
    )
    from_endpoint = [prediction["score"] for prediction in json.load(invoked["Body"])["predictions"]]
    from_predictions = [answer["score"] for answer in ask(deployment, records)]
    for scores in (from_api, from_endpoint, from_predictions):
        assert scores == pytest.approx(expected, abs=1e-6)


def test_run_outside_a_deploy_rolls_its_model_out(workstation: Workstation) -> None:
    workstation.begin_with()
    first, run_of_first = workstation.parameter("model/served"), workstation.parameter("training/run")
    workstation.deploy(training={"hyperparameters": {"epochs": 3}})
    assert workstation.parameter("model/served") != first
    ssm = workstation.runtime.client("ssm")
    ssm.put_parameter(Name="/kdd99/sandbox/training/run", Value=run_of_first, Overwrite=True)
    train.run(workstation.deployment())
    assert workstation.parameter("model/served") == workstation.parameter("model/approved") == first
    assert workstation.labels() == BOTH


def expect_failure(workstation: Workstation, done: subprocess.CompletedProcess[str], *reasons: str) -> None:
    """Assert that the deploy failed for these reasons, and that what was served before still is."""
    printed = " ".join((done.stdout + done.stderr).split())  # the CLI wraps
    assert done.returncode != 0, printed
    for reason in reasons:
        assert reason in printed, printed[-3000:]
    assert workstation.labels() == BOTH


def test_failing_serving_update_rolls_back_and_the_old_model_answers(workstation: Workstation) -> None:
    workstation.begin_with()
    served, endpoint = workstation.parameter("model/served"), workstation.parameter("endpoint/name")
    done = workstation.try_to_deploy(endpoint={"variants": [{"instance_type": "ml.nosuch.large"}]})
    expect_failure(workstation, done, "ml.nosuch.large", "UPDATE_ROLLBACK_COMPLET")  # the CLI cuts it
    assert (workstation.parameter("model/served"), workstation.parameter("endpoint/name")) == (served, endpoint)


def test_failed_gate_fails_the_deploy_and_old_properties_promote_without_training(workstation: Workstation) -> None:
    workstation.begin_with()
    approved, jobs = workstation.parameter("model/approved"), len(workstation.training_jobs())
    strict = {"hyperparameters": {"epochs": 4}, "gate": {"metric": "accuracy", "at_least": 1.5}}
    done = workstation.try_to_deploy(training=strict)
    expect_failure(workstation, done, "the gate refused the model: accuracy is", "at least 1.5 is wanted")
    assert workstation.parameter("model/approved") == approved
    assert len(workstation.training_jobs()) == jobs + 1  # the rollback's update promoted the old key


def test_broken_row_fails_the_deploy_naming_row_and_field(workstation: Workstation) -> None:
    workstation.begin_with()
    broken = write_dataset(workstation.folder / "broken.gz", 100, broken_row=17)
    done = workstation.try_to_deploy(dataset={"train": str(broken), "test": str(workstation.test)})
    expect_failure(workstation, done, "row 17", "src_bytes", "many")


def test_missing_test_file_in_s3_fails_the_deploy_naming_it(workstation: Workstation) -> None:
    workstation.begin_with()
    s3 = workstation.runtime.client("s3")
    s3.create_bucket(Bucket="records-without-a-test-file")
    missing = "s3://records-without-a-test-file/corrected.gz"
    done = workstation.try_to_deploy(dataset={"train": str(workstation.train), "test": missing})
    expect_failure(workstation, done, "records-without-a-test-file")


def test_killed_training_process_fails_the_deploy_with_its_reason(workstation: Workstation) -> None:
    workstation.begin_with()
    endless = {"epochs": 1_000_000, "early_stopping_patience": 1_000_000}
    assembly = workstation.synthesize(training={"hyperparameters": endless})
    command = workstation.command("deploy", "--all", "--require-approval", "never", assembly=assembly)
    with subprocess.Popen(
        command,
        cwd=workstation.folder,
        env=workstation.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as deploy:
        try:
            os.kill(trainer(workstation), signal.SIGKILL)
            printed, _ = deploy.communicate(timeout=600)
        finally:
            deploy.kill()  # without effect on one that has ended
    done = subprocess.CompletedProcess(command, deploy.returncode, printed, "")
    expect_failure(workstation, done, "training job", "failed")


def trainer(workstation: Workstation) -> int:
    """Return the process id of the training job, once it runs."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for pid, command in workstation.processes():
            if "training.linear_learner" in command:
                return pid
        time.sleep(0.1)
    raise AssertionError("no training process appeared")


def test_destroy_leaves_no_resource_and_stopping_no_process(workstation: Workstation) -> None:
    workstation.deploy()
    assembly = workstation.synthesize()
    done = workstation.cdk("destroy", "--all", "--force", assembly=assembly)
    assert done.returncode == 0, done.stdout + done.stderr
    client = workstation.runtime.client
    stacks = client("cloudformation").list_stacks()["StackSummaries"]
    assert {s["StackName"] for s in stacks if s["StackStatus"] != "DELETE_COMPLETE"} == {"CDKToolkit"}
    assert client("sagemaker").list_endpoints()["Endpoints"] == []
    assert client("sagemaker").list_models()["Models"] == []
    assert client("sagemaker").list_endpoint_configs()["EndpointConfigs"] == []
    assert client("lambda").list_functions()["Functions"] == []
    assert client("apigateway").get_rest_apis()["items"] == []
    assert client("stepfunctions").list_state_machines()["stateMachines"] == []
    assert not [b["Name"] for b in client("s3").list_buckets()["Buckets"] if b["Name"].startswith("kdd99")]
    assert (
        client("application-autoscaling").describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
        == []
    )
    launch.stop(Path(workstation.runtime.directory))
    assert workstation.processes() == []
