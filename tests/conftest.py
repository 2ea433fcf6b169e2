"""What several rooms of tests share."""

from __future__ import annotations

import fcntl
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")  # how fast the machine is today decides nothing

ROOT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("SAGESCALE_SHARED", ROOT.parent / "shared"))
ENVIRONMENTS = ("dev", "prod", "sandbox")

os.environ.setdefault("JSII_NODE", str(Path(sys.executable).with_name("node")))  # the pinned one, not the machine's


@pytest.fixture(scope="session")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cloud assembly of every environment, made by the first process of the test run that needs it."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent  # the workers have a folder each below that of the run
    with (root / "assembly.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (root / "project" / "synthesized").exists():
            _synthesize(root / "project")
    return root / "project" / "cdk.out"


def _synthesize(root: Path) -> None:
    """Synthesize every environment on data files of a few bytes."""
    import aws_cdk as cdk
    from cdk_nag import AwsSolutionsChecks

    from config.loading import load
    from stacks.stage import add_stacks
    from tests.feature_flags import FLAGS

    (root / "data").mkdir(parents=True, exist_ok=True)
    for name in ("kddcup.data_10_percent.gz", "corrected.gz"):
        (root / "data" / name).write_bytes(b"a stand-in: synth only hashes it")
    app = cdk.App(outdir=str(root / "cdk.out"), context=FLAGS)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))  # the findings are in validation-report.json
    for env in ENVIRONMENTS:
        add_stacks(app, env=env, settings=load(env), root=root)
    try:
        app.synth()
    except RuntimeError as error:  # tests/snapshot/test_security_findings.py says which
        if "ValidationFailed" not in str(error):
            raise
    (root / "synthesized").touch()


@pytest.fixture(scope="session")
def templates(assembly: Path) -> dict[str, dict[str, Any]]:
    """Every template by the name of its stack."""
    return {
        path.name.removesuffix(".template.json"): json.loads(path.read_text())
        for path in sorted(assembly.glob("*.template.json"))
    }
