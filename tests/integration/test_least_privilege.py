"""The journey that the proof of least privilege rests on (tests/snapshot/test_permissions.py).

One sandbox deploys, trains (an algorithm, another, a script), tunes, serves, sleeps, retrains, is watched, fails and is
destroyed. It refuses what a role may not do, and records the rest; `--snapshot-update` renews the recording.
"""

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import urllib3
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.json import JSONSnapshotExtension

from cli import sleep
from sandbox import launch, live
from sandbox.permissions.policy import Call, applies, statements_of
from sandbox.permissions.recording import Recorded, read
from sandbox.scaler.conditions import Conditions
from tests.integration.workstation import ENV, ROOT, Workstation, write_dataset
from tests.permissions import Role, masked, role_name, template_statements
from training import schema

pytestmark = pytest.mark.verify  # minutes, because it deploys many times

PREFIX = f"kdd99-{ENV}-"
BUCKET = "records-of-the-journey"
RETRAINING = {"schedule": "rate(3 days)", "on_new_data": True, "debounce_seconds": 2}
TUNING = {
    "max_jobs": 2,
    "max_parallel_jobs": 2,
    "continuous": {"learning_rate": {"min": 0.0001, "max": 0.1, "scale": "logarithmic"}},
}
SCRIPT = """
import os
from pathlib import Path
import joblib
import numpy as np
from sklearn.tree import DecisionTreeClassifier

def model_fn(model_dir):
    return joblib.load(Path(model_dir, "model.joblib"))

if __name__ == "__main__":
    paths = sorted(Path(os.environ["SM_CHANNEL_TRAIN"]).glob("*.csv"))
    rows = np.concatenate([np.loadtxt(path, delimiter=",", ndmin=2) for path in paths])
    model = DecisionTreeClassifier(max_depth=3).fit(rows[:, 1:], rows[:, 0])
    joblib.dump(model, Path(os.environ["SM_MODEL_DIR"], "model.joblib"))
"""
OTHERS: list[dict[str, Any]] = [
    {"algorithm": "xgboost", "hyperparameters": {"num_round": 2}},
    {"script": {"framework": "scikit-learn", "version": "1.9-0", "entry_point": "fit.py"}, "hyperparameters": {}},
]
EPOCHS = {"hyperparameters": {"epochs": 2}}
FLEET = {"min_capacity": 2, "max_capacity": 4, "policies": [{"kind": "target_tracking", "target": 30_000.0}]}
WATCHED: dict[str, Any] = {"deployment": {"strategy": "canary", "canary_size": {"instance_count": 1}}}
EVERY_MINUTE = "cron(* * * * ? *)"
CLOCK = {"sleep_at": EVERY_MINUTE, "wake_at": EVERY_MINUTE, "idle_minutes": 1440}  # it was called: it stays awake
WATCHED_BY_THE_CLOCK: dict[str, Any] = {
    "endpoint": {**WATCHED, "data_capture": {"sampling_percentage": 100}, "sleep": CLOCK},
    "monitoring": {"drift": {"schedule": "rate(1 minute)", "least_rows": 1}},
}
WAIT_SECONDS = 180.0


