"""Data capture of an endpoint: where samples go, and what the model's role needs to write them."""

from __future__ import annotations

from collections.abc import Iterable

from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sagemaker as sagemaker

from config.data_capture import DataCapture
from stacks.constructs.acknowledgements import acknowledge_wildcards

CSV, JSON = ["text/csv"], ["application/json", "application/jsonlines"]  # any other type is kept in base64


def capture_into(
    bucket: s3.IBucket, settings: DataCapture, roles: Iterable[iam.Role]
) -> sagemaker.CfnEndpointConfig.DataCaptureConfigProperty:
    """Let the models' roles write samples to `bucket`, which encrypts them, and return the endpoint config's part."""
    captured = bucket.arn_for_objects(f"{settings.prefix}/*")
    for role in roles:
        role.add_to_policy(iam.PolicyStatement(actions=["s3:PutObject"], resources=[captured]))
        acknowledge_wildcards(role, {captured: "SageMaker names the files by endpoint, variant and time"})
    config = sagemaker.CfnEndpointConfig
    return config.DataCaptureConfigProperty(
        enable_capture=True,
        initial_sampling_percentage=settings.sampling_percentage,
        destination_s3_uri=f"s3://{bucket.bucket_name}/{settings.prefix}",
        capture_options=[config.CaptureOptionProperty(capture_mode=mode) for mode in ("Input", "Output")],
        capture_content_type_header=config.CaptureContentTypeHeaderProperty(
            csv_content_types=CSV, json_content_types=JSON
        ),
    )
