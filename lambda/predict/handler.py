"""``POST /predictions``: KDD99 connections as JSON in, labels out.

The body is one record or ``{"records": [...]}``. Records are encoded with the schema the training data was encoded
with, sent to the endpoint as CSV rows, and answered as ``{"predictions": [{"label", "score", "predicted_label"}]}``.

The endpoint is called with botocore's signer and HTTP session alone: a boto3 client would double the cold start (0.2 to
0.3 s to import it and to read its service models) and adds most of a millisecond to every call.

Every refusal is JSON with a ``message``; bad records are 400 with ``errors`` that name index (in a batch), field and
reason. The endpoint's own 424, 429, 500 and 503 are passed on. Requests that succeed are not logged: API Gateway and
Lambda count and time them.

References
----------
Amazon SageMaker Runtime API, InvokeEndpoint: path, statuses, and errors as JSON with a Message.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ConnectionClosedError, ConnectTimeoutError, HTTPClientError, ReadTimeoutError
from botocore.exceptions import ConnectionError as NoConnectionError
from botocore.httpsession import URLLib3Session

from training.answers import read_answer
from training.schema import FEATURES, LABELS, RecordError, encode_csv, shorten

MAX_BYTES: Final = 6_291_456  # of a request to an endpoint: Amazon SageMaker quotas
MAX_ERRORS: Final = 100  # named in one answer
PASSED_ON: Final = frozenset({424, 429, 500, 503})
_JSON_HEADERS: Final = {"Content-Type": "application/json"}
_BODY_RULE: Final = f'one record of {len(FEATURES)} fields, or {{"records": [...]}}'

_TIMEOUT_SECONDS: Final = (2, 25)  # to connect, to answer: API Gateway waits 29 s


class RefusalError(Exception):
    """An answer other than 200.

    Parameters
    ----------
    errors : sequence of mappings
        Part of the answer: what is wrong with which record.
    cause : str
        For the log alone.
    """

    def __init__(
        self, status: int, message: str, *, errors: list[dict[str, Any]] | None = None, cause: str = ""
    ) -> None:
        super().__init__(message)
        self.status = status
        self.content = {"message": message, "errors": errors} if errors else {"message": message}
        self.cause = cause


class Endpoint:
    """One endpoint, called with the credentials of the function's role; connections outlive a request."""

    def __init__(self, name: str) -> None:
        self.name = name
        region = os.environ["AWS_REGION"]
        # What Lambda puts into the environment stays valid as long as the process lives.
        token = os.environ.get("AWS_SESSION_TOKEN")
        credentials = Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"], token)
        self._signer = SigV4Auth(credentials, "sagemaker", region)
        suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        given = os.environ.get("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME") or os.environ.get("AWS_ENDPOINT_URL")
        service = (given or f"https://runtime.sagemaker.{region}.{suffix}").rstrip("/")
        self._url = f"{service}/endpoints/{name}/invocations"
        self._session = URLLib3Session(timeout=_TIMEOUT_SECONDS)

    def invoke(self, rows: bytes) -> tuple[int, bytes]:
        """Return status and body of the answer to CSV rows."""
        headers = {"Content-Type": "text/csv", "Accept": "application/json"}
        request = AWSRequest("POST", self._url, headers=headers, data=rows)
        self._signer.add_auth(request)
        try:
            answer = self._session.send(request.prepare())
        except ConnectionClosedError:  # a kept connection, closed while Lambda had frozen the process
            answer = self._session.send(request.prepare())
        return answer.status_code, answer.content


