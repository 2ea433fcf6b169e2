"""Bodies to arrays and back, as sagemaker-inference's encoder and decoder do."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import numpy.typing as npt

CSV, JSON, NPY, LIBSVM = "text/csv", "application/json", "application/x-npy", "text/libsvm"


class EncodingError(ValueError):
    """A body or a media type the model does not take.

    Parameters
    ----------
    status : int
        The HTTP status to answer with.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def decode(body: bytes, content_type: str) -> npt.NDArray[Any]:
    """Return the rows of a body; raises EncodingError."""
    media_type = content_type.partition(";")[0].strip().lower()
    try:
        if media_type == CSV:
            return np.loadtxt(io.StringIO(body.decode()), delimiter=",", ndmin=2)
        if media_type == JSON:
            content = json.loads(body)
            return np.array(content["instances"] if isinstance(content, dict) else content)
        if media_type == NPY:
            array: npt.NDArray[Any] = np.load(io.BytesIO(body), allow_pickle=False)
            return array
    except (ValueError, KeyError, EOFError) as error:
        raise EncodingError(400, f"the body is no {media_type} of numbers: {error}") from error
    raise EncodingError(415, f"Content-Type is {content_type!r}, this model takes {CSV}, {JSON}, {NPY}")


def encode(prediction: Any, accept: str) -> tuple[bytes, str]:
    """Return a prediction's body and media type; raises EncodingError."""
    media_type = accept.partition(";")[0].partition(",")[0].strip().lower()
    array = np.asarray(prediction)
    if media_type == JSON:
        return json.dumps(array.tolist()).encode(), JSON
    if media_type == CSV:
        rows = array.reshape(len(array), -1) if array.ndim else array.reshape(1, 1)
        return "\n".join(",".join(map(str, row)) for row in rows.tolist()).encode(), CSV
    if media_type == NPY:
        buffer = io.BytesIO()
        np.save(buffer, array)
        return buffer.getvalue(), NPY
    raise EncodingError(406, f"Accept is {accept!r}, this model answers {JSON}, {CSV}, {NPY}")
