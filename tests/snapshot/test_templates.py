import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.json import JSONSnapshotExtension

ROOT = Path(__file__).parents[2]
ASSET_HASH = re.compile(r"\b[0-9a-f]{64}\b")
RUN_KEY = re.compile(r"\{\\\"key\\\":\\\"[0-9a-f]{16}\\\"")
STATEFUL = {  # a changed logical id would replace these, and lose what they hold
    "storage": {"DataBucketE3889A50": "AWS::S3::Bucket"},
    "training": {"WorkflowStateMachine8F1B1C15": "AWS::StepFunctions::StateMachine"},
    "serving": {"Endpoint8024A810": "AWS::SageMaker::Endpoint"},
}


@pytest.mark.parametrize("env", ["dev", "prod", "sandbox"])
@pytest.mark.parametrize("thing", ["storage", "training", "serving", "monitoring"])
def test_template_is_the_reviewed_one(
    env: str, thing: str, templates: dict[str, Any], snapshot: SnapshotAssertion
) -> None:
    masked = ASSET_HASH.sub("<asset>", json.dumps(templates[f"kdd99-{env}-{thing}"]))
    masked = RUN_KEY.sub(r'{\\"key\\":\\"<key>\\"', masked)
    assert json.loads(masked, object_hook=_in_order) == snapshot(
        extension_class=JSONSnapshotExtension, name=f"{env}-{thing}"
    )


def _in_order(content: dict[str, Any]) -> dict[str, Any]:
    """Order the assets that a statement allows: the CDK sorts them by their hashes, which every change changes."""
    resources = content.get("Resource")
    if isinstance(resources, list) and "<asset>" in json.dumps(resources):
        content["Resource"] = sorted(resources, key=json.dumps)
    return content


@pytest.mark.parametrize("env", ["dev", "prod", "sandbox"])
@pytest.mark.parametrize("thing", sorted(STATEFUL))
def test_stateful_resources_keep_their_logical_ids(env: str, thing: str, templates: dict[str, Any]) -> None:
    resources = templates[f"kdd99-{env}-{thing}"]["Resources"]
    assert {name: resources[name]["Type"] for name in STATEFUL[thing]} == STATEFUL[thing]


def test_templates_have_no_finding_of_cfn_lint(assembly: Path) -> None:
    linter = Path(sys.executable).with_name("cfn-lint")
    command = [linter, *assembly.glob("*.template.json")]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout) == (0, "")
