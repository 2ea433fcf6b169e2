"""The bucket: raw data and models for good, what runs leave behind for a month; and who read and wrote it."""

from __future__ import annotations

from typing import Any

from aws_cdk import CustomResource, Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from config.data_capture import DataCapture
from config.security import Security
from config.settings import Project
from stacks.constructs.acknowledgements import acknowledge_wildcards
from stacks.constructs.lambda_function import CustomResourceFunction
from stacks.constructs.protection import Network, Protection
from stacks.constructs.stage_key import StageKey
from stacks.naming import Naming

ACCESS_LOGS_KEPT = Duration.days(90)


class StorageStack(Stack):
    """One versioned, encrypted bucket that only TLS reaches and nobody makes public, and the environment's key.

    `runs/` expires; `models/` never does, because scaling out downloads the artifact again.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        naming: Naming,
        project: Project,
        security: Security,
        capture: DataCapture | None,
        network: Network | None,
        **stack: Any,
    ) -> None:
        super().__init__(scope, construct_id, **stack)
        removal_policy = RemovalPolicy.RETAIN if project.retain_data else RemovalPolicy.DESTROY
        key = StageKey(self, "Key", naming=naming, removal_policy=removal_policy) if security.kms else None
        self.protection = Protection(
            key=key,
            isolated=security.network_isolation,
            network=network,
            log_retention_days=security.log_retention_days,
        )
        self._logs = self._log_bucket(removal_policy)
        self.bucket = s3.Bucket(
            self,
            "DataBucket",
            versioned=True,
            encryption=s3.BucketEncryption.KMS if key else s3.BucketEncryption.S3_MANAGED,
            encryption_key=key,
            bucket_key_enabled=True if key else None,  # one call of KMS for many objects
            enforce_ssl=True,
            minimum_tls_version=1.2,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            server_access_logs_bucket=self._logs,
            server_access_logs_prefix="data/",
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="RunsExpire",
                    prefix="runs/",
                    expiration=Duration.days(30),
                    noncurrent_version_expiration=Duration.days(7),
                    abort_incomplete_multipart_upload_after=Duration.days(1),
                ),
                *([_captured_data_expire(capture)] if capture else []),
            ],
            removal_policy=removal_policy,
        )
        if not project.retain_data:
            self._empty_before_deletion()
        self._export_always([self.bucket.bucket_arn, self.bucket.bucket_name, *([key.key_arn] if key else [])])

    def _export_always(self, values: list[str]) -> None:
        """Export what other stacks read even when none does: a stack that left the settings still stands, and reads."""
        for value in values:
            self.export_value(value)

    def _log_bucket(self, removal_policy: RemovalPolicy) -> s3.Bucket:
        return s3.Bucket(
            self,
            "AccessLogs",
            encryption=s3.BucketEncryption.S3_MANAGED,  # S3 delivers access logs to no other encryption but its own
            enforce_ssl=True,
            minimum_tls_version=1.2,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            lifecycle_rules=[s3.LifecycleRule(id="AccessLogsExpire", expiration=ACCESS_LOGS_KEPT)],
            removal_policy=removal_policy,
        )

    def _empty_before_deletion(self) -> None:
        """Have both buckets emptied; the data bucket goes first, because removing it still writes access logs."""
        logs_emptied = self._emptied("AccessLogs", self._logs)
        self._emptied("Bucket", self.bucket)
        self.bucket.node.add_dependency(logs_emptied)

    def _emptied(self, name: str, bucket: s3.Bucket) -> CustomResource:
        objects = bucket.arn_for_objects("*")
        emptier = CustomResourceFunction(
            self,
            f"{name}Emptier",
            source="bucket_emptier",
            description="Empties a bucket when its stack is deleted.",
            timeout=Duration.minutes(14),
        )
        emptier.add_to_role_policy(
            iam.PolicyStatement(actions=["s3:ListBucketVersions"], resources=[bucket.bucket_arn])
        )
        emptier.add_to_role_policy(
            iam.PolicyStatement(actions=["s3:DeleteObjectVersion"], resources=[objects])  # every deletion names one
        )
        acknowledge_wildcards(emptier.execution_role, {objects: "it deletes every object, whatever its key"})
        emptied = CustomResource(
            self,
            f"Emptied{name}",
            service_token=emptier.service_token,
            resource_type="Custom::EmptiedBucket",
            properties={"BucketName": bucket.bucket_name},
            service_timeout=Duration.minutes(15),
        )
        # not on its policy, which names the data bucket
        emptied.node.add_dependency(emptier, bucket.node.default_child)
        return emptied


def _captured_data_expire(capture: DataCapture) -> s3.LifecycleRule:
    return s3.LifecycleRule(
        id="CapturedDataExpire",
        prefix=f"{capture.prefix}/",
        expiration=Duration.days(capture.keep_days),
        noncurrent_version_expiration=Duration.days(1),
    )
