"""What must be there before a deploy: each check asks one thing and says what to do where it is missing."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from cli.deployment import AWS_ERRORS, Deployment
from cli.fleet import wanted_instances
from cli.synthesis import CDK
from sandbox.processes import REPOSITORY_ROOT

BOOTSTRAP_PARAMETER = "/cdk-bootstrap/hnb659fds/version"  # of the CDK's default qualifier
OLDEST_BOOTSTRAP = 6  # what the rule CheckBootstrapVersion of every template asks for
SCALING_ROLE = "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
OFFERINGS_IN_A_CALL = 100


class Status(StrEnum):
    """How a check ended."""

    OK = "ok"
    UNKNOWN = "?"
    """It could not be found out; a deploy may work."""
    PROBLEM = "problem"
    """A deploy would fail."""


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's.

    Parameters
    ----------
    advice : str
        What to do; empty where all is well.
    """

    status: Status
    what: str
    advice: str = ""


def _ok(what: str) -> Finding:
    return Finding(Status.OK, what)


def _problem(what: str, advice: str) -> Finding:
    return Finding(Status.PROBLEM, what, advice)


Check = Callable[[Deployment], Iterator[Finding]]


def examine(deployment: Deployment) -> Iterator[Finding]:
    """Yield every finding; without credentials nothing more is asked."""
    first = list(_asked(check_credentials, deployment))
    yield from first
    if any(finding.status is Status.PROBLEM for finding in first):
        return
    for check in CHECKS:
        yield from _asked(check, deployment)


def _asked(check: Check, deployment: Deployment) -> Iterator[Finding]:
    """Run a check; what the service refuses to say is unknown."""
    try:
        yield from check(deployment)
    except AWS_ERRORS as error:
        subject = check.__name__.removeprefix("check_").replace("_", " ")
        if check is check_credentials:
            advice = "sign in: `aws configure sso` and `aws sso login`; set AWS_PROFILE and AWS_REGION"
            yield _problem(f"{subject}: {error}", advice)
        else:
            yield Finding(Status.UNKNOWN, f"{subject}: {error}", "look yourself, or allow your role to look")


def check_credentials(deployment: Deployment) -> Iterator[Finding]:
    """Ask who deploys where, and whether that is the account of the settings."""
    project = deployment.settings.project
    sts = deployment.client("sts")
    identity = sts.get_caller_identity()
    account = identity["Account"]
    if project.account not in {None, account}:
        yield _problem(
            f"credentials are of account {account}, the settings want {project.account}", "sign in to the other account"
        )
    else:
        yield _ok(f"credentials: {identity['Arn']}")
    yield _ok(f"region: {sts.meta.region_name}")


def check_tools(_: Deployment) -> Iterator[Finding]:
    """Look for the CDK CLI."""
    if os.access(CDK, os.X_OK):
        yield _ok("CDK CLI: installed")
    else:
        yield _problem("CDK CLI: not installed", "make install")


def check_bootstrap(deployment: Deployment) -> Iterator[Finding]:
    """Ask whether the CDK's bootstrap stack is there and new enough."""
    ssm = deployment.client("ssm")
    advice = f"make bootstrap ENV={deployment.env}"
    try:
        version = int(ssm.get_parameter(Name=BOOTSTRAP_PARAMETER)["Parameter"]["Value"])
    except ssm.exceptions.ParameterNotFound:
        yield _problem("CDK bootstrap: not done in this account and region", advice)
        return
    if version < OLDEST_BOOTSTRAP:
        yield _problem(f"CDK bootstrap: version {version}, {OLDEST_BOOTSTRAP} or later is needed", advice)
    else:
        yield _ok(f"CDK bootstrap: version {version}")


def check_records(deployment: Deployment) -> Iterator[Finding]:
    """Look for the records to train on."""
    dataset = deployment.settings.dataset
    for uri in (dataset.train, dataset.test) if dataset else ():
        if not uri.startswith("s3://"):
            found = (REPOSITORY_ROOT / uri).exists()
            advice = "make data"
        else:
            bucket, _, key = uri.removeprefix("s3://").partition("/")
            found = bool(deployment.client("s3").list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)["KeyCount"])
            advice = "upload them, or correct [dataset]"
        yield _ok(f"records: {uri}") if found else _problem(f"records: there is no {uri}", advice)


