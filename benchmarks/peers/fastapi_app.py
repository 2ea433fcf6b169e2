"""FastAPI: ``uvicorn benchmarks.peers.fastapi_app:app``."""

from fastapi import FastAPI, Request, Response

from benchmarks.peers.linear import answer

app = FastAPI()


@app.post("/invocations")
async def invocations(request: Request) -> Response:
    """Predict."""
    content = answer(await request.body(), request.headers["content-type"])
    return Response(content, media_type="application/json")
