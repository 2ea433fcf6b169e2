"""What moto lacks in services that no room of the sandbox owns."""

from __future__ import annotations

import json
from typing import Any

from moto.cloudtrail.responses import CloudTrailResponse
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import FakeBucket

from sandbox.runtime import Runtime


def install(runtime: Runtime) -> None:  # noqa: ARG001 - the signature every room has
    """Fill the gaps."""
    bucket: Any = FakeBucket
    bucket.get_permission = _get_permission
    bucket._log_permissions_enabled_policy = staticmethod(_may_deliver_logs)
    trail: Any = CloudTrailResponse
    trail.lookup_events = _lookup_events


def _get_permission(bucket: Any, action: str, resource: str) -> Any:
    """Evaluate a bucket policy without its conditional statements.

    moto ignores conditions, so the usual "deny what is not TLS" would deny everything; here nothing is TLS.
    """
    if bucket.policy is None:
        return PermissionResult.NEUTRAL
    policy = json.loads(bucket.policy)
    unconditional = [statement for statement in policy["Statement"] if "Condition" not in statement]
    return IAMPolicy(json.dumps(policy | {"Statement": unconditional})).is_action_permitted(action, resource)


def _may_deliver_logs(target_bucket: Any, target_prefix: str | None) -> bool:  # noqa: ARG001 - moto's signature
    """Let access logs be switched on before the policy is there that lets S3 deliver them, as S3 does.

    The CDK's policy names the logged bucket, so CloudFormation always creates it after that.
    """
    return True


def _lookup_events(response: Any) -> str:  # noqa: ARG001 - called as a method of moto's response class
    """Answer LookupEvents, which the CDK CLI calls after a failed deployment: no trail, no events."""
    return json.dumps({"Events": []})
