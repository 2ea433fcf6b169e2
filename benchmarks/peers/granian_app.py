"""granian's own interface: ``granian --interface rsgi benchmarks.peers.granian_app:app``."""

from typing import Any

from benchmarks.peers.linear import answer


async def app(scope: Any, protocol: Any) -> None:
    """Predict."""
    body = await protocol()
    content = answer(body, scope.headers["content-type"])
    protocol.response_bytes(200, [("content-type", "application/json")], content)
