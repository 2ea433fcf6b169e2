"""Synthesizing needs no network: the app runs in a network namespace that has none."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ISOLATED = ["unshare", "--user", "--map-root-user", "--net"]
SETTINGS = '[project]\nname = "kdd99"\n[dataset]\ntrain = "s3://records/train.gz"\ntest = "s3://records/test.gz"\n'


def can_isolate() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*ISOLATED, "true"], check=False, capture_output=True).returncode == 0


@pytest.mark.skipif(not can_isolate(), reason="this machine lets nobody make a network namespace")
def test_app_synthesizes_without_a_network(tmp_path: Path) -> None:
    (tmp_path / "offline.toml").write_text(SETTINGS)
    environment = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        # what jsii has unpacked of the installed packages: to do it again would take most of the time
        "JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(Path.home() / ".cache" / "aws" / "jsii" / "package-cache"),
        "SAGESCALE_CONFIG_DIR": str(tmp_path),
        "CDK_CONTEXT_JSON": '{"env": "offline"}',
        "CDK_OUTDIR": str(tmp_path / "cdk.out"),
    }
    command = [*ISOLATED, sys.executable, "app.py"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    templates = {path.name for path in (tmp_path / "cdk.out").glob("*.template.json")}
    assert {f"kdd99-offline-{stack}.template.json" for stack in ("storage", "training", "serving")} <= templates
