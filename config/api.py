"""Settings of the REST API in front of the endpoint."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from config.group import Group

SHORTEST_BURST = 100  # requests; keeps a small endpoint's throttle from refusing what comes in one packet


class Firewall(Group):
    """AWS WAF in front of the API: AWS's managed rules, and a limit a client."""

    requests_per_client: Annotated[int, Field(ge=10, le=2_000_000_000)] = 100_000
    """Requests one address may send in five minutes (AWS WAF, rate-based rules)."""


class Domain(Group):
    """A name of your own for the API; point it at the stack's output ApiDomainTarget."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$")]
    certificate_arn: Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate/[a-z0-9-]+$")]
    """Of AWS Certificate Manager, in the API's own region."""


class Api(Group):
    """The REST API in front of the endpoint."""

    auth: Literal["iam", "api_key", "cognito", "none"] = "iam"
    """Who may call: signed requests, holders of the API key, users of a Cognito pool of its own, or anyone."""
    requests_per_second_per_instance: Annotated[float, Field(gt=0)] = 1_200
    """What one instance can answer: measure yours, the default is the article's ml.m4.xlarge."""
    throttle_rate_per_second: Annotated[float, Field(gt=0)] | None = None
    """Steady rate above which API Gateway answers 429; by default what the largest fleet can answer."""
    throttle_burst: Annotated[int, Field(gt=0)] | None = None
    """Requests that may come at once above the steady rate; by default what comes in half a second of it."""
    timeout_ms: Annotated[int, Field(ge=50, le=29_000)] = 29_000
    cors_origin: Annotated[str, Field(pattern=r"^(\*|https?://[^/\s]+)$")] | None = None
    """Whose web pages may call from a browser, such as https://example.org; nobody's by default."""
    firewall: Firewall | None = None
    domain: Domain | None = None
    log_role: bool = True
    """Give API Gateway the role with which it writes logs, one an account and region; false where it has one."""

    def throttle(self, most_instances: int) -> tuple[float, int]:
        """Return rate (requests / second) and burst (requests) for a fleet of at most `most_instances`."""
        rate = self.throttle_rate_per_second or most_instances * self.requests_per_second_per_instance
        return rate, self.throttle_burst or max(SHORTEST_BURST, int(rate / 2))
