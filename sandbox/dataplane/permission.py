"""Asks the front whether a role may invoke an endpoint, and keeps a yes for a while, as changes in IAM take time.

A caller is a role's ARN, of an integration, or the access key id of a role's session, of a signed request. Other
callers are the sandbox's own user, who may do everything and is never asked for.
"""

from __future__ import annotations

from time import monotonic

import orjson

from sandbox.dataplane.upstream import Upstream, UpstreamError

KEPT_SECONDS = 60.0


class Permissions:
    """Which caller may invoke which endpoint.

    Parameters
    ----------
    front : Upstream
        The sandbox's front, which knows IAM.
    region : str
        Of the endpoints.
    """

    def __init__(self, front: Upstream, region: str) -> None:
        self._front = front
        self._region = region
        self._allowed_until: dict[tuple[str, str], float] = {}

    async def refusal(self, caller: str, endpoint: str) -> str | None:
        """Return why `caller` may not invoke `endpoint`; None if it may."""
        if self._allowed_until.get((caller, endpoint), 0.0) > monotonic():
            return None
        who = {"role": caller} if caller.startswith("arn:") else {"authorization": f"Credential={caller}/"}
        question = orjson.dumps({**who, "endpoint": endpoint, "region": self._region})
        head = f"POST /_sandbox/permission HTTP/1.1\r\nHost: front\r\nContent-Length: {len(question)}\r\n\r\n"
        try:
            answer = await self._front.exchange(head.encode() + question)
        except UpstreamError as error:
            return f"The sandbox's front does not say who may invoke {endpoint}: {error}"
        refusal: str | None = orjson.loads(answer.body)["refusal"]
        if refusal is None:
            self._allowed_until[caller, endpoint] = monotonic() + KEPT_SECONDS
        return refusal
