"""Fine-grained assertions: what each stack promises, whatever else its template holds."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Match, Template

from config.settings import Settings
from costs.template import references
from stacks.stage import add_stacks
from tests.feature_flags import UNVALIDATED

ROOT = Path(__file__).parents[2]
DATASET = {"train": "s3://records/train.gz", "test": "s3://records/test.gz"}
Synthesize = Callable[..., dict[str, dict[str, Any]]]


@pytest.fixture
def synthesize(tmp_path: Path) -> Synthesize:
    """Synthesize settings that the test varies."""

    def run(**groups: Any) -> dict[str, dict[str, Any]]:
        settings = Settings.model_validate({"project": {"name": "kdd99"}, "dataset": DATASET, **groups})
        app = cdk.App(outdir=str(tmp_path / "cdk.out"), context=UNVALIDATED)
        add_stacks(app, env="test", settings=settings, root=tmp_path)
        return {stack.stack_name.rpartition("-")[2]: stack.template for stack in app.synth().stacks}

    return run


def resources(template: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [resource["Properties"] for resource in template["Resources"].values() if resource["Type"] == kind]


def awake(value: dict[str, Any]) -> dict[str, Any]:
    """Return what a value is while the endpoint is awake; without [endpoint.sleep] it always is."""
    found: dict[str, Any] = value["Fn::If"][1] if "Fn::If" in value else value
    return found


def states(template: dict[str, Any]) -> dict[str, Any]:
    (machine,) = resources(template, "AWS::StepFunctions::StateMachine")
    text = machine["DefinitionString"]
    if isinstance(text, dict):
        text = "".join(part if isinstance(part, str) else "TOKEN" for part in text["Fn::Join"][1])
    definition: dict[str, Any] = json.loads(text)
    return dict(definition["States"])


def statements(template: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for policy in resources(template, "AWS::IAM::Policy"):
        yield from policy["PolicyDocument"]["Statement"]


def test_bucket_is_versioned_encrypted_private_and_reached_by_tls_only(templates: dict[str, Any]) -> None:
    template = Template.from_json(templates["kdd99-prod-storage"])
    template.has_resource_properties(
        "AWS::S3::Bucket",
        {
            "VersioningConfiguration": {"Status": "Enabled"},
            "BucketEncryption": Match.any_value(),
            "PublicAccessBlockConfiguration": dict.fromkeys(
                ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True
            ),
        },
    )
    template.has_resource_properties(
        "AWS::S3::BucketPolicy",
        {
            "PolicyDocument": {
                "Statement": Match.array_with(
                    [Match.object_like({"Effect": "Deny", "Condition": {"Bool": {"aws:SecureTransport": "false"}}})]
                )
            }
        },
    )


def test_only_runs_expire(templates: dict[str, Any]) -> None:
    bucket = templates["kdd99-dev-storage"]["Resources"]["DataBucketE3889A50"]["Properties"]
    assert [rule["Prefix"] for rule in bucket["LifecycleConfiguration"]["Rules"]] == ["runs/"]


def test_data_is_kept_in_prod_and_removed_in_dev(templates: dict[str, Any]) -> None:
    kept, removed = (templates[f"kdd99-{env}-storage"]["Resources"]["DataBucketE3889A50"] for env in ("prod", "dev"))
    assert (kept["DeletionPolicy"], removed["DeletionPolicy"]) == ("Retain", "Delete")


@pytest.mark.parametrize("thing", ["storage", "training", "serving"])
def test_permissions_name_actions_and_resources(thing: str, templates: dict[str, Any]) -> None:
    without_resource = {"ecr:GetAuthorizationToken", "cloudwatch:PutMetricData"}  # these know none
    of_the_account = ("xray:", "logs:")  # traces, log deliveries, the logs of every API: stacks/constructs say why
    for statement in statements(templates[f"kdd99-dev-{thing}"]):
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert all(re.fullmatch(r"[a-z0-9-]+:[A-Za-z]+\*?", action) for action in actions)
        if statement["Resource"] == "*":
            assert all(action in without_resource or action.startswith(of_the_account) for action in actions)
    for role in resources(templates[f"kdd99-dev-{thing}"], "AWS::IAM::Role"):
        assert "ManagedPolicyArns" not in role


def test_every_task_is_bounded_retried_and_caught(templates: dict[str, Any]) -> None:
    tasks = {name: s for name, s in states(templates["kdd99-dev-training"]).items() if s["Type"] == "Task"}
    assert {"Preprocess", "Train", "Evaluate", "CopyModel", "Approve"} <= set(tasks)
    for name, task in tasks.items():
        assert task.get("Retry") or name == "UpdateServing", name  # its errors are answers: busy, nothing to do
        if not name.startswith("Answer"):
            assert task["TimeoutSeconds"] > 0, name
            assert task["Catch"][-1]["ErrorEquals"] == ["States.ALL"], name


def test_job_names_differ_from_attempt_to_attempt(templates: dict[str, Any]) -> None:
    tasks = states(templates["kdd99-dev-training"])
    for job, key in (("Preprocess", "ProcessingJobName.$"), ("Train", "TrainingJobName.$")):
        assert "$$.State.RetryCount" in tasks[job]["Parameters"][key]
        assert "$.job.attempt" in tasks[job]["Parameters"][key]


def test_jobs_longest_name_fits_sagemakers_63_characters(templates: dict[str, Any]) -> None:
    name = states(templates["kdd99-sandbox-training"])["Prepare"]["Parameters"]["name.$"]
    prefix = re.search(r"'([a-z0-9-]+)-\{\}'", name)
    assert prefix
    assert len(f"{prefix[1]}-") + len("5f0c7e2a") + len("-train-1-2") <= 63


def test_gate_compares_the_metric_of_the_settings(synthesize: Synthesize) -> None:
    gate = {"metric": "false_alarm_rate", "at_most": 0.02}
    choice = states(synthesize(training={"gate": gate})["training"])["Gate"]["Choices"][0]
    assert choice["Variable"] == "$.evaluation.metrics.false_alarm_rate"
    assert choice["NumericLessThanEquals"] == 0.02


def run_key(template: dict[str, Any]) -> str:
    (model,) = resources(template, "Custom::TrainedModel")
    text = model["Run"] if isinstance(model["Run"], str) else json.dumps(model["Run"])
    found = re.search(r'key\\*":\\*"([0-9a-f]{16})', text)
    assert found
    return found[1]


def test_a_changed_hyperparameter_is_another_run_and_changing_it_back_the_same(synthesize: Synthesize) -> None:
    first = run_key(synthesize(training={"hyperparameters": {"epochs": 15}})["training"])
    second = run_key(synthesize(training={"hyperparameters": {"epochs": 16}})["training"])
    assert run_key(synthesize(training={"hyperparameters": {"epochs": 15}})["training"]) == first != second


def test_a_wrong_feature_dim_is_refused(synthesize: Synthesize) -> None:
    with pytest.raises(Exception, match=r"feature_dim = 41, but the schema encodes a record into"):
        synthesize(training={"hyperparameters": {"feature_dim": 41}})


def test_training_apart_from_the_deploy_leaves_the_workflow_and_no_custom_resource(synthesize: Synthesize) -> None:
    template = synthesize(training={"on_deploy": False})["training"]
    assert resources(template, "Custom::TrainedModel") == []
    assert len(resources(template, "AWS::StepFunctions::StateMachine")) == 1


def test_a_missing_dataset_file_says_what_to_do(synthesize: Synthesize) -> None:
    with pytest.raises(Exception, match=r"dataset\.train = 'no\.gz'.*make data"):
        synthesize(dataset={"train": "no.gz", "test": "s3://records/test.gz"})


def test_endpoint_keeps_its_size_and_takes_weights_from_the_settings(templates: dict[str, Any]) -> None:
    (endpoint,) = resources(templates["kdd99-dev-serving"], "AWS::SageMaker::Endpoint")
    assert endpoint["RetainAllVariantProperties"] is True
    assert endpoint["ExcludeRetainedVariantProperties"] == [{"VariantPropertyType": "DesiredWeight"}]


def test_model_and_endpoint_config_have_no_physical_names(templates: dict[str, Any]) -> None:
    template = templates["kdd99-dev-serving"]
    assert "ModelName" not in resources(template, "AWS::SageMaker::Model")[0]
    assert "EndpointConfigName" not in resources(template, "AWS::SageMaker::EndpointConfig")[0]


def endpoint_name(template: dict[str, Any]) -> str:
    return str(resources(template, "AWS::SageMaker::Endpoint")[0]["EndpointName"])


def deployment_ids(template: dict[str, Any]) -> set[str]:
    return {name for name, r in template["Resources"].items() if r["Type"] == "AWS::ApiGateway::Deployment"}


def test_another_instance_type_is_another_endpoint_and_another_api_deployment(synthesize: Synthesize) -> None:
    before = synthesize()["serving"]
    more = synthesize(endpoint={"variants": [{"initial_instance_count": 3}]})["serving"]
    other = synthesize(endpoint={"variants": [{"instance_type": "ml.m5.large"}]})["serving"]
    assert endpoint_name(before) == endpoint_name(more) != endpoint_name(other)
    assert deployment_ids(before) == deployment_ids(more)
    assert deployment_ids(before).isdisjoint(deployment_ids(other))
    fleets = [{n for n, r in t["Resources"].items() if r["Type"] == "Custom::Fleet"} for t in (before, other)]
    assert fleets[0].isdisjoint(fleets[1])


def test_raised_min_capacity_changes_the_scalable_target_and_no_endpoint(synthesize: Synthesize) -> None:
    before, after = (
        synthesize(scaling={"min_capacity": least, "max_capacity": 10})["serving"]["Resources"] for least in (1, 3)
    )
    changed = {name: resource["Type"] for name, resource in after.items() if resource != before[name]}
    # the function is asked when there is a new endpoint
    assert sorted(changed.values()) == ["AWS::ApplicationAutoScaling::ScalableTarget", "AWS::Lambda::Function"]


def test_prod_moves_behind_a_canary_and_dev_may_sleep(templates: dict[str, Any]) -> None:
    prod, dev = (templates[f"kdd99-{env}-serving"] for env in ("prod", "dev"))
    (endpoint,) = resources(prod, "AWS::SageMaker::Endpoint")
    routing = endpoint["DeploymentConfig"]["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
    assert (routing["Type"], routing["CanarySize"]) == ("CANARY", {"Type": "INSTANCE_COUNT", "Value": 1})
    alarms = {name for name, each in prod["Resources"].items() if each["Type"] == "AWS::CloudWatch::Alarm"}
    watched = endpoint["DeploymentConfig"]["AutoRollbackConfiguration"]["Alarms"]
    assert {alarm["AlarmName"]["Ref"] for alarm in watched} == alarms
    assert len(alarms) == 3
    assert dev["Parameters"]["EndpointState"]["Default"] == "awake"
    assert resources(dev, "AWS::Scheduler::Schedule") == []  # by hand, unless the settings name a clock
    assert "EndpointState" not in prod["Parameters"]


def test_scaling_is_the_articles(templates: dict[str, Any]) -> None:
    template = Template.from_json(templates["kdd99-dev-serving"])
    template.has_resource_properties(
        "AWS::ApplicationAutoScaling::ScalableTarget", {"MinCapacity": 1, "MaxCapacity": 10}
    )
    template.has_resource_properties(
        "AWS::ApplicationAutoScaling::ScalingPolicy",
        {
            "TargetTrackingScalingPolicyConfiguration": {
                "TargetValue": 30000,
                "ScaleInCooldown": 300,
                "ScaleOutCooldown": 300,
                "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
            }
        },
    )


@pytest.mark.parametrize("env", ["dev", "prod"])  # one that can sleep, one that cannot
def test_endpoint_errors_keep_their_status_codes(env: str, templates: dict[str, Any]) -> None:
    methods = resources(templates[f"kdd99-{env}-serving"], "AWS::ApiGateway::Method")
    integrations = [awake(method["Integration"]) for method in methods]
    (integration,) = [each for each in integrations if each["Type"] == "AWS"]
    patterns = {r["StatusCode"]: r.get("SelectionPattern") for r in integration["IntegrationResponses"]}
    assert patterns.pop("500") is None  # the default is an error, not 200
    assert patterns.pop("200") == r"2\d{2}"
    assert patterns == {status: status for status in ("400", "413", "415", "424", "429", "503")}
    assert integration["PassthroughBehavior"] == "NEVER"


@pytest.mark.parametrize(
    ("auth", "authorization", "key_required"),
    [
        ("iam", "AWS_IAM", False),
        ("api_key", "NONE", True),
        ("cognito", "COGNITO_USER_POOLS", False),
        ("none", "NONE", False),
    ],
)
def test_api_asks_for_what_the_settings_say(
    auth: str, authorization: str, key_required: bool, synthesize: Synthesize
) -> None:
    template = synthesize(api={"auth": auth})["serving"]
    methods = resources(template, "AWS::ApiGateway::Method")
    assert len(methods) == 2
    for method in methods:
        assert method["AuthorizationType"] == authorization
        assert bool(method.get("ApiKeyRequired")) == key_required
    assert len(resources(template, "AWS::ApiGateway::UsagePlan")) == key_required


@pytest.mark.parametrize("env", ["dev", "prod"])  # one that can sleep, one that cannot
def test_served_parameter_stands_behind_the_check_of_the_served_config(env: str, templates: dict[str, Any]) -> None:
    template = templates[f"kdd99-{env}-serving"]["Resources"]
    (served,) = [
        r
        for r in template.values()
        if r["Type"] == "AWS::SSM::Parameter" and r["Properties"]["Name"] == f"/kdd99/{env}/model/served"
    ]
    (check,) = [name for name, r in template.items() if r["Type"] == "Custom::ServedConfig"]
    # what exists only while awake cannot be depended on, but it comes before what takes its attribute
    assert check in {*served.get("DependsOn", []), *references(served["Properties"])}


def test_two_builds_give_the_same_asset_hashes(synthesize: Synthesize, tmp_path: Path) -> None:
    def assets() -> set[str]:
        synthesize()
        return {path.name for path in (tmp_path / "cdk.out").glob("asset.*")}

    assert assets() == assets() != set()


def test_processing_jobs_run_the_code_of_this_repository(synthesize: Synthesize, tmp_path: Path) -> None:
    synthesize()
    archives = [path for path in (tmp_path / "cdk.out").glob("asset.*") if (path / "__main__.py").exists()]
    (code,) = archives
    assert (code / "training" / "schema.py").read_bytes() == (ROOT / "training" / "schema.py").read_bytes()
    assert not list(code.rglob("__pycache__"))


def test_retraining_keeps_every_parameter_of_the_serving_stack(templates: dict[str, Any]) -> None:
    update = states(templates["kdd99-dev-training"])["UpdateServing"]["Parameters"]
    kept = {parameter["ParameterKey"] for parameter in update["Parameters"] if parameter["UsePreviousValue"]}
    assert kept == set(templates["kdd99-dev-serving"]["Parameters"])
    assert update["UsePreviousTemplate"]
    assert update["StackName"] == "kdd99-dev-serving"


def test_every_state_is_reachable_and_every_failure_ends_in_one_place(templates: dict[str, Any]) -> None:
    machine = states(templates["kdd99-dev-training"])
    assert [name for name, state in machine.items() if state["Type"] == "Fail"] == ["RunFailed"]
    targets = {"Prepare"}
    for state in machine.values():
        targets |= {state.get("Next"), state.get("Default")}
        targets |= {branch["Next"] for branch in (*state.get("Choices", ()), *state.get("Catch", ()))}
    assert set(machine) <= targets