@cache
def _endpoint() -> Endpoint:
    return Endpoint(os.environ["ENDPOINT_NAME"])


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Answer an API Gateway proxy event."""
    try:
        content = predict(_read_body(event))
        status = 200
    except RefusalError as refusal:
        status, content = refusal.status, refusal.content
        _report(event, context, refusal)
    headers = _JSON_HEADERS
    if origin := os.environ.get("CORS_ORIGIN"):
        headers = {**headers, "Access-Control-Allow-Origin": origin}
    return {"statusCode": status, "headers": headers, "body": json.dumps(content), "isBase64Encoded": False}


def predict(body: bytes) -> dict[str, Any]:
    """Return predictions for a JSON body.

    Raises
    ------
    RefusalError
        400 bad body or records, 413 too large for the endpoint, the endpoint's own status, 502 or 504 without one.
    """
    records, is_batch = _records(body)
    rows = "\n".join(_encode(records, is_batch=is_batch)).encode()
    if len(rows) > MAX_BYTES:
        raise RefusalError(413, f"{len(records)} records take {len(rows)} bytes; allowed are {MAX_BYTES}: send fewer")
    predictions = _ask(rows, len(records))
    return {
        "predictions": [
            {"label": LABELS[label], "score": score, "predicted_label": label} for score, label in predictions
        ]
    }


def _read_body(event: Mapping[str, Any]) -> bytes:
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    media_type = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise RefusalError(415, f"content type: came {shorten(media_type)}; allowed is application/json")
    text = event.get("body") or ""
    if len(text) > 2 * MAX_BYTES:  # base64 takes 4/3
        raise RefusalError(413, f"came a body of {len(text)} bytes; allowed are {MAX_BYTES}")
    try:
        body = base64.b64decode(text, validate=True) if event.get("isBase64Encoded") else text.encode()
    except (binascii.Error, UnicodeError) as error:
        raise RefusalError(400, f"body: not readable ({error})") from error
    if len(body) > MAX_BYTES:
        raise RefusalError(413, f"came a body of {len(body)} bytes; allowed are {MAX_BYTES}")
    return body


def _records(body: bytes) -> tuple[list[Any], bool]:
    """Return the records and whether they came as a batch."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RefusalError(400, f"body: not JSON ({error}); allowed is {_BODY_RULE}") from error
    if not isinstance(content, dict):
        raise RefusalError(400, f"body: came {shorten(content)}; allowed is {_BODY_RULE}")
    if "records" not in content:
        return [content], False
    records = content["records"]
    if not isinstance(records, list) or not records or len(content) > 1:
        raise RefusalError(400, 'body: "records" must stand alone and be a list of at least one record')
    return records, True


def _encode(records: list[Any], *, is_batch: bool) -> list[str]:
    rows, errors = [], []
    for index, record in enumerate(records):
        where = {"index": index} if is_batch else {}
        if not isinstance(record, dict):
            errors.append({**where, "field": "", "reason": f"came {shorten(record)}; allowed is an object"})
            continue
        try:
            rows.append(encode_csv(record))
        except RecordError as error:
            errors += [{**where, "field": problem.field, "reason": problem.reason} for problem in error.problems]
    if errors:
        bad = len(records) - len(rows)
        message = f"{len(errors)} problems in {bad} of {len(records)} records"
        raise RefusalError(400, message, errors=errors[:MAX_ERRORS])
    return rows


def _ask(rows: bytes, count: int) -> list[tuple[float, int]]:
    try:
        status, answer = _endpoint().invoke(rows)
    except (ConnectTimeoutError, ReadTimeoutError) as error:
        raise RefusalError(504, "the endpoint did not answer in time; try again") from error
    except (HTTPClientError, NoConnectionError) as error:
        raise RefusalError(502, "the endpoint cannot be reached; try again") from error
    if status in PASSED_ON:
        raise RefusalError(status, _message(answer))
    if status != 200:
        message = f"the endpoint refused the request with status {status}"
        raise RefusalError(502, message, cause=answer[:1024].decode(errors="replace"))
    try:
        predictions = read_answer(json.loads(answer))
    except ValueError as error:
        raise RefusalError(502, "the endpoint's answer is not that of a classifier", cause=str(error)) from error
    if len(predictions) != count:
        raise RefusalError(502, f"the endpoint answered {len(predictions)} predictions to {count} records")
    return predictions


def _message(answer: bytes) -> str:
    """Return the message of an error of SageMaker Runtime; it carries the model's own words, no stack trace."""
    try:
        content = json.loads(answer)
        message = content.get("Message") or content.get("message")
    except (ValueError, AttributeError):
        message = None
    return message if isinstance(message, str) else "the endpoint failed without a message"


def _report(event: Mapping[str, Any], context: object, refusal: RefusalError) -> None:
    """Log and count a refusal, without the record."""
    # Half of the cold start, and only refusals need it.
    from aws_lambda_powertools import Logger, single_metric  # noqa: PLC0415
    from aws_lambda_powertools.metrics import MetricUnit  # noqa: PLC0415

    by_caller = refusal.status in (400, 413, 415)
    details = {
        "status": refusal.status,
        "reason": str(refusal),
        "cause": refusal.cause,
        "endpoint": os.environ["ENDPOINT_NAME"],
        "api_request_id": (event.get("requestContext") or {}).get("requestId"),
        "function_request_id": getattr(context, "aws_request_id", None),
    }
    logger = Logger()
    (logger.info if by_caller else logger.error)("refused", extra=details)
    name = "RefusedRequests" if by_caller else "FailedRequests"
    with single_metric(name=name, unit=MetricUnit.Count, value=1, namespace="SageScale") as metric:
        metric.add_dimension(name="Endpoint", value=os.environ["ENDPOINT_NAME"])
