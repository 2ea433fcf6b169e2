"""The bucket: raw data and models for good, what runs leave behind for a month."""

from __future__ import annotations

from typing import Any

from aws_cdk import CustomResource, Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from config.settings import Project
from stacks.constructs.lambda_function import CustomResourceFunction


class StorageStack(Stack):
    """One versioned, encrypted bucket that only TLS reaches and nobody makes public.

    `runs/` expires; `models/` never does, because scaling out downloads the artifact again.
    """

    def __init__(self, scope: Construct, construct_id: str, *, project: Project, **stack: Any) -> None:
        super().__init__(scope, construct_id, **stack)
        self.bucket = s3.Bucket(
            self,
            "DataBucket",
            versioned=True,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="RunsExpire",
                    prefix="runs/",
                    expiration=Duration.days(30),
                    noncurrent_version_expiration=Duration.days(7),
                    abort_incomplete_multipart_upload_after=Duration.days(1),
                )
            ],
            removal_policy=RemovalPolicy.RETAIN if project.retain_data else RemovalPolicy.DESTROY,
        )
        if not project.retain_data:
            self._empty_before_deletion()

    def _empty_before_deletion(self) -> None:
        emptier = CustomResourceFunction(
            self,
            "BucketEmptier",
            source="bucket_emptier",
            description="Empties the data bucket when its stack is deleted.",
            timeout=Duration.minutes(14),
        )
        emptier.add_to_role_policy(
            iam.PolicyStatement(actions=["s3:ListBucketVersions"], resources=[self.bucket.bucket_arn])
        )
        emptier.add_to_role_policy(
            iam.PolicyStatement(
                actions=["s3:DeleteObject", "s3:DeleteObjectVersion"], resources=[self.bucket.arn_for_objects("*")]
            )
        )
        emptied = CustomResource(
            self,
            "EmptiedBucket",
            service_token=emptier.service_token,
            resource_type="Custom::EmptiedBucket",
            properties={"BucketName": self.bucket.bucket_name},
            service_timeout=Duration.minutes(15),
        )
        emptied.node.add_dependency(emptier, self.bucket)