class Traveller:
    """Goes through the sandbox and notes which roles there were."""

    def __init__(self, folder: Path) -> None:
        self.runtime = launch.start(folder / "sandbox", owner_pid=os.getpid())
        launch.bootstrap(self.runtime)
        self.workstation = Workstation(folder, self.runtime)
        self.roles: dict[str, dict[str, Any]] = {}

    def deploy(self, **groups: Any) -> None:
        """Deploy, and note the roles."""
        self.workstation.deploy(**groups)
        assembly = self.workstation.synthesize(**groups)
        for path in assembly.glob(f"{PREFIX}*.template.json"):
            stack = path.name.removesuffix(".template.json")
            for logical_id, statements in template_statements(json.loads(path.read_text())).items():
                role = self._role(stack, logical_id, statements)
                self.roles[json.dumps(role, sort_keys=True)] = role

    def _role(self, stack: str, logical_id: str, template: list[dict[str, Any]]) -> dict[str, Any]:
        cloudformation, iam = self.runtime.client("cloudformation"), self.runtime.client("iam")
        described = cloudformation.describe_stack_resource(StackName=stack, LogicalResourceId=logical_id)
        name = described["StackResourceDetail"]["PhysicalResourceId"]
        deployed = [
            statement
            for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
            for statement in statements_of(iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"])
        ]
        role = {
            "name": role_name(stack.removeprefix(PREFIX), logical_id),
            "arn": iam.get_role(RoleName=name)["Role"]["Arn"],
            "template": template,
            "statements": deployed,
        }
        masked_role: dict[str, Any] = masked(role, ENV)
        return masked_role

    def call_the_api(self) -> None:
        """Ask both resources of the API."""
        assert self.workstation.labels() == ["attack", "normal"]
        url = self.workstation.deployment().api_url("/invocations")
        record = b",".join([b"0"] * schema.FEATURE_DIM)
        assert urllib3.request("POST", url, body=record, headers={"Content-Type": "text/csv"}).status == 200

    def stop_a_run_in(self, list_jobs: Callable[[], list[Any]], **changes: Any) -> None:
        """Start a run, and stop it when `list_jobs` tells of one job more."""
        run = json.loads(self.workstation.parameter("training/run"))
        document = {"mode": "retrain", "run": {**run, "key": uuid.uuid4().hex[:16], **changes}}
        self.stop_in(self.workstation.outputs("training")["StateMachineArn"], document, list_jobs)

    def stop_in(self, machine: str, document: dict[str, Any], list_jobs: Callable[[], list[Any]]) -> None:
        """Start a state machine, and stop it when `list_jobs` tells of one job more."""
        states, before = self.runtime.client("stepfunctions"), len(list_jobs())
        execution = states.start_execution(stateMachineArn=machine, name=str(uuid.uuid4()), input=json.dumps(document))[
            "executionArn"
        ]
        self.wait(lambda: len(list_jobs()) > before)
        states.stop_execution(executionArn=execution)
        self.wait(lambda: states.describe_execution(executionArn=execution)["status"] == "ABORTED")

    def wait(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not holds():
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def resource(self, thing: str, resource_type: str, begins: str) -> str:
        """Return the physical id of the resource of a stack whose logical id begins so."""
        pages = self.runtime.client("cloudformation").get_paginator("list_stack_resources")
        (found,) = [
            each["PhysicalResourceId"]
            for page in pages.paginate(StackName=f"{PREFIX}{thing}")
            for each in page["StackResourceSummaries"]
            if each["ResourceType"] == resource_type and each["LogicalResourceId"].startswith(begins)
        ]
        return str(found)

    def wait_for_call(self, role: str, action: str) -> None:
        """Wait until a role whose name holds `role` has taken an action."""
        self.wait(
            lambda: any(role in each.role and each.call.action == action for each in read(self.runtime.directory))
        )

    def end(self) -> list[Recorded]:
        """Stop the sandbox; return what was recorded."""
        launch.stop(self.runtime.directory)
        return list(read(self.runtime.directory))


@pytest.fixture(scope="module")
def travelled(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], list[Recorded]]:
    """Roles and calls of the whole journey."""
    traveller = Traveller(tmp_path_factory.mktemp("journey"))
    sagemaker = traveller.runtime.client("sagemaker")
    live.set_conditions(traveller.runtime, Conditions(time_scale=60.0))  # updates wait for alarms
    traveller.deploy(training=EPOCHS, endpoint={**WATCHED, "sleep": {}}, scaling=FLEET)
    traveller.call_the_api()
    sleep.put_to_sleep(traveller.workstation.deployment(), force=True)
    sleep.switch(traveller.workstation.deployment(), "awake")
    traveller.call_the_api()
    traveller.stop_a_run_in(lambda: sagemaker.list_processing_jobs(MaxResults=100)["ProcessingJobSummaries"])
    hyperparameters = json.loads(traveller.workstation.parameter("training/run"))["hyperparameters"]
    traveller.stop_a_run_in(
        traveller.workstation.training_jobs,
        hyperparameters={**hyperparameters, "epochs": "1000000", "early_stopping_patience": "1000000"},
    )
    retrain_on_new_data(traveller)
    (traveller.workstation.folder / "fit.py").write_text(SCRIPT)
    for training in OTHERS:
        traveller.deploy(training=training)
        traveller.call_the_api()
    last: dict[str, Any] = {
        "training": {**EPOCHS, "tuning": TUNING},
        # another instance type makes another endpoint, which starts as large as the first
        "endpoint": {"variants": [{"instance_type": "ml.m5.large"}]},
        "scaling": FLEET,
        "network": {},
        "notebook": {},
    }
    traveller.deploy(**last)
    traveller.stop_a_run_in(
        lambda: sagemaker.list_hyper_parameter_tuning_jobs(MaxResults=100)["HyperParameterTuningJobSummaries"]
    )
    run_the_notebook(traveller)
    last |= WATCHED_BY_THE_CLOCK
    watch_by_the_clock(traveller, **last)
    assembly = traveller.workstation.synthesize(**last)
    done = traveller.workstation.cdk("destroy", "--all", "--force", assembly=assembly)
    assert done.returncode == 0, done.stdout + done.stderr
    return list(traveller.roles.values()), traveller.end()


def retrain_on_new_data(traveller: Traveller) -> None:
    """Deploy with retraining on records in S3, upload more and wait until the new model is served."""
    workstation, s3 = traveller.workstation, traveller.runtime.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    events: dict[str, Any] = {"EventBridgeConfiguration": {}}
    s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration=events)
    for name in ("train", "test"):
        s3.upload_file(str(getattr(workstation, name)), BUCKET, f"{name}/1.gz")
    training = {
        "hyperparameters": {"epochs": 2},
        "retraining": RETRAINING,
        "gate": {"metric": "accuracy", "at_least": 0.0},
    }
    dataset = {name: f"s3://{BUCKET}/{name}/" for name in ("train", "test")}
    traveller.deploy(dataset=dataset, training=training, endpoint=WATCHED, scaling=FLEET)
    served = workstation.parameter("model/served")
    for number in (2, 3):  # the second finds the schedule that the first has made
        more = write_dataset(workstation.folder / f"{number}.gz", 500)
        s3.upload_file(str(more), BUCKET, f"train/{number}.gz")
    traveller.wait(lambda: workstation.parameter("model/served") != served)


