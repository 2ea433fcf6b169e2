"""A notebook instance that stops when nobody uses it, and may do what notebooks/kdd99.ipynb does and no more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aws_cdk import CfnOutput, Fn, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from config.notebook import Notebook
from stacks.constructs.acknowledgements import acknowledge, acknowledge_wildcards
from stacks.constructs.images import LINEAR_LEARNER, Images
from stacks.constructs.job_role import ANY_RESOURCE, LOG_STREAMS, log_statement, metric_statement, pull_statements
from stacks.constructs.protection import Protection
from stacks.naming import Naming

PLATFORM = "notebook-al2023-v1"
IDLE_STOP = Path(__file__).parent / "constructs" / "stop_when_idle.py"
JOB_NAMES = "kdd99-notebook-*"  # what the notebook calls its jobs, models and endpoints
VERBS = ("Create", "Describe", "Delete")
RESOURCES = {  # ARN's resource: what the notebook does with it
    "training-job": ("CreateTrainingJob", "DescribeTrainingJob", "StopTrainingJob"),
    "model": tuple(f"{verb}Model" for verb in VERBS),
    # CreateEndpoint is about both (Service Authorization Reference, Amazon SageMaker)
    "endpoint-config": (*(f"{verb}EndpointConfig" for verb in VERBS), "CreateEndpoint"),
    "endpoint": (*(f"{verb}Endpoint" for verb in VERBS), "InvokeEndpoint"),
}


class NotebookStack(Stack):
    """The notebook instance of one environment."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        naming: Naming,
        notebook: Notebook,
        bucket: s3.IBucket,
        protection: Protection,
        **stack: Any,
    ) -> None:
        super().__init__(scope, construct_id, **stack)
        role = self._role(bucket)
        protection.let_use_key(role, "Decrypt", "GenerateDataKey")
        scripts = sagemaker.CfnNotebookInstanceLifecycleConfig(
            self,
            "Scripts",
            notebook_instance_lifecycle_config_name=f"{naming.prefix}-notebook",
            on_start=[
                sagemaker.CfnNotebookInstanceLifecycleConfig.NotebookInstanceLifecycleHookProperty(
                    content=Fn.base64(_on_start(bucket.bucket_name, notebook.idle_stop_minutes))
                )
            ],
        )
        instance = sagemaker.CfnNotebookInstance(
            self,
            "Instance",
            notebook_instance_name=f"{naming.prefix}-notebook",
            instance_type=notebook.instance_type,
            volume_size_in_gb=notebook.volume_size_gb,
            platform_identifier=PLATFORM,
            role_arn=role.role_arn,
            root_access="Disabled",
            kms_key_id=protection.key.key_arn if protection.key else None,
            default_code_repository=notebook.repository,
            lifecycle_config_name=scripts.attr_notebook_instance_lifecycle_config_name,
        )
        instance.node.add_dependency(role)
        acknowledge(instance, "SM1", "it needs no network of yours; put it into a VPC where your data is in one")
        if not protection.key:
            acknowledge(instance, "SM2", "[security] kms = false in the settings: the volume has a key of AWS")
        acknowledge(instance, "SM3", "it clones a repository and installs packages")
        CfnOutput(self, "NotebookName", value=f"{naming.prefix}-notebook")

    def _role(self, bucket: s3.IBucket) -> iam.Role:
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("sagemaker.amazonaws.com"))
        images = Images(self, "Images")
        files = bucket.arn_for_objects(JOB_NAMES)
        logs = log_statement(self, ["/aws/sagemaker/TrainingJobs", "/aws/sagemaker/Endpoints"])
        instance = self.format_arn(service="sagemaker", resource="notebook-instance", resource_name="*-notebook")
        own = {arn: [f"sagemaker:{action}" for action in actions] for arn, actions in self._own().items()}
        statements = [
            *(iam.PolicyStatement(actions=actions, resources=[arn]) for arn, actions in own.items()),
            iam.PolicyStatement(actions=["sagemaker:StopNotebookInstance"], resources=[instance]),
            iam.PolicyStatement(actions=["s3:ListBucket"], resources=[bucket.bucket_arn]),
            iam.PolicyStatement(actions=["s3:GetObject", "s3:PutObject"], resources=[files]),
            *pull_statements([images.repository_arn(LINEAR_LEARNER)]),
            logs,
            metric_statement(["/aws/sagemaker/TrainingJobs", "/aws/sagemaker/Endpoints", "AWS/SageMaker"]),
        ]
        for statement in statements:
            role.add_to_policy(statement)
        itself = iam.PolicyStatement(
            actions=["iam:PassRole"],
            resources=[role.role_arn],
            conditions={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
        )
        iam.Policy(self, "PassesItself", roles=[role], statements=[itself])  # apart, or the role would need itself
        names = "a notebook's run makes its own names"
        acknowledge_wildcards(
            role,
            {"*": ANY_RESOURCE, instance: "the name of the instance comes from the environment", files: names}
            | dict.fromkeys(own, names)
            | dict.fromkeys(logs.resources, LOG_STREAMS),
        )
        return role

    def _own(self) -> dict[str, tuple[str, ...]]:
        return {
            self.format_arn(service="sagemaker", resource=resource, resource_name=JOB_NAMES): actions
            for resource, actions in RESOURCES.items()
        }


def _on_start(bucket: str, idle_minutes: int) -> str:
    """Return the script that runs at every start: variables for the notebook, and cron for the idle stop."""
    cron = f"*/5 * * * * root python3 /usr/local/bin/stop_when_idle.py {idle_minutes}"
    return "\n".join(
        [
            "#!/bin/bash",
            "set -euo pipefail",
            "cat > /usr/local/bin/stop_when_idle.py <<'SCRIPT'",
            IDLE_STOP.read_text(encoding="utf-8").rstrip(),
            "SCRIPT",
            f'echo "{cron}" > /etc/cron.d/stop-when-idle',
            f'echo "export SAGEMAKER_BUCKET={bucket}" > /etc/profile.d/jupyter-env.sh',
            "systemctl restart jupyter-server --no-block",
            "",
        ]
    )
