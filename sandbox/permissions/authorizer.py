"""Lets a role do what its policies allow, and refuses the rest as AWS does.

Whoever has no session of a role, the CDK CLI and the tests, may do everything. So does a role that IAM does not know:
AWS would have refused it earlier.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

from moto.core.responses import BaseResponse
from moto.iam.models import iam_backends
from moto.s3.models import s3_backends

from sandbox.permissions.calls import calls_of, s3_call
from sandbox.permissions.policy import Call, allows, listed, statements_of
from sandbox.permissions.recording import Recorded, Recording
from sandbox.runtime import ACCOUNT_ID
from sandbox.sessions import role_of

_KEY_USES = {"s3:GetObject": "kms:Decrypt", "s3:PutObject": "kms:GenerateDataKey"}


class AccessDeniedError(Exception):
    """A role does what it may not; the text is AWS's.

    Parameters
    ----------
    service : str
        moto's name of the service, which decides how the refusal is written.
    """

    def __init__(self, role_arn: str, call: Call, service: str) -> None:
        role = role_arn.rpartition("/")[2]
        self.service = service
        super().__init__(
            f"User: arn:aws:sts::{ACCOUNT_ID}:assumed-role/{role}/sandbox is not authorized to perform: {call.action} "
            f"on resource: {call.resource} because no identity-based policy allows the {call.action} action"
        )


class Authorizer:
    """Decides and records.

    Parameters
    ----------
    recording : Recording
        Takes every call of a role, allowed or not.
    """

    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    def check(self, role_arn: str, calls: Iterable[Call], service: str) -> None:
        """Record `calls` of a role.

        Raises
        ------
        AccessDeniedError
            The role's policies do not allow one of them.
        """
        statements = _statements(role_arn)
        for call in calls:
            allowed = allows(statements, call)
            self._recording.add(Recorded(role_arn, call, allowed))
            if not allowed:
                raise AccessDeniedError(role_arn, call, service)

    def check_request(self, request: BaseResponse, resource: str) -> None:
        """Check a request to one of moto's services.

        Parameters
        ----------
        resource : str
            What moto says it is about: of S3 the ARN, else nothing of use.
        """
        role_arn = caller(request.headers.get("Authorization"))
        if role_arn is None:
            return
        service = str(request.service_name)
        calls = _s3(request, resource) if service == "s3" else _others(request, service)
        self.check(role_arn, calls, service)


def _others(request: Any, service: str) -> list[Call]:
    operation = str(request._get_action())
    if not request.automated_parameter_parsing:
        request.parse_parameters(request.normalized_request)
    return calls_of(service, operation, request.params, region=request.region, account_id=ACCOUNT_ID)


def _s3(request: Any, resource: str) -> list[Call]:
    bucket, _, key = resource.partition(":::")[2].partition("/")
    if request.is_delete_keys():
        return [s3_call(action, bucket, key) for action, key in _deleted(request.body)]
    calls = [s3_call(str(request._get_action()), bucket, key)]
    if source := request.headers.get("x-amz-copy-source"):
        source_bucket, _, source_key = unquote(source).lstrip("/").partition("?")[0].partition("/")
        calls.append(s3_call("GetObject", source_bucket, source_key))
    return [*calls, *(of_the_key for call in calls for of_the_key in _encryption(call))]


def _deleted(body: str | bytes) -> Iterator[tuple[str, str]]:
    """Yield action and key of everything that a DeleteObjects names."""
    request = ElementTree.fromstring(body)  # noqa: S314 - of this machine's own clients
    for item in request.iterfind("{*}Object"):
        action = "DeleteObject" if item.find("{*}VersionId") is None else "DeleteObjectVersion"
        yield action, item.findtext("{*}Key", "")


def _encryption(call: Call) -> Iterator[Call]:
    """Yield what S3 does with the key of an encrypted bucket in the caller's name.

    References
    ----------
    Amazon S3 User Guide, "Using server-side encryption with AWS KMS keys", "Permissions".
    """
    action = _KEY_USES.get(call.action)
    bucket = s3_backends[ACCOUNT_ID]["aws"].buckets.get(call.resource.partition(":::")[2].partition("/")[0])
    if not action or bucket is None or not bucket.encryption:
        return
    for rule in listed(bucket.encryption["Rule"]):
        if key := rule["ApplyServerSideEncryptionByDefault"].get("KMSMasterKeyID"):
            yield Call(action, key, (("kms:ViaService", f"s3.{bucket.region_name}.amazonaws.com"),))


def caller(authorization: str | None) -> str | None:
    """Return the ARN of the role whose session signed a request; None for whoever may do everything."""
    return role_of(authorization, (role.arn for role in _roles()))


def _roles() -> list[Any]:
    return list(iam_backends[ACCOUNT_ID]["aws"].roles.values())


def _statements(role_arn: str) -> list[dict[str, Any]]:
    """Return the statements of all policies of a role; none of one that was deleted meanwhile."""
    role = next((role for role in _roles() if role.arn == role_arn), None)
    if role is None:
        return []
    versions = [
        version
        for policy in role.managed_policies.values()
        for version in policy.versions
        if version.version_id == policy.default_version_id
    ]
    documents = [*role.policies.values(), *(version.document for version in versions)]
    return [statement for document in documents for statement in _parsed(document)]


@lru_cache(maxsize=256)
def _parsed(document: str) -> tuple[dict[str, Any], ...]:
    return tuple(statements_of(document))