def watch_by_the_clock(traveller: Traveller, **groups: Any) -> None:
    """Deploy what looks at requests, and what lets the endpoint sleep, every minute."""
    traveller.deploy(**groups)
    traveller.call_the_api()
    traveller.wait_for_call("Drift", "cloudwatch:PutMetricData")
    sagemaker = traveller.runtime.client("sagemaker")
    traveller.stop_in(
        traveller.resource("training", "AWS::StepFunctions::StateMachine", "Drift"),
        {},
        lambda: sagemaker.list_processing_jobs(MaxResults=100)["ProcessingJobSummaries"],
    )
    for action in ("cloudwatch:GetMetricStatistics", "cloudformation:UpdateStack"):
        traveller.wait_for_call("SleepSchedule", action)


def run_the_notebook(traveller: Traveller) -> None:
    """Run the notebook as on its instance: with the role of the instance, and the data bucket."""
    workstation, role = traveller.workstation, traveller.resource("notebook", "AWS::IAM::Role", "Role")
    role_arn = traveller.runtime.client("iam").get_role(RoleName=role)["Role"]["Arn"]
    variables = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        **traveller.runtime.environment(role_arn),
        "SAGEMAKER_ROLE_ARN": role_arn,
        "SAGEMAKER_BUCKET": workstation.parameter("model/served").split("/")[2],
        "KDD99_TRAIN": str(workstation.train),
        "KDD99_TEST": str(workstation.test),
        "HOME": str(workstation.folder),
    }
    command = [str(Path(sys.executable).with_name("jupyter-execute")), str(ROOT / "notebooks" / "kdd99.ipynb")]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr


def test_no_call_of_a_role_was_refused(travelled: tuple[list[dict[str, Any]], list[Recorded]]) -> None:
    _, calls = travelled
    assert [each for each in calls if not each.allowed] == []


def test_recording_is_up_to_date(
    travelled: tuple[list[dict[str, Any]], list[Recorded]], snapshot: SnapshotAssertion
) -> None:
    roles, calls = travelled
    roles = sorted(roles, key=lambda role: json.dumps(role, sort_keys=True))
    recording = {"roles": roles, "calls": examples(roles, calls)}
    assert recording == snapshot(extension_class=Recording)


class Recording(JSONSnapshotExtension):
    """One recording is as good as another with its roles and kinds of calls: every run makes up names of its own."""

    def matches(self, *, serialized_data: Any, snapshot_data: Any) -> bool:
        ours, theirs = json.loads(serialized_data), json.loads(snapshot_data)
        return unordered(ours["roles"]) == unordered(theirs["roles"]) and kinds(ours) == kinds(theirs)


def unordered(value: Any) -> Any:
    """Sort every list: assets stand in the order of their hashes, which are masked."""
    if isinstance(value, dict):
        return {name: unordered(item) for name, item in value.items()}
    return sorted(map(unordered, value), key=json.dumps) if isinstance(value, list) else value


def kinds(recording: dict[str, Any]) -> set[str]:
    statements = statements_by_role(recording["roles"])
    return {kind(call, statements) for call in recording["calls"]}


def examples(roles: list[dict[str, Any]], recorded: list[Recorded]) -> list[dict[str, Any]]:
    """Return one call of each kind: equal ones are of one role, take one action, and the same statements allow them."""
    statements = statements_by_role(roles)
    found: dict[str, dict[str, Any]] = {}
    for each in recorded:
        call = {
            "role": each.role,
            "action": each.call.action,
            "resource": each.call.resource,
            "context": dict(each.call.context),
        }
        call = masked(call, ENV)
        key = kind(call, statements)
        if key not in found or call["resource"] < found[key]["resource"]:
            found[key] = call
    return [found[key] for key in sorted(found)]


def statements_by_role(roles: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for role in roles:
        found.setdefault(role["arn"], []).extend(Role(**role).statements)
    return found


def kind(call: dict[str, Any], statements: dict[str, list[dict[str, Any]]]) -> str:
    """Return what tells a call from others: its role, its action, and the statements that allow it."""
    probe = Call(call["action"], call["resource"], tuple(call["context"].items()))
    allowing = [unordered(each) for each in statements.get(call["role"], []) if applies(each, probe)]
    return json.dumps([call["role"], call["action"], unordered(allowing)])
