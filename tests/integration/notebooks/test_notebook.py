"""The notebook runs top to bottom in the sandbox, with the role and the bucket of the deployed notebook instance."""

import base64
import os
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from sandbox import launch
from sandbox.permissions.recording import read
from tests.integration.workstation import ENV, Workstation

pytestmark = pytest.mark.verify  # a minute, because it deploys and trains

ROOT = Path(__file__).parents[3]
NAME = f"kdd99-{ENV}-notebook"


@pytest.fixture
def workstation(tmp_path: Path) -> Iterator[Workstation]:
    runtime = launch.start(tmp_path / "sandbox", owner_pid=os.getpid())
    launch.bootstrap(runtime)
    workstation = Workstation(tmp_path, runtime)
    assembly = workstation.synthesize(notebook={})
    done = workstation.cdk("deploy", NAME, "--require-approval", "never", assembly=assembly)
    assert done.returncode == 0, done.stdout + done.stderr
    yield workstation
    launch.stop(tmp_path / "sandbox")


def variables(workstation: Workstation) -> dict[str, str]:
    """Return what a kernel on the instance finds: the session of its role, and what its start script exports."""
    sagemaker = workstation.runtime.client("sagemaker")
    role = sagemaker.describe_notebook_instance(NotebookInstanceName=NAME)["RoleArn"]
    scripts = sagemaker.describe_notebook_instance_lifecycle_config(NotebookInstanceLifecycleConfigName=NAME)
    started = base64.b64decode(scripts["OnStart"][0]["Content"]).decode()
    exported = dict(re.findall(r"export (\w+)=([\w-]+)", started))
    assert "SAGEMAKER_BUCKET" in exported
    return {**workstation.runtime.environment(role), **exported, "SAGEMAKER_ROLE_ARN": role}


def test_notebook_runs_top_to_bottom_as_its_instances_role_and_leaves_no_endpoint(
    workstation: Workstation, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = workstation.runtime
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    records = {"KDD99_TRAIN": str(workstation.train), "KDD99_TEST": str(workstation.test)}
    local = {"PYTHONWARNINGS": "ignore", "HOME": str(workstation.folder)}
    for name, value in {**variables(workstation), **records, **local}.items():
        monkeypatch.setenv(name, value)
    notebook = nbformat.read(ROOT / "notebooks" / "kdd99.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}).execute()
    shown = [
        output["data"]["text/plain"]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output["output_type"] == "execute_result"
    ]
    assert "(1.0, 200)" in shown
    assert runtime.client("sagemaker").list_endpoints()["Endpoints"] == []
    calls = [each for each in read(runtime.directory) if each.role.partition("-notebook-Role")[1]]
    assert {"sagemaker:CreateEndpoint", "sagemaker:InvokeEndpoint"} <= {each.call.action for each in calls}
    assert [each for each in calls if not each.allowed] == []
