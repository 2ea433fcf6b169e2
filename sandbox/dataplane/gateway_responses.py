"""What API Gateway itself answers when a request does not reach its integration, or the integration fails.

References
----------
https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from sandbox.dataplane.templates import BadTemplateError, Template, TemplateInput
from serving.http_answer import Answer

_DEFAULT_TEMPLATE = '{"message":$context.error.messageString}'
# Status, message and x-amzn-ErrorType by gateway response type.
_DEFAULTS = {
    "ACCESS_DENIED": (403, "User is not authorized to access this resource", "AccessDeniedException"),
    "API_CONFIGURATION_ERROR": (500, "Internal server error", "InternalServerErrorException"),
    "BAD_REQUEST_BODY": (400, "Invalid request body", "BadRequestException"),
    "BAD_REQUEST_PARAMETERS": (400, "Missing required request parameters", "BadRequestException"),
    "INTEGRATION_FAILURE": (502, "Internal server error", "InternalServerErrorException"),
    "INTEGRATION_TIMEOUT": (504, "Endpoint request timed out", "InternalServerErrorException"),
    "INVALID_API_KEY": (403, "Forbidden", "ForbiddenException"),
    "INVALID_SIGNATURE": (403, "The request signature does not match", "InvalidSignatureException"),
    "MISSING_AUTHENTICATION_TOKEN": (403, "Missing Authentication Token", "MissingAuthenticationTokenException"),
    "QUOTA_EXCEEDED": (429, "Limit Exceeded", "LimitExceededException"),
    "THROTTLED": (429, "Too Many Requests", "TooManyRequestsException"),
    "UNAUTHORIZED": (401, "Unauthorized", "UnauthorizedException"),
    "UNSUPPORTED_MEDIA_TYPE": (415, "Unsupported Media Type", "UnsupportedMediaTypeException"),
}


class RejectedError(Exception):
    """A request that API Gateway answers itself.

    Parameters
    ----------
    kind : str
        A gateway response type.
    message : str, optional
        Instead of the type's usual one.
    details : str
        ``$context.error.validationErrorString``.
    """

    def __init__(self, kind: str, message: str | None = None, details: str = "") -> None:
        super().__init__(kind)
        self.kind = kind
        self.message = message or _DEFAULTS[kind][1]
        self.details = details


class GatewayResponses:
    """An API's gateway responses, its own and the usual ones.

    Parameters
    ----------
    custom : dict
        By type: ``{"status": str | None, "templates": {media type: template}, "parameters": {...}}``.

    Raises
    ------
    BadTemplateError
        A template that the sandbox does not evaluate.
    """

    def __init__(self, custom: Mapping[str, Any]) -> None:
        self._custom = {kind: _Custom(kind, document) for kind, document in custom.items()}

    def answer(self, rejected: RejectedError, context: dict[str, Any]) -> Answer:
        """Return the answer to a rejected request; `context` is ``$context`` but for its ``error``."""
        status, _, error_type = _DEFAULTS[rejected.kind]
        custom = self._custom.get(rejected.kind) or self._custom.get("DEFAULT_4XX" if status < 500 else "DEFAULT_5XX")
        headers = f"x-amzn-RequestId: {context['requestId']}\r\nx-amzn-ErrorType: {error_type}\r\n"
        if custom is None:
            return Answer(status, b"application/json", orjson.dumps({"message": rejected.message}), headers.encode())
        error = {
            "message": rejected.message,
            "messageString": orjson.dumps(rejected.message).decode(),
            "responseType": rejected.kind,
            "validationErrorString": rejected.details,
        }
        body = custom.template.render(TemplateInput(context={**context, "error": error}))
        lines = "".join(f"{name}: {value}\r\n" for name, value in custom.headers.items())
        content_type = custom.content_type.encode("latin-1")
        return Answer(custom.status or status, content_type, body, (headers + lines).encode("latin-1"))


class _Custom:
    def __init__(self, kind: str, document: Mapping[str, Any]) -> None:
        self.status = int(document["status"]) if document.get("status") else None
        templates = document.get("templates") or {"application/json": _DEFAULT_TEMPLATE}
        self.content_type, text = next(iter(templates.items()))
        self.template = Template(text)
        self.headers: dict[str, str] = {}
        for name, value in (document.get("parameters") or {}).items():
            if not (value.startswith("'") and value.endswith("'") and name.startswith("gatewayresponse.header.")):
                raise BadTemplateError(
                    f"gateway response {kind}: {name}={value}, only quoted header values are emulated"
                )
            self.headers[name.removeprefix("gatewayresponse.header.")] = value[1:-1]
