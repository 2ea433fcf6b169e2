"""The key of one environment."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from stacks.naming import Naming

# Services that publish to encrypted topics (SNS developer guide, "Enable compatibility between event sources from AWS
# services and encrypted topics").
PUBLISHERS = ("cloudwatch.amazonaws.com", "events.amazonaws.com", "budgets.amazonaws.com")
PENDING = Duration.days(7)  # the shortest there is: without its bucket nothing is left that it opens


class StageKey(kms.Key):
    """A symmetric key, rotated every year. Roles are given it by their own policies."""

    def __init__(self, scope: Construct, construct_id: str, *, naming: Naming, removal_policy: RemovalPolicy) -> None:
        super().__init__(
            scope,
            construct_id,
            alias=f"alias/{naming.prefix}",
            description=f"Data, logs and messages of {naming.prefix}.",
            enable_key_rotation=True,
            removal_policy=removal_policy,
            pending_window=PENDING,
        )
        stack = Stack.of(self)
        logs = stack.format_arn(service="logs", resource="log-group:*")
        self.add_to_resource_policy(
            iam.PolicyStatement(  # CloudWatch Logs user guide, "Encrypt log data in CloudWatch Logs using AWS KMS"
                principals=[iam.ServicePrincipal(f"logs.{stack.region}.amazonaws.com")],
                actions=["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
                resources=["*"],  # in the policy of a key: this key
                conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": logs}},
            )
        )
        self.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal(publisher) for publisher in PUBLISHERS],
                actions=["kms:Decrypt", "kms:GenerateDataKey*"],
                resources=["*"],
                conditions={"StringEquals": {"aws:SourceAccount": stack.account}},
            )
        )
