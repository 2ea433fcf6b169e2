"""What is encrypted with what, who reaches whom, and how long logs stay."""

import json
from typing import Any

import aws_cdk as cdk
import pytest

from config.settings import Settings
from stacks.constructs.protection import LOCAL_STORAGE
from stacks.stage import add_stacks
from tests.feature_flags import UNVALIDATED

ENVIRONMENTS = ("dev", "prod", "sandbox")
THINGS = ("storage", "training", "serving", "monitoring")
Synthesized = dict[str, dict[str, Any]]


def resources(template: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [each.get("Properties", {}) for each in template["Resources"].values() if each["Type"] == f"AWS::{kind}"]


def job_states(template: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of the states that run jobs, with references as the word TOKEN."""
    (machine,) = resources(template, "StepFunctions::StateMachine")
    text = "".join(part if isinstance(part, str) else "TOKEN" for part in machine["DefinitionString"]["Fn::Join"][1])
    states = json.loads(text)["States"]
    return {name: state["Parameters"] for name, state in states.items() if ".sync" in state.get("Resource", "")}


@pytest.fixture(scope="module")
def synthesized(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Synthesized]:
    """Templates of two environments: `inside` a VPC with several instances, and `plain` with as little as there is."""
    folder = tmp_path_factory.mktemp("protected")
    app = cdk.App(outdir=str(folder / "cdk.out"), context=UNVALIDATED)
    common = {"project": {"name": "kdd99"}, "dataset": {"train": "s3://records/train/", "test": "s3://records/test.gz"}}
    choices: dict[str, dict[str, Any]] = {
        "inside": {"network": {}, "training": {"instance_count": 2}, "notebook": {}},
        "plain": {"security": {"kms": False, "network_isolation": False, "log_retention_days": 7}},
    }
    for env, groups in choices.items():
        add_stacks(app, env=env, settings=Settings.model_validate({**common, **groups}), root=folder)
    found: dict[str, Synthesized] = {env: {} for env in choices}
    for stack in app.synth().stacks:
        env, thing = stack.stack_name.split("-")[1:]
        found[env][thing] = stack.template
    return found


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_one_key_that_rotates_encrypts_all_that_is_stored(env: str, templates: Synthesized) -> None:
    found = {thing: templates[f"kdd99-{env}-{thing}"] for thing in THINGS}
    (key,) = [key for template in found.values() for key in resources(template, "KMS::Key")]
    assert key["EnableKeyRotation"] is True
    bucket = found["storage"]["Resources"]["DataBucketE3889A50"]["Properties"]
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert rule["BucketKeyEnabled"] is True
    for template in found.values():
        assert all("KmsKeyId" in group for group in resources(template, "Logs::LogGroup"))
        assert all("KmsMasterKeyId" in topic for topic in resources(template, "SNS::Topic"))
    (config,) = resources(found["serving"], "SageMaker::EndpointConfig")
    assert "KmsKeyId" in config


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_jobs_are_encrypted_and_have_no_network(env: str, templates: Synthesized) -> None:
    states = job_states(templates[f"kdd99-{env}-training"])
    assert set(states) == {"Preprocess", "Train", "Evaluate"}
    train = states.pop("Train")
    assert train["EnableNetworkIsolation"] is True
    assert "VolumeKmsKeyId" in train["ResourceConfig"]
    assert "KmsKeyId" in train["OutputDataConfig"]
    for job in states.values():
        assert job["NetworkConfig"]["EnableNetworkIsolation"] is True
        assert "VolumeKmsKeyId" in job["ProcessingResources"]["ClusterConfig"]
        assert "KmsKeyId" in job["ProcessingOutputConfig"]
    (model,) = resources(templates[f"kdd99-{env}-serving"], "SageMaker::Model")
    assert model["EnableNetworkIsolation"] is True


def test_services_may_use_the_key_for_this_account_only(templates: Synthesized) -> None:
    (key,) = resources(templates["kdd99-prod-storage"], "KMS::Key")
    bounded = {
        name: statement["Condition"]
        for statement in key["KeyPolicy"]["Statement"]
        for name in listed(statement["Principal"].get("Service", []))
        if isinstance(name, str)
    }
    assert set(bounded) == {"cloudwatch.amazonaws.com", "events.amazonaws.com", "budgets.amazonaws.com"}
    assert all(
        condition == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
        for condition in bounded.values()
    )
    (logs,) = [statement for statement in key["KeyPolicy"]["Statement"] if "ArnLike" in statement.get("Condition", {})]
    assert "logs." in json.dumps(logs["Principal"])


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_alarms_may_publish_to_their_topic(templates: Synthesized) -> None:
    (policy,) = resources(templates["kdd99-prod-monitoring"], "SNS::TopicPolicy")
    allowed = [each for each in policy["PolicyDocument"]["Statement"] if each["Effect"] == "Allow"]
    assert [each["Principal"] for each in allowed] == [{"Service": "cloudwatch.amazonaws.com"}]


def test_without_a_key_aws_encrypts_and_logs_expire_as_set(synthesized: dict[str, Synthesized]) -> None:
    plain = synthesized["plain"]
    assert not any(resources(template, "KMS::Key") for template in plain.values())
    assert "kms:" not in json.dumps(plain)
    groups = [group for template in plain.values() for group in resources(template, "Logs::LogGroup")]
    assert {group["RetentionInDays"] for group in groups} == {7}
    assert job_states(plain["training"])["Train"]["EnableNetworkIsolation"] is False


def test_network_has_no_way_out_but_the_endpoints(synthesized: dict[str, Synthesized]) -> None:
    network = synthesized["inside"]["network"]
    for kind in ("InternetGateway", "NatGateway", "EIP", "EgressOnlyInternetGateway"):
        assert resources(network, f"EC2::{kind}") == []
    assert resources(network, "EC2::Route") == []
    kinds = [each["VpcEndpointType"] for each in resources(network, "EC2::VPCEndpoint")]
    assert (kinds.count("Gateway"), kinds.count("Interface")) == (1, 10)
    ingress = [
        rule for group in resources(network, "EC2::SecurityGroup") for rule in group.get("SecurityGroupIngress", [])
    ]
    assert ingress == []  # none by address: only by group
    assert resources(network, "EC2::FlowLog")


def test_jobs_models_and_the_predicting_function_run_in_the_network(synthesized: dict[str, Synthesized]) -> None:
    inside = synthesized["inside"]
    states = job_states(inside["training"])
    train = states.pop("Train")
    assert len(train["VpcConfig"]["Subnets"]) == 2
    assert all(len(job["NetworkConfig"]["VpcConfig"]["SecurityGroupIds"]) == 1 for job in states.values())
    (model,) = resources(inside["serving"], "SageMaker::Model")
    assert len(model["VpcConfig"]["Subnets"]) == 2
    functions = resources(inside["serving"], "Lambda::Function")
    assert [function["Description"].split()[0] for function in functions if "VpcConfig" in function] == ["Encodes"]


def test_several_instances_encrypt_what_they_tell_each_other(synthesized: dict[str, Synthesized]) -> None:
    assert job_states(synthesized["inside"]["training"])["Train"]["EnableInterContainerTrafficEncryption"] is True
    assert job_states(synthesized["plain"]["training"])["Train"]["EnableInterContainerTrafficEncryption"] is False


def test_notebooks_volume_is_encrypted(synthesized: dict[str, Synthesized]) -> None:
    (instance,) = resources(synthesized["inside"]["notebook"], "SageMaker::NotebookInstance")
    assert "KmsKeyId" in instance


@pytest.mark.parametrize(
    ("instance_type", "has_local_storage"),
    [
        ("ml.m4.xlarge", False),
        ("ml.m5.large", False),
        ("ml.m5d.large", True),
        ("ml.c6gd.xlarge", True),
        ("ml.r5d.24xlarge", True),
        ("ml.g4dn.xlarge", True),
        ("ml.g5.2xlarge", True),
        ("ml.p3.2xlarge", False),
        ("ml.p3dn.24xlarge", True),
        ("ml.p4d.24xlarge", True),
        ("ml.inf1.xlarge", False),
    ],
)
def test_instances_with_local_storage_are_known(instance_type: str, has_local_storage: bool) -> None:
    assert bool(LOCAL_STORAGE.match(instance_type)) is has_local_storage
