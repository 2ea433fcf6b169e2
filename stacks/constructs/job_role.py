"""What SageMaker's jobs may do: read the inputs, write below runs/, log, and pull their image."""

from __future__ import annotations

from collections.abc import Iterable

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from stacks.constructs.acknowledgements import acknowledge_wildcards

METRIC_NAMESPACES = ["/aws/sagemaker/TrainingJobs", "/aws/sagemaker/ProcessingJobs"]
LOG_GROUPS = ["/aws/sagemaker/TrainingJobs", "/aws/sagemaker/ProcessingJobs"]
ANY_RESOURCE = "ecr:GetAuthorizationToken and cloudwatch:PutMetricData know no resource; the latter has its namespaces"
LOG_STREAMS = "SageMaker makes the log groups and names the streams"


class JobRole(iam.Role):
    """The execution role of the jobs of one environment."""

    def __init__(
        self, scope: Construct, construct_id: str, *, bucket: s3.IBucket, repository_arns: Iterable[str]
    ) -> None:
        super().__init__(scope, construct_id, assumed_by=iam.ServicePrincipal("sagemaker.amazonaws.com"))
        runs = bucket.arn_for_objects("runs/*")
        logs = log_statement(self, LOG_GROUPS)
        for statement in (
            *read_statements(bucket, runs),
            iam.PolicyStatement(actions=["s3:PutObject"], resources=[runs]),
            *pull_statements(repository_arns),
            logs,
            metric_statement(METRIC_NAMESPACES),
        ):
            self.add_to_policy(statement)
        acknowledge_wildcards(
            self,
            {runs: "every run writes below a prefix of its own", "*": ANY_RESOURCE}
            | dict.fromkeys(logs.resources, LOG_STREAMS),
        )


def read_statements(bucket: s3.IBucket, *objects: str) -> tuple[iam.PolicyStatement, ...]:
    """Return what a job or a model needs to download `objects` (ARNs) of `bucket`: SageMaker lists a prefix first."""
    return (
        iam.PolicyStatement(actions=["s3:ListBucket"], resources=[bucket.bucket_arn]),
        iam.PolicyStatement(actions=["s3:GetObject"], resources=list(objects)),
    )


def pull_statements(repository_arns: Iterable[str]) -> tuple[iam.PolicyStatement, ...]:
    """Return what pulling an image from AWS's registries takes."""
    return (
        iam.PolicyStatement(
            actions=["ecr:GetAuthorizationToken"],
            resources=["*"],  # the action knows no resource (Service Authorization Reference, Amazon ECR)
        ),
        iam.PolicyStatement(
            actions=["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"],
            resources=sorted(set(repository_arns)),
        ),
    )


def log_statement(scope: Construct, groups: Iterable[str]) -> iam.PolicyStatement:
    """Return what writing to SageMaker's log groups takes."""
    stack = Stack.of(scope)
    return iam.PolicyStatement(
        actions=["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
        resources=[stack.format_arn(service="logs", resource=f"log-group:{group}*") for group in groups],
    )


def metric_statement(namespaces: list[str]) -> iam.PolicyStatement:
    """Return what publishing metrics takes: the action knows no resource, so the namespace is what bounds it."""
    return iam.PolicyStatement(
        actions=["cloudwatch:PutMetricData"],
        resources=["*"],
        conditions={"StringEquals": {"cloudwatch:namespace": namespaces}},
    )
