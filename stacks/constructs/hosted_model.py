"""The model to serve in its container, and the role the container runs with."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from stacks.constructs.acknowledgements import acknowledge_wildcards
from stacks.constructs.job_role import ANY_RESOURCE, LOG_STREAMS, log_statement, metric_statement
from stacks.constructs.model_container import Container


class HostedModel(Construct):
    """A SageMaker model without a physical name: a new artifact makes a new model, and names never collide.

    Parameters
    ----------
    container : Callable
        Makes the container, with what belongs to it below the construct it is given.
    statements : Sequence of PolicyStatement
        What its role may do beside serving.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        container: Callable[[Construct], Container],
        network_isolation: bool,
        statements: Sequence[iam.PolicyStatement] = (),
    ) -> None:
        super().__init__(scope, construct_id)
        self.container = container(self)
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("sagemaker.amazonaws.com"))
        logs = log_statement(Stack.of(self), ["/aws/sagemaker/Endpoints"])
        metrics = metric_statement(["AWS/SageMaker", "/aws/sagemaker/Endpoints"])
        for statement in (*self.container.statements, logs, metrics, *statements):
            self.role.add_to_policy(statement)
        reasons = {"*": ANY_RESOURCE} | dict.fromkeys(logs.resources, LOG_STREAMS)
        if self.container.wildcard:
            reasons[self.container.wildcard] = "which model is approved is known only when the stack is updated"
        acknowledge_wildcards(self.role, reasons)
        self.model = sagemaker.CfnModel(
            self,
            "Model",
            execution_role_arn=self.role.role_arn,
            enable_network_isolation=network_isolation,
            primary_container=sagemaker.CfnModel.ContainerDefinitionProperty(
                image=self.container.image_uri,
                model_data_url=self.container.model_data_url,
                environment=self.container.environment,
            ),
        )
        # SageMaker checks at once that the role may read the artifact, and the role's policy is a resource of its own.
        self.model.node.add_dependency(self.role)
