"""The pipeline: on a push, test and synthesize, deploy and judge one environment after the other, ask, deploy the last.

Every environment's stacks are those of `stacks/stage.py`, so what the pipeline deploys is what a workstation deploys.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aws_cdk import Duration, Stack, Stage, pipelines
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_iam as iam
from constructs import Construct

from config.pipeline import Pipeline
from config.settings import Settings
from stacks.constructs.acknowledgements import acknowledge, acknowledge_every_wildcard
from stacks.naming import Naming
from stacks.stage import add_stacks

IMAGE = codebuild.LinuxBuildImage.STANDARD_7_0
SIZE = codebuild.ComputeType.LARGE
PYTHON = "pyenv global 3.12"  # of the image; everything else is what `make` sets up
SYNTH = ("make data", "make test", "make synth ENV={env} PIPELINE=yes")


class PipelineStack(Stack):
    """Source, build, and one stage an environment.

    Parameters
    ----------
    env_name : str
        The last environment: the one whose settings describe the pipeline.
    settings : Mapping[str, Settings]
        Of every environment on the way, in order; the last is `env_name`'s.
    root : Path
        Folder that local paths in the settings are relative to.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        env_name: str,
        settings: Mapping[str, Settings],
        root: Path,
        **stack: Any,
    ) -> None:
        super().__init__(scope, construct_id, **stack)
        wanted = settings[env_name].pipeline
        assert wanted, "the composition root makes a pipeline only where the settings describe one"
        self._wanted: Pipeline = wanted
        self._source = pipelines.CodePipelineSource.connection(
            wanted.repository, wanted.branch, connection_arn=wanted.connection_arn
        )
        pipeline = pipelines.CodePipeline(
            self,
            "Pipeline",
            synth=self._synth(env_name),
            cross_account_keys=True,  # the artifacts' key, without which no other account could read them
            enable_key_rotation=True,
            code_build_defaults=pipelines.CodeBuildOptions(
                build_environment=codebuild.BuildEnvironment(
                    build_image=IMAGE, compute_type=codebuild.ComputeType.LARGE
                ),
                timeout=Duration.hours(2),
            ),
        )
        for name, values in settings.items():
            last = name == env_name
            approval = [pipelines.ManualApprovalStep("Approve", comment=f"Deploy to {name}?")] if last else []
            pipeline.add_stage(
                EnvironmentStage(self, name, settings=values, root=root),
                pre=approval,
                post=[self._smoke(name, values)],
            )
        pipeline.build_pipeline()
        self._explain(pipeline)

    def _synth(self, env_name: str) -> pipelines.CodeBuildStep:
        return pipelines.CodeBuildStep(
            "Synth",
            input=self._source,
            install_commands=[PYTHON],
            commands=[command.format(env=env_name) for command in SYNTH],
            primary_output_directory="cdk.out",
        )

    def _smoke(self, name: str, settings: Settings) -> pipelines.CodeBuildStep:
        """Return the step that calls what was just deployed, and fails where it fails or is slow."""
        wanted, naming = self._wanted, Naming(settings.project.name, name)
        account, region = settings.project.account or self.account, settings.project.region or self.region

        def arn(service: str, resource: str) -> str:
            return f"arn:{self.partition}:{service}:{region}:{account}:{resource}"

        arns = {
            "cloudformation:DescribeStacks": arn("cloudformation", f"stack/{naming.stack('serving')}/*"),
            "execute-api:Invoke": arn("execute-api", "*"),
        }
        judge = (
            f".venv/bin/sagescale smoke --env {name} --users {wanted.smoke_users} "
            f"--seconds {wanted.smoke_seconds} --p95-ms {wanted.smoke_p95_ms:g}"
        )
        if not settings.has_predictions:
            judge += f" --bodies {self._rows_for(name)}"
        return pipelines.CodeBuildStep(
            f"Smoke-{name}",
            input=self._source,
            install_commands=[PYTHON, "make install"],
            commands=[judge],
            role_policy_statements=[
                iam.PolicyStatement(actions=[action], resources=[arn]) for action, arn in arns.items()
            ],
        )

    def _rows_for(self, name: str) -> str:
        if self._wanted.smoke_bodies:
            return self._wanted.smoke_bodies
        raise ValueError(
            f"the model of {name} takes no records, so nobody could call it after a deploy: add smoke_bodies to "
            "[pipeline], a file of the repository with rows that it takes"
        )

    def _explain(self, pipeline: pipelines.CodePipeline) -> None:
        acknowledge_every_wildcard(pipeline, "CDK Pipelines makes these roles; its own objects, logs and reports")
        acknowledge(pipeline, "CB3", "privileged builds are off: no image is built in them")
        acknowledge(pipeline, "S1", "the artifact bucket holds what the repository and the builds hold anyway")


class EnvironmentStage(Stage):
    """All stacks of one environment, as a stage of the pipeline."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings, root: Path) -> None:
        super().__init__(scope, construct_id)
        add_stacks(self, env=construct_id, settings=settings, root=root)
