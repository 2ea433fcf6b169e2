"""Simple Storage Service. A bucket that is not empty cannot be deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from sandbox.cloudformation.provisioner import Outcome, Provisioner, ProvisioningError, Request, provisions

_Arguments = dict[str, Any]


def _encryption(value: Mapping[str, Any]) -> _Arguments:
    rules = [
        {
            "ApplyServerSideEncryptionByDefault" if key == "ServerSideEncryptionByDefault" else key: item
            for key, item in rule.items()
        }
        for rule in value["ServerSideEncryptionConfiguration"]
    ]
    return {"ServerSideEncryptionConfiguration": {"Rules": rules}}


def _lifecycle(value: Mapping[str, Any]) -> _Arguments:
    return {"LifecycleConfiguration": {"Rules": [_lifecycle_rule(rule) for rule in value["Rules"]]}}


def _lifecycle_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    """Return a rule in the API's form, which nests what CloudFormation keeps flat."""
    flat = dict(rule)
    converted = {"Filter": {"Prefix": flat.pop("Prefix", "")}}
    expiration = {
        name: flat.pop(key)
        for key, name in (
            ("ExpirationInDays", "Days"),
            ("ExpirationDate", "Date"),
            ("ExpiredObjectDeleteMarker", "ExpiredObjectDeleteMarker"),
        )
        if key in flat
    }
    if expiration:
        converted["Expiration"] = expiration
    for transition in flat.get("Transitions", []):
        if "TransitionInDays" in transition:
            transition["Days"] = transition.pop("TransitionInDays")
    return flat | converted


def _logging(value: Mapping[str, Any]) -> _Arguments:
    enabled = {
        "TargetBucket": value["DestinationBucketName"],
        "TargetPrefix": value.get("LogFilePrefix", ""),
    }
    return {"BucketLoggingStatus": {"LoggingEnabled": enabled}}


def _notification(value: Mapping[str, Any]) -> _Arguments:
    unknown = sorted(value.keys() - {"EventBridgeConfiguration"})
    if unknown:
        raise ValueError(f"the sandbox notifies EventBridge only, got {unknown}")
    return {"NotificationConfiguration": {"EventBridgeConfiguration": {}}}


# property: (operation that sets it, its arguments, operation that removes it)
_CONFIGURATIONS: dict[str, tuple[str, Any, str | None]] = {
    "BucketEncryption": ("put_bucket_encryption", _encryption, "delete_bucket_encryption"),
    "CorsConfiguration": (
        "put_bucket_cors",
        lambda value: {"CORSConfiguration": {"CORSRules": value["CorsRules"]}},
        "delete_bucket_cors",
    ),
    "LifecycleConfiguration": ("put_bucket_lifecycle_configuration", _lifecycle, "delete_bucket_lifecycle"),
    "LoggingConfiguration": ("put_bucket_logging", _logging, None),
    "NotificationConfiguration": ("put_bucket_notification_configuration", _notification, None),
    "OwnershipControls": (
        "put_bucket_ownership_controls",
        lambda value: {"OwnershipControls": value},
        "delete_bucket_ownership_controls",
    ),
    "PublicAccessBlockConfiguration": (
        "put_public_access_block",
        lambda value: {"PublicAccessBlockConfiguration": value},
        "delete_public_access_block",
    ),
    "Tags": ("put_bucket_tagging", lambda value: {"Tagging": {"TagSet": value}}, "delete_bucket_tagging"),
    "VersioningConfiguration": (
        "put_bucket_versioning",
        lambda value: {"VersioningConfiguration": value},
        None,
    ),
}
_OTHER_PROPERTIES = frozenset({"BucketName", "AccessControl"})


@provisions("AWS::S3::Bucket")
class Bucket(Provisioner):
    """A bucket; every configuration changes in place."""

    replaced_by = frozenset({"BucketName"})

    def create(self, request: Request) -> Outcome:
        """CreateBucket; a bucket of that name, even one's own, makes it fail."""
        name = request.physical_name("BucketName", lower=True)
        if _exists(request, name):
            raise ProvisioningError(f"{name} already exists")
        region = request.runtime.region
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        request.call("s3", "create_bucket", Bucket=name, **place)
        try:
            return self._configure(request, name)
        except (ClientError, ValueError):
            request.call("s3", "delete_bucket", Bucket=name)
            raise

    def update(self, request: Request) -> Outcome:
        """Set and remove what changed."""
        return self._configure(request, request.physical_id)

    def delete(self, request: Request) -> None:
        """DeleteBucket."""
        request.call("s3", "delete_bucket", Bucket=request.physical_id)

    def _configure(self, request: Request, name: str) -> Outcome:
        known = _CONFIGURATIONS.keys() | _OTHER_PROPERTIES
        if unknown := sorted(request.properties.keys() - known):
            raise ValueError(f"the sandbox does not know the bucket properties {unknown}; it knows {sorted(known)}")
        for property_name, (operation, arguments, removal) in _CONFIGURATIONS.items():
            if not request.changed(property_name):
                continue
            if property_name in request.properties:
                request.call("s3", operation, Bucket=name, **arguments(request.properties[property_name]))
            elif removal:
                request.call("s3", removal, Bucket=name)
        region = request.runtime.region
        attributes = {
            "Arn": f"arn:aws:s3:::{name}",
            "DomainName": f"{name}.s3.amazonaws.com",
            "DualStackDomainName": f"{name}.s3.dualstack.{region}.amazonaws.com",
            "RegionalDomainName": f"{name}.s3.{region}.amazonaws.com",
        }
        return Outcome(name, attributes)


@provisions("AWS::S3::BucketPolicy")
class BucketPolicy(Provisioner):
    """The policy of a bucket."""

    replaced_by = frozenset({"Bucket"})

    def create(self, request: Request) -> Outcome:
        """PutBucketPolicy."""
        request.call("s3", "put_bucket_policy", "Bucket", Policy=request.properties["PolicyDocument"])
        return Outcome(request.properties["Bucket"])

    def update(self, request: Request) -> Outcome:
        """PutBucketPolicy."""
        return self.create(request)

    def delete(self, request: Request) -> None:
        """DeleteBucketPolicy."""
        request.call("s3", "delete_bucket_policy", Bucket=request.physical_id)


def _exists(request: Request, name: str) -> bool:
    try:
        request.client("s3").head_bucket(Bucket=name)
    except ClientError as error:
        return bool(error.response["ResponseMetadata"]["HTTPStatusCode"] != 404)
    return True
