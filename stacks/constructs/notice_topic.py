"""A topic that tells people: encrypted, over TLS only, and open to the services that publish to it."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct


class NoticeTopic(sns.Topic):
    """A topic for notices of AWS's services.

    Parameters
    ----------
    publishers : str
        Service principals. A topic with a policy of its own has lost the default that lets its account's alarms in.
    key : IKey or None
        Its policy lets the publishers use it.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *publishers: str,
        key: kms.IKey | None,
        display_name: str | None = None,
    ) -> None:
        super().__init__(scope, construct_id, display_name=display_name, enforce_ssl=True, master_key=key)
        self.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal(publisher) for publisher in publishers],
                actions=["sns:Publish"],
                resources=[self.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            )
        )
