"""From an integration's answer to the method's: status by selection pattern, headers by mapping, body by template."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.dataplane.gateway_responses import RejectedError
from sandbox.dataplane.templates import BadTemplateError, Template, TemplateInput
from serving.http_answer import Answer

_TARGET, _SOURCE = "method.response.header.", "integration.response.header."
_JSON = b"application/json"


class IntegrationResponses:
    """The integration responses of one method.

    Parameters
    ----------
    documents : sequence of dict
        ``{"status", "pattern", "templates", "parameters"}``; the one without a pattern is the default.

    Raises
    ------
    BadTemplateError
    """

    def __init__(self, documents: Sequence[Mapping[str, Any]]) -> None:
        self._responses = [_Response(document) for document in documents]
        self._chosen: dict[int, _Response | None] = {}

    def answer(self, answer: Answer, context: Mapping[str, Any]) -> Answer:
        """Return the method's answer; raises RejectedError where no response is configured for the status."""
        if answer.status not in self._chosen:
            self._chosen[answer.status] = self._choose(str(answer.status))
        response = self._chosen[answer.status]
        if response is None:
            raise RejectedError("API_CONFIGURATION_ERROR")
        return response.apply(answer, context)

    def _choose(self, status: str) -> _Response | None:
        matching = (each for each in self._responses if each.pattern and each.pattern.fullmatch(status))
        return next(matching, None) or next((each for each in self._responses if each.pattern is None), None)


class _Response:
    def __init__(self, document: Mapping[str, Any]) -> None:
        self.pattern = re.compile(document["pattern"]) if document["pattern"] else None
        self._status = int(document["status"])
        self._templates = {media.lower(): Template(text or "") for media, text in (document["templates"] or {}).items()}
        self._fixed: list[tuple[str, str]] = []
        self._copied: list[tuple[str, str]] = []
        for target, source in (document["parameters"] or {}).items():
            name = target.removeprefix(_TARGET)
            if source.startswith(_SOURCE):
                self._copied.append((name, source.removeprefix(_SOURCE).lower()))
            elif source.startswith("'"):
                self._fixed.append((name, source[1:-1]))
            else:
                raise BadTemplateError(f"response parameter {target}={source}: only headers and literals are emulated")

    def apply(self, answer: Answer, context: Mapping[str, Any]) -> Answer:
        content_type, lines = _JSON, f"x-amzn-RequestId: {context['requestId']}\r\n".encode()
        for name, value in self._values(answer):
            if name.lower() == "content-type":
                content_type = value
            else:
                lines += b"%b: %b\r\n" % (name.encode("latin-1"), value)
        body = answer.body
        if self._templates:
            template = self._templates.get(answer.content_type.partition(b";")[0].decode("latin-1").lower())
            template = template or self._templates.get("application/json")
            body = template.render(TemplateInput(body, context)) if template else body
        return Answer(self._status, content_type, body, lines)

    def _values(self, answer: Answer) -> list[tuple[str, bytes]]:
        values = [(name, value.encode("latin-1")) for name, value in self._fixed]
        for name, source in self._copied:
            value = answer.content_type if source == "content-type" else _header(answer.headers, source)
            if value is not None:
                values.append((name, value))
        return values


def _header(lines: bytes, name: str) -> bytes | None:
    for line in lines.split(b"\r\n"):
        key, _, value = line.partition(b": ")
        if key.lower() == name.encode("latin-1"):
            return value
    return None
