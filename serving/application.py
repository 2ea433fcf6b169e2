"""SageMaker's container contract: ``GET /ping`` and ``POST /invocations``, over any predictor.

References
----------
https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
"""

from __future__ import annotations

from typing import Final

from serving.errors import RequestError
from serving.http_answer import Answer, refuse
from serving.http_head import RequestHead
from serving.http_server import Handler
from serving.negotiation import Readers, choose_writer
from serving.predictors import Predictor

MAX_BODY_BYTES: Final = 6_291_456  # InvokeEndpoint's limit for a payload


class Application:
    """Serves `predictor`."""

    max_body_bytes = MAX_BODY_BYTES

    def __init__(self, predictor: Predictor) -> None:
        self._predict = predictor.predict
        self._readers = Readers(predictor.n_features)

    def handler(self, head: RequestHead) -> Handler:
        """Return what answers requests with this head."""
        if head.path == "/invocations":
            return self._invocations(head) if head.method == "POST" else _not_allowed(head, "POST")
        if head.path == "/ping":
            return _ping if head.method in {"GET", "HEAD"} else _not_allowed(head, "GET, HEAD")
        return _always(refuse(404, f"{head.path} is not here, there are /ping and /invocations"))

    def _invocations(self, head: RequestHead) -> Handler:
        try:
            read = self._readers.choose(head.headers.get("content-type", ""))
            media_type, write = choose_writer(head.headers.get("accept", ""))
        except RequestError as error:
            return _always(refuse(error.status, str(error)))
        predict, content_type = self._predict, media_type.encode()
        return lambda body: Answer(200, content_type, write(predict(read(body))))


def _always(answer: Answer) -> Handler:
    return lambda _: answer


def _not_allowed(head: RequestHead, allowed: str) -> Handler:
    message = f"{head.path} does not take {head.method}, only {allowed}"
    return _always(refuse(405, message, b"Allow: " + allowed.encode() + b"\r\n"))


_ping = _always(Answer(200, b"application/json", b""))
