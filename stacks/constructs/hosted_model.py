"""The model to serve: the approved artifact in AWS's image, and the role its container runs with."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from stacks.constructs.acknowledgements import acknowledge_wildcards
from stacks.constructs.images import ImageName, Images
from stacks.constructs.job_role import (
    ANY_RESOURCE,
    LOG_STREAMS,
    log_statement,
    metric_statement,
    pull_statements,
    read_statements,
)


class HostedModel(Construct):
    """A SageMaker model without a physical name: a new artifact makes a new model, and names never collide.

    Parameters
    ----------
    model_data_url : str
        S3 URI of model.tar.gz, below `models/` of `bucket`.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        image: ImageName,
        model_data_url: str,
        bucket: s3.IBucket,
        environment: Mapping[str, str],
        network_isolation: bool,
    ) -> None:
        super().__init__(scope, construct_id)
        images = Images(self, "Images")
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("sagemaker.amazonaws.com"))
        models = bucket.arn_for_objects("models/*")
        logs = log_statement(Stack.of(self), ["/aws/sagemaker/Endpoints"])
        for statement in (
            *read_statements(bucket, models),
            *pull_statements([images.repository_arn(image)]),
            logs,
            metric_statement(["AWS/SageMaker", "/aws/sagemaker/Endpoints"]),
        ):
            self.role.add_to_policy(statement)
        acknowledge_wildcards(
            self.role,
            {models: "which model is approved is known only when the stack is updated", "*": ANY_RESOURCE}
            | dict.fromkeys(logs.resources, LOG_STREAMS),
        )
        self.model = sagemaker.CfnModel(
            self,
            "Model",
            execution_role_arn=self.role.role_arn,
            enable_network_isolation=network_isolation,
            primary_container=sagemaker.CfnModel.ContainerDefinitionProperty(
                image=images.uri(image), model_data_url=model_data_url, environment=dict(environment)
            ),
        )
        # SageMaker checks at once that the role may read the artifact, and the role's policy is a resource of its own.
        self.model.node.add_dependency(self.role)
