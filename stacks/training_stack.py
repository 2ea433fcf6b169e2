"""Training as a CloudFormation resource: a workflow, and a custom resource that runs it when the model must change.

Two functions, because one would be a circular dependency: `training_start` starts the workflow, whose last step,
`training_answer`, answers CloudFormation.
"""

from __future__ import annotations

import json
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from aws_cdk import CfnOutput, CustomResource, Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_ssm as ssm
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk.aws_s3_assets import Asset
from constructs import Construct

from config.data_capture import DataCapture, Drift
from config.settings import Dataset
from config.training import CLOUDFORMATION_WAIT_SECONDS, Training
from stacks.constructs.dataset import DatasetFile, grant_read_asset
from stacks.constructs.drift_check import DriftCheck
from stacks.constructs.images import PROCESSING_IMAGE, Images
from stacks.constructs.job_role import JobRole
from stacks.constructs.lambda_function import CustomResourceFunction
from stacks.constructs.protection import Protection
from stacks.constructs.retraining import Retraining
from stacks.constructs.rollout import ServingUpdate
from stacks.constructs.staged_code import ROOT, staged
from stacks.constructs.training_images import training_image
from stacks.constructs.training_run import describe_run
from stacks.constructs.training_script import TrainingScript
from stacks.constructs.training_workflow import TrainingWorkflow
from stacks.naming import Naming

# A changed archive is a changed run and trains anew; these make data on a workstation, or look at data afterwards.
DRIFT = frozenset({"captured.py", "drift.py"})
NOT_IN_JOBS = frozenset({"dataset.py", "synthetic.py"}) | DRIFT


class TrainingStack(Stack):
    """Jobs, workflow and the trained model of one environment.

    Parameters
    ----------
    root : Path
        Folder that the dataset's local paths are relative to.
    drift : tuple of Drift and DataCapture, optional
        Whether and how captured requests are compared with the training records.
    serving : ServingUpdate
        How a run outside a deploy updates the serving stack.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        naming: Naming,
        dataset: Dataset,
        training: Training,
        bucket: s3.IBucket,
        protection: Protection,
        root: Path,
        serving: ServingUpdate,
        drift: tuple[Drift, DataCapture] | None = None,
        **stack: Any,
    ) -> None:
        super().__init__(scope, construct_id, **stack)
        images = Images(self, "Images")
        train = DatasetFile(self, "Train", location=dataset.train, root=root)
        test = DatasetFile(self, "Test", location=dataset.test, root=root)
        code = self._code("Code", NOT_IN_JOBS)
        used = [PROCESSING_IMAGE, training_image(training)]
        job_role = JobRole(
            self, "JobRole", bucket=bucket, repository_arns=[images.repository_arn(image) for image in used]
        )
        protection.let_join_network(job_role)
        protection.let_use_key(job_role, "Decrypt", "GenerateDataKey", "CreateGrant")
        script = self._script(training, root, job_role)
        train.grant_read(job_role)
        test.grant_read(job_role)
        grant_read_asset(code, job_role)
        self.workflow = TrainingWorkflow(
            self,
            "Workflow",
            naming=naming,
            training=training,
            script=script,
            images=images,
            bucket=bucket,
            job_role=job_role,
            serving=serving,
            answer=self._answer_function(),
            protection=protection,
        )
        self.run = describe_run(training, train=train, test=test, code=code, script=script)
        CfnOutput(self, "StateMachineArn", value=self.workflow.state_machine.state_machine_arn)
        ssm.StringParameter(
            self,
            "RunParameter",
            parameter_name=naming.training_run_parameter,
            string_value=self.to_json_string(self.run),
            description="What `sagescale train` runs.",
        )
        if training.retraining:
            retraining = Retraining(
                self,
                "Retraining",
                naming=naming,
                settings=training.retraining,
                machine=self.workflow.state_machine,
                key=protection.key,
                train_uri=dataset.train if dataset.train.startswith("s3://") else None,
            )
            CfnOutput(self, "RunsTopicArn", value=retraining.topic.topic_arn)
        if training.on_deploy:
            self._train_on_deploy(training, permissions=job_role)
        self.drift_check: sfn.IStateMachine | None = None
        if drift:
            drift_code = self._code("DriftCode", NOT_IN_JOBS - DRIFT)
            grant_read_asset(drift_code, job_role)
            self.drift_check = DriftCheck(
                self,
                "Drift",
                naming=naming,
                settings=drift[0],
                capture=drift[1],
                bucket=bucket,
                train=train,
                code=drift_code,
                protection=protection,
                images=images,
                job_role=job_role,
            ).state_machine

    def _script(self, training: Training, root: Path, job_role: JobRole) -> TrainingScript | None:
        if not training.script:
            return None
        script = TrainingScript(self, "Script", script=training.script, root=root)
        grant_read_asset(script.asset, job_role)
        return script

    def _code(self, construct_id: str, left_out: AbstractSet[str]) -> Asset:
        modules = [path for path in (ROOT / "training").glob("*.py") if path.name not in left_out]
        modules += [ROOT / "serving" / "__init__.py", ROOT / "serving" / "artifact.py"]
        parts = {path.relative_to(ROOT).as_posix(): path for path in modules}
        parts["__main__.py"] = ROOT / "training" / "__main__.py"
        with staged(parts) as folder:
            return Asset(self, construct_id, path=folder)

    def _answer_function(self) -> CustomResourceFunction:
        return CustomResourceFunction(
            self,
            "TrainingAnswer",
            source="training_answer",
            description="Answers CloudFormation at the end of a training run.",
        )

    def _train_on_deploy(self, training: Training, *, permissions: Construct) -> None:
        machine = self.workflow.state_machine
        start = CustomResourceFunction(
            self,
            "TrainingStart",
            source="training_start",
            description="Starts a training run for CloudFormation.",
            environment={"STATE_MACHINE_ARN": machine.state_machine_arn},
            timeout=Duration.minutes(1),
        )
        machine.grant_start_execution(start)
        start.add_to_role_policy(
            iam.PolicyStatement(actions=["states:ListExecutions"], resources=[machine.state_machine_arn])
        )
        gate = training.gate.model_dump(exclude_none=True)
        model = CustomResource(
            self,
            "TrainedModel",
            service_token=start.service_token,
            resource_type="Custom::TrainedModel",
            properties={"Run": self.to_json_string(self.run), "Gate": json.dumps(gate, sort_keys=True)},
            service_timeout=Duration.seconds(CLOUDFORMATION_WAIT_SECONDS),
        )
        model.node.add_dependency(start, self.workflow, permissions)
