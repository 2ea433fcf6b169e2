"""One method of a deployed REST API: who may call it, how often, with what, and where it goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic, time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from sandbox.dataplane.gateway_responses import GatewayResponses, RejectedError
from sandbox.dataplane.ids import new_id
from sandbox.dataplane.integrations import BadIntegrationError, Integrations
from sandbox.dataplane.json_models import BodyValidator
from sandbox.dataplane.signature import verify
from sandbox.dataplane.throttling import Limits, Quota, TokenBucket
from sandbox.dataplane.tokens import UserPools
from serving.http_answer import Answer
from serving.http_head import RequestHead

if TYPE_CHECKING:
    from serving.http_server import Handler

AUTHORIZATIONS = ("NONE", "AWS_IAM", "COGNITO_USER_POOLS")


@dataclass(frozen=True)
class Call:
    """What a request's head says to a method.

    Parameters
    ----------
    head : RequestHead
    path : str
        What follows the stage.
    path_parameters : dict
    context : dict
        ``$context`` but for what each request has of its own.
    """

    head: RequestHead
    path: str
    path_parameters: Mapping[str, str]
    context: Mapping[str, Any]

    @property
    def media_type(self) -> str:
        """The body's type without parameters; API Gateway takes JSON where none is given."""
        return self.head.headers.get("content-type", "application/json").partition(";")[0].strip().lower()

    @property
    def query_pairs(self) -> list[tuple[str, str]]:
        """The query, decoded."""
        return parse_qsl(self.head.query, keep_blank_values=True)

    def parameter(self, place: str) -> str | None:
        """Return ``header.x``, ``querystring.x`` or ``path.x``, or None where it is not there."""
        kind, _, name = place.partition(".")
        if kind == "header":
            return self.head.headers.get(name.lower())
        return (dict(self.query_pairs) if kind == "querystring" else self.path_parameters).get(name)


@dataclass(frozen=True)
class UsagePlan:
    """A usage plan of the stage, with a bucket and a quota for each of its keys."""

    keys: Mapping[str, tuple[TokenBucket | None, Quota | None]]

    @classmethod
    def compile(cls, document: Mapping[str, Any], limits: Limits, *stage: str) -> UsagePlan:
        """Return the plan of a snapshot."""
        throttle, quota, plan = document["throttle"], document["quota"], document["id"]
        return cls(
            {
                value: (limits.bucket(throttle, plan, key, *stage), limits.quota(quota, plan, key))
                for value, key in document["keys"].items()
            }
        )


class Method:
    """A compiled method.

    Raises
    ------
    BadIntegrationError, BadModelError, BadTemplateError
        What the sandbox does not emulate.
    """

    def __init__(
        self,
        document: Mapping[str, Any],
        snapshot: Mapping[str, Any],
        plans: list[UsagePlan],
        bucket: TokenBucket | None,
        integrations: Integrations,
    ) -> None:
        self.path: str = document["path"]
        self._authorization = document["authorization"]
        if self._authorization not in AUTHORIZATIONS:
            raise BadIntegrationError(
                f"authorization {self._authorization} is not emulated, {' and '.join(AUTHORIZATIONS)} are"
            )
        pools = document["user_pools"]
        self._user_pools = UserPools(pools, snapshot["user_pool_keys"]) if pools else None
        self._secrets: Mapping[str, str] = snapshot["credentials"]
        self._plans = plans if document["api_key_required"] else None
        self._bucket = bucket
        self._required: list[str] = document["required_parameters"]
        self._validator = BodyValidator(document["body_models"], snapshot["models"])
        self._integration = integrations.make(document, snapshot)

    def handler(self, call: Call, gateway: GatewayResponses) -> Handler:
        """Return what answers requests with the call's head."""
        media_type = call.media_type

        async def answer(body: bytes) -> Answer:
            context = {**call.context, "requestId": new_id()}
            try:
                if self._authorization == "AWS_IAM":
                    verify(call.head, body, self._secrets, time())
                elif self._user_pools is not None:
                    context["authorizer"] = {"claims": self._user_pools.verify(call.head, time())}
                self._admit(call)
                self._validator.check(media_type, body)
                return await integrate(body, context)
            except RejectedError as rejected:
                return gateway.answer(rejected, context)

        try:
            integrate = self._integration.prepare(call)
        except RejectedError as unfit:
            integrate = _rejecting(unfit)
        return answer

    def _admit(self, call: Call) -> None:
        if self._plans is not None:
            self._take_key(call.head.headers.get("x-api-key", ""))
        if self._bucket is not None and not self._bucket.take(monotonic()):
            raise RejectedError("THROTTLED")
        missing = [each.partition(".")[2] for each in self._required if not call.parameter(each)]
        if missing:
            names = ", ".join(missing)
            raise RejectedError("BAD_REQUEST_PARAMETERS", f"Missing required request parameters: [{names}]")

    def _take_key(self, value: str) -> None:
        assert self._plans is not None
        plan = next((plan for plan in self._plans if value in plan.keys), None)
        if plan is None:
            raise RejectedError("INVALID_API_KEY")
        bucket, quota = plan.keys[value]
        if bucket is not None and not bucket.take(monotonic()):
            raise RejectedError("THROTTLED")
        if quota is not None and not quota.take(time()):
            raise RejectedError("QUOTA_EXCEEDED")


def _rejecting(rejected: RejectedError) -> Any:
    async def reject(_: bytes, __: Mapping[str, Any]) -> Answer:
        raise rejected

    return reject
