"""A Lambda function of ours: one folder of lambda/, its log group and a role that may write there and nowhere else."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks.constructs.staged_code import ROOT, zipped

SOURCES = ROOT / "lambda"
RUNTIME, ARCHITECTURE = lambda_.Runtime.PYTHON_3_14, lambda_.Architecture.ARM_64
LAMBDA = iam.ServicePrincipal("lambda.amazonaws.com")


class LambdaFunction(lambda_.Function):
    """Python 3.14 on arm64, 256 MB, with its own log group and role.

    Parameters
    ----------
    source : str
        Folder below lambda/ that holds handler.py.
    parts : Mapping[str, Path]
        What else goes into the asset, and where: the schema, the answer to CloudFormation.
    libraries : bool
        Add the vendored libraries of requirements-lambda.txt.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        source: str,
        description: str,
        environment: Mapping[str, str] | None = None,
        parts: Mapping[str, Path] | None = None,
        libraries: bool = False,
        timeout: Duration | None = None,
    ) -> None:
        role = iam.Role(scope, f"{construct_id}Role", assumed_by=LAMBDA)
        log_group = logs.LogGroup(
            scope,
            f"{construct_id}Logs",
            removal_policy=RemovalPolicy.DESTROY,
        )
        log_group.grant_write(role)
        with zipped({".": SOURCES / source, **(parts or {})}, libraries=libraries) as archive:
            super().__init__(
                scope,
                construct_id,
                runtime=RUNTIME,
                architecture=ARCHITECTURE,
                handler="handler.handler",
                code=lambda_.Code.from_asset(str(archive), asset_hash=_digest(archive)),
                role=role,
                log_group=log_group,
                environment=dict(environment or {}),
                memory_size=256,
                timeout=timeout or Duration.seconds(30),
                description=description,
            )
        self.execution_role = role


def _digest(archive: Path) -> str:
    """Return the content's hash, for which the CDK would take longer."""
    return hashlib.sha256(archive.read_bytes()).hexdigest()


class CustomResourceFunction(LambdaFunction):
    """A function that answers CloudFormation."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        source: str,
        description: str,
        environment: Mapping[str, str] | None = None,
        timeout: Duration | None = None,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            source=source,
            description=description,
            environment=environment,
            parts={"cloudformation_answer.py": SOURCES / "cloudformation_answer.py"},
            timeout=timeout,
        )

    @property
    def service_token(self) -> str:
        """What a custom resource names to be answered by this function."""
        return self.function_arn
