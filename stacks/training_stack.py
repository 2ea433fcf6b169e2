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
from aws_cdk.aws_s3_assets import Asset
from constructs import Construct

from config.data_capture import DataCapture, Drift
from config.retraining import Retraining as RetrainingSettings
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
        self._naming = naming
        self._training = training
        self._bucket = bucket
        self._protection = protection
        self._images = Images(self, "Images")
        train = DatasetFile(self, "Train", location=dataset.train, root=root)
        test = DatasetFile(self, "Test", location=dataset.test, root=root)
        code = self._code("Code", NOT_IN_JOBS)
        self._job_role = self._add_job_role()
        script = self._script(root)
        train.grant_read(self._job_role)
        test.grant_read(self._job_role)
        grant_read_asset(code, self._job_role)
        self.workflow = TrainingWorkflow(
            self,
            "Workflow",
            naming=naming,
            training=training,
            script=script,
            images=self._images,
            bucket=bucket,
            job_role=self._job_role,
            serving=serving,
            answer=self._answer_function(),
            protection=protection,
        )
        self.run = describe_run(training, train=train, test=test, code=code, script=script)
        self._publish_run()
        if training.retraining:
            self._retrain(training.retraining, dataset.train)
        if training.on_deploy:
            self._train_on_deploy()
        if drift:
            self._check_drift(*drift, train)

    def _add_job_role(self) -> JobRole:
        used = [PROCESSING_IMAGE, training_image(self._training)]
        arns = [self._images.repository_arn(image) for image in used]
        role = JobRole(self, "JobRole", bucket=self._bucket, repository_arns=arns)
        self._protection.let_join_network(role)
        self._protection.let_use_key(role, "Decrypt", "GenerateDataKey", "CreateGrant")
        return role

    def _publish_run(self) -> None:
        """Say where the workflow is and what `sagescale train` runs."""
        CfnOutput(self, "StateMachineArn", value=self.workflow.state_machine.state_machine_arn)
        ssm.StringParameter(
            self,
            "RunParameter",
            parameter_name=self._naming.training_run_parameter,
            string_value=self.to_json_string(self.run),
            description="What `sagescale train` runs.",
        )

    def _retrain(self, settings: RetrainingSettings, train_location: str) -> None:
        retraining = Retraining(
            self,
            "Retraining",
            naming=self._naming,
            settings=settings,
            machine=self.workflow.state_machine,
            key=self._protection.key,
            train_uri=train_location if train_location.startswith("s3://") else None,
        )
        CfnOutput(self, "RunsTopicArn", value=retraining.topic.topic_arn)

    def _check_drift(self, settings: Drift, capture: DataCapture, train: DatasetFile) -> None:
        code = self._code("DriftCode", NOT_IN_JOBS - DRIFT)
        grant_read_asset(code, self._job_role)
        DriftCheck(
            self,
            "Drift",
            naming=self._naming,
            settings=settings,
            capture=capture,
            bucket=self._bucket,
            train=train,
            code=code,
            protection=self._protection,
            images=self._images,
            job_role=self._job_role,
        )

    def _script(self, root: Path) -> TrainingScript | None:
        if not self._training.script:
            return None
        script = TrainingScript(self, "Script", script=self._training.script, root=root)
        grant_read_asset(script.asset, self._job_role)
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

    def _train_on_deploy(self) -> None:
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
        gate = self._training.gate.model_dump(exclude_none=True)
        model = CustomResource(
            self,
            "TrainedModel",
            service_token=start.service_token,
            resource_type="Custom::TrainedModel",
            properties={"Run": self.to_json_string(self.run), "Gate": json.dumps(gate, sort_keys=True)},
            service_timeout=Duration.seconds(CLOUDFORMATION_WAIT_SECONDS),
        )
        model.node.add_dependency(start, self.workflow, self._job_role)
