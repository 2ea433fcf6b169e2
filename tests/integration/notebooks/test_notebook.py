"""The notebook runs top to bottom against the sandbox."""

import os
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from sandbox import launch
from sandbox.runtime import Runtime
from tests.integration.workstation import write_dataset

pytestmark = pytest.mark.verify  # minutes, because it deploys many times

ROOT = Path(__file__).parents[3]


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    yield launch.start(tmp_path / "sandbox", owner_pid=os.getpid())
    launch.stop(tmp_path / "sandbox")


def test_notebook_runs_top_to_bottom_and_leaves_no_endpoint(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = runtime.client("iam").create_role(RoleName="notebook", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    runtime.client("s3").create_bucket(Bucket="notebook")
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    variables = {
        **runtime.environment(),
        "SAGEMAKER_ROLE_ARN": role,
        "SAGEMAKER_BUCKET": "notebook",
        "KDD99_TRAIN": str(write_dataset(tmp_path / "train.gz", 4_000)),
        "KDD99_TEST": str(write_dataset(tmp_path / "test.gz", 1_000)),
        "PYTHONWARNINGS": "ignore",
        "HOME": str(tmp_path),
    }
    for name, value in variables.items():
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
