"""Which reader and writer a request's Content-Type and Accept headers ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import orjson

from serving.artifact import Floats
from serving.csv_rows import CsvRows
from serving.errors import RequestError
from serving.json_rows import JsonRows

Reader = Callable[[bytes], Floats]
Writer = Callable[[list[dict[str, Any]]], bytes]

CSV, JSON, JSON_LINES = "text/csv", "application/json", "application/jsonlines"


def write_json(predictions: list[dict[str, Any]]) -> bytes:
    """Return Linear Learner's JSON answer."""
    return orjson.dumps({"predictions": predictions})


def write_json_lines(predictions: list[dict[str, Any]]) -> bytes:
    """Return Linear Learner's JSON Lines answer, one prediction a line."""
    return b"".join([orjson.dumps(prediction, option=orjson.OPT_APPEND_NEWLINE) for prediction in predictions])


WRITERS: dict[str, Writer] = {JSON: write_json, JSON_LINES: write_json_lines}


class Readers:
    """The readers of rows with `n_features` columns, by media type."""

    def __init__(self, n_features: int) -> None:
        csv, json = CsvRows(n_features), JsonRows(n_features)
        self._readers: dict[str, Reader] = {CSV: csv.read, JSON: json.read, JSON_LINES: json.read_lines}

    def choose(self, content_type: str) -> Reader:
        """Return the reader for a Content-Type header; parameters are ignored but for a label, which no row may have.

        Raises
        ------
        RequestError
            415, naming what is taken.
        """
        media_type, parameters = _parse(content_type)
        reader = self._readers.get(media_type)
        if reader is None:
            allowed = ", ".join(self._readers)
            raise RequestError(415, f"Content-Type is {content_type!r}, this model takes {allowed}")
        if parameters.get("label_size", "0") != "0":
            raise RequestError(415, f"Content-Type is {content_type!r}, rows to predict have no label (label_size=0)")
        return reader


def choose_writer(accept: str) -> tuple[str, Writer]:
    """Return media type and writer for an Accept header; an empty one takes JSON.

    Raises
    ------
    RequestError
        406, naming what is offered.
    """
    for wanted in _by_preference(accept or JSON):
        for media_type, writer in WRITERS.items():
            if wanted in {media_type, media_type.split("/")[0] + "/*", "*/*"}:
                return media_type, writer
    raise RequestError(406, f"Accept is {accept!r}, this model answers {', '.join(WRITERS)}")


def _by_preference(accept: str) -> Iterator[str]:
    ranges = [_parse(each) for each in accept.split(",")]
    weighted = [(_weight(parameters.get("q", "1")), media_type) for media_type, parameters in ranges]
    ordered = sorted(weighted, key=lambda each: -each[0])  # stable: the first of equals wins
    return (media_type for weight, media_type in ordered if weight > 0)


def _weight(quality: str) -> float:
    try:
        return float(quality)
    except ValueError:
        return 0.0


def _parse(header: str) -> tuple[str, dict[str, str]]:
    media_type, *rest = (part.strip() for part in header.split(";"))
    pairs = (part.partition("=") for part in rest)
    return media_type.lower(), {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}