def check_instance_types(deployment: Deployment) -> Iterator[Finding]:
    """Ask whether EC2 offers the instance types here.

    SageMaker has no call that says what it offers; it offers no type of these families that EC2 does not.
    """
    ec2 = deployment.client("ec2")
    types = sorted({quota.partition(" ")[0] for quota in wanted_instances(deployment.settings)})
    names = [name.removeprefix("ml.") for name in types]
    offered = ec2.describe_instance_type_offerings(
        LocationType="region", Filters=[{"Name": "instance-type", "Values": names[:OFFERINGS_IN_A_CALL]}]
    )
    found = {f"ml.{each['InstanceType']}" for each in offered["InstanceTypeOfferings"]}
    for name in types:
        if name in found:
            yield _ok(f"instance type {name}: offered in {ec2.meta.region_name}")
        else:
            yield _problem(f"instance type {name}: not offered in {ec2.meta.region_name}", "use another type or region")


def check_quotas(deployment: Deployment) -> Iterator[Finding]:
    """Compare SageMaker's quotas with the fleet twice, as an update needs, and the jobs."""
    wanted = wanted_instances(deployment.settings)
    client = deployment.client("service-quotas")
    allowed: dict[str, float] = {}
    for call in ("list_aws_default_service_quotas", "list_service_quotas"):  # what was applied overrules the default
        for page in client.get_paginator(call).paginate(ServiceCode="sagemaker"):
            allowed |= {quota["QuotaName"]: quota["Value"] for quota in page["Quotas"]}
    for name, count in sorted(wanted.items()):
        if name not in allowed:
            yield Finding(Status.UNKNOWN, f"quota {name}: not listed", "look into the Service Quotas console")
        elif allowed[name] < count:
            advice = f"ask for {count}: Service Quotas, Amazon SageMaker, {name}"
            yield _problem(f"quota {name}: {allowed[name]:g}, {count} are wanted", advice)
        else:
            yield _ok(f"quota {name}: {allowed[name]:g} of {count}")


def check_scaling_role(deployment: Deployment) -> Iterator[Finding]:
    """Look for the role with which Application Auto Scaling acts; AWS makes it at the first registration."""
    iam = deployment.client("iam")
    try:
        iam.get_role(RoleName=SCALING_ROLE)
        yield _ok("service-linked role of Application Auto Scaling: there")
    except iam.exceptions.NoSuchEntityException:
        command = (
            "aws iam create-service-linked-role --aws-service-name sagemaker.application-autoscaling.amazonaws.com"
        )
        yield Finding(
            Status.UNKNOWN,
            "service-linked role of Application Auto Scaling: not there yet",
            f"AWS makes it where the deploying role may iam:CreateServiceLinkedRole; else: {command}",
        )


def check_log_role(deployment: Deployment) -> Iterator[Finding]:
    """Ask with which role API Gateway writes logs: it has one an account and region, and two stacks would fight."""
    role = deployment.client("apigateway").get_account().get("cloudwatchRoleArn")
    own = f"{deployment.settings.project.name}-{deployment.env}-"
    if deployment.settings.api.log_role and role and own not in role:
        yield _problem(f"API Gateway logs with {role} already", "set `log_role = false` below [api]")
    elif not deployment.settings.api.log_role and not role:
        yield _problem("API Gateway has no role to write logs with", "set `log_role = true` below [api]")
    else:
        yield _ok("API Gateway's role for logs")


def check_docker(deployment: Deployment) -> Iterator[Finding]:
    """Ask whether Docker runs, where the deploy builds an image."""
    if not deployment.settings.needs_own_container or deployment.runtime:  # the sandbox brings its own program
        return
    program = os.environ.get("CDK_DOCKER", "docker")
    try:
        subprocess.run([program, "version"], capture_output=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        yield _problem(f"{program}: {error}", "start or install it, name another in CDK_DOCKER, or use AWS's container")
    else:
        yield _ok(f"{program}: runs")


CHECKS: tuple[Check, ...] = (
    check_tools,
    check_bootstrap,
    check_records,
    check_instance_types,
    check_quotas,
    check_scaling_role,
    check_log_role,
    check_docker,
)
