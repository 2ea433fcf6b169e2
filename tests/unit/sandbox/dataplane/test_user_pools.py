"""Methods that users of a Cognito pool may call: only with an id token that the pool has signed, and in time."""

import base64
import json
import time
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.unit.sandbox.dataplane.rest_apis.snapshots import method, snapshot

POOL = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_abc"
ISSUER = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_abc"
KEY = RSAKey.generate_key(2048, {"kid": "pool"})
FORGED = RSAKey.generate_key(2048, {"kid": "pool"})


def token(key: RSAKey = KEY, **claims: Any) -> str:
    told = {"iss": ISSUER, "token_use": "id", "aud": "client", "exp": int(time.time()) + 60, **claims}
    return jwt.encode({"alg": "RS256", "kid": "pool"}, told, key)


def unsigned() -> str:
    """Return a token that says it needs no signature."""
    parts = [json.dumps(each).encode() for each in ({"alg": "none", "kid": "pool"}, {"iss": ISSUER, "token_use": "id"})]
    return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), ""])


@pytest.fixture
def ask(plane: Any, make_server: Any) -> Any:
    plane.route(main=[make_server()])
    guarded = method(authorization="COGNITO_USER_POOLS", user_pools=[POOL])
    keys = {"keys": [KEY.as_dict(private=False)]}
    plane.put("apis/api1/v1", snapshot(guarded, user_pool_keys=keys))

    def post(authorization: str | None) -> tuple[int, bytes]:
        headers = {"Content-Type": "text/csv"} | ({"Authorization": authorization} if authorization else {})
        answer = plane.call("POST", "/restapis/api1/v1/_user_request_/invocations", b"1,2,3", headers)
        return answer.status, answer.body

    return post


def test_users_of_the_pool_are_admitted(ask: Any) -> None:
    assert ask(token())[0] == 200
    assert ask(f"Bearer {token()}")[0] == 200


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "nonsense",
        token(FORGED),
        token(iss=f"{ISSUER}d"),
        token(token_use="access"),
        unsigned(),
    ],
    ids=["no token", "no JWT", "forged", "another pool", "access token", "unsigned"],
)
def test_everybody_else_is_unauthorized(ask: Any, authorization: str | None) -> None:
    assert ask(authorization) == (401, b'{"message":"Unauthorized"}')


def test_an_expired_token_is_told_so(ask: Any) -> None:
    assert ask(token(exp=int(time.time()) - 1)) == (401, b'{"message":"The incoming token has expired"}')
