"""SageMaker's container contract over a script's hooks: ``GET /ping`` and ``POST /invocations``."""

from __future__ import annotations

import logging
from typing import Any

from sandbox.hosting.encodings import JSON, EncodingError
from sandbox.hosting.script import Hooks
from serving.http_answer import Answer, refuse
from serving.http_head import RequestHead
from serving.http_server import Handler

MAX_BODY_BYTES = 6_291_456  # InvokeEndpoint's limit for a payload
log = logging.getLogger(__name__)


class HostedScript:
    """Serves one model through its hooks."""

    max_body_bytes = MAX_BODY_BYTES

    def __init__(self, hooks: Hooks, model: Any) -> None:
        self._hooks = hooks
        self._model = model

    def handler(self, head: RequestHead) -> Handler:
        """Return what answers requests with this head."""
        if head.path == "/ping":
            return lambda _: Answer(200, JSON.encode(), b"")
        if head.path != "/invocations" or head.method != "POST":
            return lambda _: refuse(404, f"there is no {head.method} {head.path}, only POST /invocations and GET /ping")
        content_type = head.headers.get("content-type", JSON)
        accept = head.headers.get("accept", JSON)
        return lambda body: self._invoke(body, content_type, JSON if accept == "*/*" else accept)

    def _invoke(self, body: bytes, content_type: str, accept: str) -> Answer:
        try:
            data = self._hooks.input_fn(body, content_type)
            answer = self._hooks.output_fn(self._hooks.predict_fn(data, self._model), accept)
        except EncodingError as error:
            return refuse(error.status, str(error))
        except Exception as error:  # a script may raise anything; the containers answer 500
            log.exception("the script failed")
            return refuse(500, f"{type(error).__name__}: {error}")
        content, media_type = answer if isinstance(answer, tuple) else (answer, accept)
        return Answer(200, media_type.encode(), content if isinstance(content, bytes) else str(content).encode())
