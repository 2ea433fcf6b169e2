"""What several rooms of tests share."""

from __future__ import annotations

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
    """The cloud assembly of every environment, synthesized once, on data files of a few bytes."""
    import aws_cdk as cdk
    from cdk_nag import AwsSolutionsChecks

    from config.loading import load
    from stacks.stage import add_stacks
    from tests.feature_flags import FLAGS

    root = tmp_path_factory.mktemp("project")
    (root / "data").mkdir()
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
    return root / "cdk.out"


@pytest.fixture(scope="session")
def templates(assembly: Path) -> dict[str, dict[str, Any]]:
    """Every template by the name of its stack."""
    return {
        path.name.removesuffix(".template.json"): json.loads(path.read_text())
        for path in sorted(assembly.glob("*.template.json"))
    }
