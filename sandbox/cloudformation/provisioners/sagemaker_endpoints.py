"""SageMaker endpoints: created and updated like CloudFormation does, waiting until they serve."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from sandbox.cloudformation.failures import is_gone
from sandbox.cloudformation.provisioner import Outcome, Provisioner, ProvisioningError, Request, provisions
from sandbox.cloudformation.provisioners.sagemaker_models import set_tags

STABLE_WITHIN_SECONDS = 3600.0


@provisions("AWS::SageMaker::Endpoint")
class Endpoint(Provisioner):
    """An endpoint; every property but its name changes in place.

    ``RetainAllVariantProperties`` and its companions matter on updates only, as in the service's own API.
    """

    replaced_by = frozenset({"EndpointName"})

    def create(self, request: Request) -> Outcome:
        """CreateEndpoint, then wait; one that fails is an error with SageMaker's FailureReason."""
        name = request.physical_name("EndpointName")
        wanted = ("EndpointConfigName", "DeploymentConfig", "Tags")
        arn = request.call("sagemaker", "create_endpoint", *wanted, EndpointName=name)["EndpointArn"]
        self._wait_until_stable(request, name, arn)
        return Outcome(arn, {"EndpointName": name})

    def update(self, request: Request) -> Outcome:
        """UpdateEndpoint, then wait; one that ends in service on its old config is an error too."""
        arn = request.physical_id
        name = arn.rsplit("/", 1)[1]
        if request.changed("Tags"):
            set_tags(request)
        if _describe(request, name)["EndpointConfigName"] != request.properties["EndpointConfigName"]:
            request.call_with_all("sagemaker", "update_endpoint", "Tags", "EndpointName", EndpointName=name)
            self._wait_until_stable(request, name, arn)
        return Outcome(arn, {"EndpointName": name})

    def delete(self, request: Request) -> None:
        """DeleteEndpoint, then wait until it is gone."""
        name = request.physical_id.rsplit("/", 1)[1]
        request.call("sagemaker", "delete_endpoint", EndpointName=name)
        request.wait_until(lambda: _gone(request, name), what=name, at_most_seconds=STABLE_WITHIN_SECONDS)

    def _wait_until_stable(self, request: Request, name: str, arn: str) -> None:
        endpoint: dict[str, Any] = {}

        def settled() -> bool:
            endpoint.update(_describe(request, name))
            return endpoint["EndpointStatus"] in {"InService", "Failed", "UpdateRollbackFailed"}

        try:
            request.wait_until(settled, what=name, at_most_seconds=STABLE_WITHIN_SECONDS)
        except ProvisioningError as error:
            raise ProvisioningError(error.reason, arn) from error
        reason = endpoint.get("FailureReason", "SageMaker gave no reason")
        if endpoint["EndpointStatus"] != "InService":
            raise ProvisioningError(f"Endpoint {name} is {endpoint['EndpointStatus']}: {reason}", arn)
        if endpoint["EndpointConfigName"] != request.properties["EndpointConfigName"]:
            raise ProvisioningError(
                f"Endpoint {name} still serves {endpoint['EndpointConfigName']}, not "
                f"{request.properties['EndpointConfigName']}: {reason}",
                arn,
            )


def _describe(request: Request, name: str) -> dict[str, Any]:
    described: dict[str, Any] = request.client("sagemaker").describe_endpoint(EndpointName=name)
    return described


def _gone(request: Request, name: str) -> bool:
    try:
        _describe(request, name)
    except ClientError as error:
        return is_gone(error)
    return False
