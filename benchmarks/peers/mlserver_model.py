"""MLServer: a model with a custom handler, so that it takes the same bodies as the others."""

from mlserver import MLModel
from mlserver.handlers import custom_handler
from starlette.requests import Request
from starlette.responses import Response

from benchmarks.peers.linear import answer


class Linear(MLModel):  # type: ignore[misc] # without type information here
    """The linear model."""

    async def load(self) -> bool:
        """Nothing to do: the module loads it."""
        return True

    @custom_handler(rest_path="/invocations")  # type: ignore[untyped-decorator]
    async def invocations(self, request: Request) -> Response:
        """Predict."""
        content = answer(await request.body(), request.headers["content-type"])
        return Response(content, media_type="application/json")
