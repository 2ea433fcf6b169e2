"""IAM for the roles of what is deployed: their calls are checked against their policies, and recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.core.authorization import ActionAuthenticatorMixin

from sandbox.permissions.authorizer import AccessDeniedError, Authorizer, caller
from sandbox.permissions.policy import Call
from sandbox.permissions.recording import Recording
from sandbox.runtime import ACCOUNT_ID, Runtime

_authorizers: list[Authorizer] = []


def install(runtime: Runtime) -> None:
    """Take the place of moto's authorization; called once, before the server listens."""
    _authorizers[:] = [Authorizer(Recording(runtime.directory))]
    patched: Any = ActionAuthenticatorMixin
    patched._authenticate_and_authorize_action = _check


def decide(question: Mapping[str, str]) -> dict[str, str | None]:
    """Tell the data plane, which is another process, whether a caller may invoke an endpoint.

    Parameters
    ----------
    question : mapping
        ``endpoint``, and of its caller ``role`` or ``authorization``, the header.

    Returns
    -------
    dict
        ``refusal``: why it may not, or None.
    """
    role_arn = question.get("role") or caller(question.get("authorization"))
    resource = f"arn:aws:sagemaker:{question['region']}:{ACCOUNT_ID}:endpoint/{question['endpoint']}"
    try:
        if role_arn:
            _authorizers[0].check(role_arn, [Call("sagemaker:InvokeEndpoint", resource)], "sagemaker")
    except AccessDeniedError as error:
        return {"refusal": str(error)}
    return {"refusal": None}


def _check(request: Any, iam_request_cls: type, resource: str = "*") -> None:  # noqa: ARG001 - moto's signature
    _authorizers[0].check_request(request, resource)
