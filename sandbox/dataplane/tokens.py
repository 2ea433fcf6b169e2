"""Verifies the tokens of Cognito user pools: signature, issuer, kind and time.

Methods without scopes take id tokens, of any client of the pool. Scopes, and so access tokens, are not emulated.

References
----------
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-integrate-with-cognito.html
https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, import_key

from sandbox.dataplane.gateway_responses import RejectedError
from serving.http_head import RequestHead

ALGORITHM = "RS256"


class UserPools:
    """The pools whose users may call a method.

    Parameters
    ----------
    arns : Sequence of str
        ARNs of the pools.
    keys : Mapping
        JSON Web Key Set with which pools sign.
    """

    def __init__(self, arns: Sequence[str], keys: Mapping[str, Any]) -> None:
        self._issuers = frozenset(map(_issuer, arns))
        key_set = KeySet([import_key(key) for key in keys["keys"]])

        def claims(token: str) -> dict[str, Any]:
            return dict(jwt.decode(token, key_set, algorithms=[ALGORITHM]).claims)

        self._claims = lru_cache(maxsize=1024)(claims)  # a client sends one token many times

    def verify(self, head: RequestHead, now: float) -> dict[str, Any]:
        """Return the claims of the request's token.

        Raises
        ------
        RejectedError
            UNAUTHORIZED: no token, a forged one, one of another pool, no id token, or one that has expired.
        """
        token = head.headers.get("authorization", "").removeprefix("Bearer ").strip()
        try:
            claims = self._claims(token)
        except (JoseError, ValueError):
            raise RejectedError("UNAUTHORIZED") from None
        if claims.get("iss") not in self._issuers or claims.get("token_use") != "id":
            raise RejectedError("UNAUTHORIZED")
        if claims.get("exp", 0) <= now:
            raise RejectedError("UNAUTHORIZED", "The incoming token has expired")
        return claims


def _issuer(arn: str) -> str:
    """Return who signs the tokens of a pool: ``arn:aws:cognito-idp:<region>:<account>:userpool/<id>``."""
    _, _, _, region, _, resource = arn.split(":", 5)
    return f"https://cognito-idp.{region}.amazonaws.com/{resource.removeprefix('userpool/')}"
