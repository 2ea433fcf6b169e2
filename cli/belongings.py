"""What belongs to an environment: its stacks, what these hold, and what no stack owns.

An environment's names are `<project>-<env>-<word>`. A dash in the last part belongs to another environment, whose name
begins like this one's: `kdd99-dev-2-serving` is not of `dev`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from cli.deployment import Deployment

RETAINED = {"Retain", "RetainExceptOnCreate"}
DIMENSION = "sagemaker:variant:DesiredInstanceCount"
COUNTED_VERSIONS = 10_000  # of a bucket; more are not counted
ENDPOINT_SECONDS = 600


@dataclass(frozen=True)
class Belonging:
    """Something that outlives `cdk destroy` unless it is removed.

    Parameters
    ----------
    what : str
        Kind and name, for people.
    remove : Callable
        Removes it; what is gone already is no error.
    """

    what: str
    remove: Callable[[], None]


class Belongings:
    """Reads and removes what one environment owns."""

    def __init__(self, deployment: Deployment) -> None:
        self._client = deployment.client
        self._project, self._env = deployment.settings.project.name, deployment.env
        self._prefix = f"{self._project}-{self._env}"

    def _is_ours(self, name: str) -> bool:
        return name.startswith(f"{self._prefix}-") and "-" not in name.removeprefix(f"{self._prefix}-")

    def stacks(self) -> list[dict[str, Any]]:
        """Return the environment's stacks, as DescribeStacks does."""
        pages = self._client("cloudformation").get_paginator("describe_stacks").paginate()
        return [stack for page in pages for stack in page["Stacks"] if self._is_ours(stack["StackName"])]

    def protected(self) -> list[str]:
        """Return what must not be removed: stacks under termination protection, and what they retain."""
        problems = []
        for stack in self.stacks():
            if stack.get("EnableTerminationProtection"):
                problems.append(f"stack {stack['StackName']} is protected against termination")
            problems += [f"{stack['StackName']} retains {name}" for name in self._retained(stack["StackName"])]
        return problems

    def _retained(self, stack: str) -> Iterator[str]:
        body = self._client("cloudformation").get_template(StackName=stack)["TemplateBody"]
        physical = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in self._resources(stack)}
        for logical_id, resource in body["Resources"].items():
            if resource.get("DeletionPolicy") in RETAINED:
                yield f"{resource['Type']} {physical.get(logical_id, logical_id)}"

    def _resources(self, stack: str) -> list[dict[str, Any]]:
        pages = self._client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
        return [each for page in pages for each in page["StackResourceSummaries"] if "PhysicalResourceId" in each]

    def _physical(self, resource_type: str) -> list[str]:
        stacks = [stack["StackName"] for stack in self.stacks()]
        resources = [each for stack in stacks for each in self._resources(stack)]
        return [each["PhysicalResourceId"] for each in resources if each["ResourceType"] == resource_type]

    def emptied(self) -> list[str]:
        """Return what the stacks empty themselves when they go, with how much it holds."""
        return [f"bucket {name}: {self._held(name)}" for name in self._physical("AWS::S3::Bucket")]

    def _held(self, bucket: str) -> str:
        pages = self._client("s3").get_paginator("list_object_versions")
        found = pages.paginate(Bucket=bucket, PaginationConfig={"MaxItems": COUNTED_VERSIONS})
        versions = [each for page in found for each in page.get("Versions", [])]
        more = "at least " if len(versions) >= COUNTED_VERSIONS else ""
        return f"{more}{len(versions)} versions of objects, {sum(each['Size'] for each in versions) / 1e6:.1f} MB"

    def running(self) -> list[Belonging]:
        """Return the workflow's runs that are under way: their jobs would outlive the workflow."""
        states = self._client("stepfunctions")
        found = []
        for machine in self._physical("AWS::StepFunctions::StateMachine"):
            runs = states.list_executions(stateMachineArn=machine, statusFilter="RUNNING")["executions"]
            for run in runs:
                stop = _calling(states.stop_execution, executionArn=run["executionArn"], cause="sagescale destroy")
                found.append(Belonging(f"run {run['name']}, which is under way", stop))
        return found

    def left_over(self) -> list[Belonging]:
        """Return what belongs to the environment and to none of its stacks."""
        return [
            *self._endpoints(),
            *self._schedules(),
            *self._model_packages(),
            *self._parameters(),
            *self._log_groups(),
        ]

    def _endpoints(self) -> Iterator[Belonging]:
        """Find endpoints that a failed update left behind."""
        sagemaker = self._client("sagemaker")
        owned = {name.rpartition("/")[2] for name in self._physical("AWS::SageMaker::Endpoint")}
        pages = sagemaker.get_paginator("list_endpoints").paginate(NameContains=f"{self._prefix}-")
        for name in [each["EndpointName"] for page in pages for each in page["Endpoints"]]:
            if self._is_ours(name) and name not in owned:
                yield Belonging(f"endpoint {name}", partial(self._remove_endpoint, name))

    def deregister_strays(self) -> list[str]:
        """Deregister scalable targets of the stacks' endpoints that no stack knows, and return them.

        AWS deletes no endpoint under a scalable target. A stack deregisters its own targets first, because they depend
        on the endpoint; those that somebody registered by hand it does not know.
        """
        endpoints = [name.rpartition("/")[2] for name in self._physical("AWS::SageMaker::Endpoint")]
        known = {name.partition("|")[0] for name in self._physical("AWS::ApplicationAutoScaling::ScalableTarget")}
        return [target for name in endpoints for target in self._deregister(name, except_for=known)]

    def _deregister(self, endpoint: str, *, except_for: AbstractSet[str] = frozenset()) -> list[str]:
        scaling = self._client("application-autoscaling")
        pages = scaling.get_paginator("describe_scalable_targets").paginate(ServiceNamespace="sagemaker")
        targets = [each["ResourceId"] for page in pages for each in page["ScalableTargets"]]
        found = [each for each in targets if each.startswith(f"endpoint/{endpoint}/") and each not in except_for]
        for target in found:
            scaling.deregister_scalable_target(
                ServiceNamespace="sagemaker", ResourceId=target, ScalableDimension=DIMENSION
            )
        return found

    def _remove_endpoint(self, name: str) -> None:
        sagemaker = self._client("sagemaker")
        config = sagemaker.describe_endpoint(EndpointName=name)["EndpointConfigName"]
        self._deregister(name)
        sagemaker.delete_endpoint(EndpointName=name)
        sagemaker.get_waiter("endpoint_deleted").wait(
            EndpointName=name, WaiterConfig={"Delay": 2, "MaxAttempts": ENDPOINT_SECONDS // 2}
        )
        _calling(sagemaker.delete_endpoint_config, EndpointConfigName=config)()

    def _schedules(self) -> Iterator[Belonging]:
        """Find the one-time schedule of a retraining that waits for more data."""
        scheduler = self._client("scheduler")
        name = f"{self._prefix}-retraining"
        found = scheduler.list_schedules(NamePrefix=name)["Schedules"]
        if any(each["Name"] == name for each in found) and name not in self._physical("AWS::Scheduler::Schedule"):
            yield Belonging(f"schedule {name}", _calling(scheduler.delete_schedule, Name=name))

    def _model_packages(self) -> Iterator[Belonging]:
        sagemaker = self._client("sagemaker")
        groups = sagemaker.list_model_package_groups(NameContains=self._prefix)["ModelPackageGroupSummaryList"]
        if all(each["ModelPackageGroupName"] != self._prefix for each in groups):
            return
        pages = sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=self._prefix)
        versions = [each["ModelPackageArn"] for page in pages for each in page["ModelPackageSummaryList"]]

        def remove() -> None:
            for version in versions:
                sagemaker.delete_model_package(ModelPackageName=version)
            sagemaker.delete_model_package_group(ModelPackageGroupName=self._prefix)

        yield Belonging(f"model package group {self._prefix} with {len(versions)} versions", remove)

    def _parameters(self) -> Iterator[Belonging]:
        ssm = self._client("ssm")
        owned = set(self._physical("AWS::SSM::Parameter"))
        pages = ssm.get_paginator("get_parameters_by_path").paginate(
            Path=f"/{self._project}/{self._env}", Recursive=True
        )
        for name in [each["Name"] for page in pages for each in page["Parameters"]]:
            if name not in owned:
                yield Belonging(f"parameter {name}", _calling(ssm.delete_parameter, Name=name))

    def _log_groups(self) -> Iterator[Belonging]:
        """Find the log groups that SageMaker makes for endpoints; those of jobs are the account's, not ours."""
        logs = self._client("logs")
        pages = logs.get_paginator("describe_log_groups").paginate(
            logGroupNamePrefix=f"/aws/sagemaker/Endpoints/{self._prefix}-"
        )
        for name in [each["logGroupName"] for page in pages for each in page["logGroups"]]:
            if self._is_ours(name.rpartition("/")[2]):
                yield Belonging(f"log group {name}", _calling(logs.delete_log_group, logGroupName=name))


GONE = {"ResourceNotFoundException", "ResourceNotFound", "ParameterNotFound", "ExecutionDoesNotExist"}


def _calling(call: Callable[..., Any], **arguments: Any) -> Callable[[], None]:
    """Return what makes the call, and does not mind when what it removes is gone."""

    def remove() -> None:
        try:
            call(**arguments)
        except ClientError as error:
            said = error.response["Error"]
            if said["Code"] not in GONE and "Could not find" not in said["Message"]:
                raise

    return remove
