"""The pipeline deploys the templates that a workstation deploys, in order, and asks before the last environment."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
import yaml
from cdk_nag import AwsSolutionsChecks

from config.pipeline import Pipeline
from config.settings import Settings
from stacks.pipeline_stack import PipelineStack
from stacks.stage import add_stacks
from tests.feature_flags import FLAGS, UNVALIDATED

ROOT = Path(__file__).parents[2]
ACCOUNT, REGION = "123456789012", "eu-west-1"
CONNECTION = f"arn:aws:codeconnections:{REGION}:{ACCOUNT}:connection/0a1b2c3d"
DATASET = {"train": "s3://records/train.gz", "test": "s3://records/test.gz"}


def settings(**groups: Any) -> Settings:
    project = {"name": "kdd99", "account": ACCOUNT, "region": REGION}
    return Settings.model_validate({"project": project, "dataset": DATASET, **groups})


@pytest.fixture(scope="module")
def environments() -> dict[str, Settings]:
    pipeline = {"repository": "example/sagescale", "connection_arn": CONNECTION, "smoke_users": 4}
    return {"dev": settings(), "prod": settings(scaling={"min_capacity": 2, "max_capacity": 4}, pipeline=pipeline)}


def add_pipeline(app: cdk.App, environments: dict[str, Settings], root: Path) -> None:
    PipelineStack(
        app,
        "kdd99-pipeline",
        env_name="prod",
        settings=environments,
        root=root,
        env=cdk.Environment(account=ACCOUNT, region=REGION),
    )


@pytest.fixture(scope="module")
def piped(environments: dict[str, Settings], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pipeline")
    app = cdk.App(outdir=str(folder / "cdk.out"), context=FLAGS)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    add_pipeline(app, environments, folder)
    app.synth()
    return folder / "cdk.out"


@pytest.fixture(scope="module")
def stages(piped: Path) -> list[dict[str, Any]]:
    template = json.loads((piped / "kdd99-pipeline.template.json").read_text())
    (pipeline,) = [r for r in template["Resources"].values() if r["Type"] == "AWS::CodePipeline::Pipeline"]
    found: list[dict[str, Any]] = pipeline["Properties"]["Stages"]
    return found


@pytest.mark.parametrize("env", ["dev", "prod"])
def test_stages_deploy_the_templates_of_the_workstation(
    env: str, environments: dict[str, Settings], piped: Path, tmp_path: Path
) -> None:
    app = cdk.App(outdir=str(tmp_path / "cdk.out"), context=UNVALIDATED)
    add_stacks(app, env=env, settings=environments[env], root=tmp_path)
    wanted = {stack.stack_name: stack.template for stack in app.synth().stacks}
    (nested,) = piped.glob(f"assembly-*-{env}")
    manifest = json.loads((nested / "manifest.json").read_text())
    found = {
        artifact["properties"]["stackName"]: json.loads((nested / artifact["properties"]["templateFile"]).read_text())
        for artifact in manifest["artifacts"].values()
        if artifact["type"] == "aws:cloudformation:stack"
    }
    assert found == wanted


def test_environments_follow_each_other_and_somebody_is_asked_before_the_last(stages: list[dict[str, Any]]) -> None:
    names = [stage["Name"] for stage in stages]
    assert names == ["Source", "Build", "UpdatePipeline", "Assets", "dev", "prod"]
    actions = {stage["Name"]: sorted(stage["Actions"], key=lambda action: action["RunOrder"]) for stage in stages}
    assert actions["prod"][0]["ActionTypeId"]["Provider"] == "Manual"
    assert actions["prod"][1]["RunOrder"] > actions["prod"][0]["RunOrder"]
    for env in ("dev", "prod"):
        assert actions[env][-1]["Name"] == f"Smoke-{env}"
        assert "Manual" not in {action["ActionTypeId"]["Provider"] for action in actions[env][1:]}


def test_pipeline_has_no_finding_of_cfn_lint(piped: Path) -> None:
    linter = Path(sys.executable).with_name("cfn-lint")
    # E3703 asks for Fn::Sub instead of Fn::Join with an empty delimiter, and CDK Pipelines writes the latter
    template = str(piped / "kdd99-pipeline.template.json")
    command = [str(linter), "--ignore-checks", "E3703", "W3005", "--", template]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout) == (0, "")


def commands(piped: Path) -> list[str]:
    template = json.loads((piped / "kdd99-pipeline.template.json").read_text())
    specs = [
        resource["Properties"]["Source"]["BuildSpec"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::CodeBuild::Project"
    ]
    texts = [spec for spec in specs if isinstance(spec, str)]
    return [command for text in texts for command in json.loads(text)["phases"].get("build", {}).get("commands", [])]


def test_commands_of_the_build_are_targets_that_make_knows(piped: Path) -> None:
    targets = [command for command in commands(piped) if command.startswith("make ")]
    assert targets == ["make data", "make test", "make synth ENV=prod PIPELINE=yes"]
    printed = {
        target: subprocess.run(
            [*target.split(), "--dry-run"], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout
        for target in targets
    }
    assert "-c pipeline=yes" in printed[targets[-1]]  # else the pipeline would change itself into nothing


def test_smoke_step_judges_as_the_settings_say(piped: Path) -> None:
    (command,) = [c for c in commands(piped) if "--env dev" in c]
    assert command == ".venv/bin/sagescale smoke --env dev --users 4 --seconds 120 --p95-ms 1000"


def from_elsewhere(**pipeline: str) -> dict[str, Settings]:
    groups = {
        "project": {"name": "spam", "account": ACCOUNT, "region": REGION},
        "model": {"path": "s3://models/model.tar.gz", "framework": "linear-learner"},
        "pipeline": {"repository": "example/spam", "connection_arn": CONNECTION, "before": [], **pipeline},
    }
    return {"prod": Settings.model_validate(groups)}


def test_smoke_step_sends_rows_to_a_model_that_takes_no_records(tmp_path: Path) -> None:
    app = cdk.App(outdir=str(tmp_path / "cdk.out"), context=UNVALIDATED)
    add_pipeline(app, from_elsewhere(smoke_bodies="tests/rows.csv"), tmp_path)
    app.synth()
    assert [c for c in commands(tmp_path / "cdk.out") if c.endswith(" --p95-ms 1000 --bodies tests/rows.csv")]


def test_pipeline_that_could_not_call_its_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"the model of prod takes no records, .* add smoke_bodies to \[pipeline\]"):
        add_pipeline(cdk.App(context=UNVALIDATED), from_elsewhere(), tmp_path)


def test_workflow_on_github_runs_the_same_commands() -> None:
    text = (ROOT / ".github" / "workflows" / "deploy.yml").read_text()
    workflow = yaml.safe_load(text)
    assert list(workflow["jobs"]) == ["test", "dev", "prod"]
    assert workflow["jobs"]["prod"]["needs"] == "dev"
    assert workflow["jobs"]["prod"]["environment"] == "prod"  # where the repository asks for an approval
    assert workflow["permissions"] == {"contents": "read", "id-token": "write"}
    for env in ("dev", "prod"):
        run = [step["run"] for step in workflow["jobs"][env]["steps"] if "run" in step]
        assert f"make deploy ENV={env}" in run
        assert any(line.startswith(f".venv/bin/sagescale smoke --env {env}") for line in run)
    assert "aws-access-key-id" not in text


def test_a_repository_without_an_owner_is_refused() -> None:
    with pytest.raises(ValueError, match="repository"):
        Pipeline.model_validate({"repository": "sagescale", "connection_arn": CONNECTION})
