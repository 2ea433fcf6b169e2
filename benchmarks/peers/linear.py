"""The model as a NumPy user writes it: what FastAPI, granian and MLServer serve."""

import os
from pathlib import Path

import numpy as np
import orjson

with np.load(Path(os.environ["BENCH_MODEL"])) as _arrays:
    WEIGHTS, BIAS = _arrays["weights"].astype(np.float64), float(_arrays["bias"])


def answer(body: bytes, content_type: str) -> bytes:
    """Return the predictions for CSV rows or JSON instances as JSON."""
    if content_type == "text/csv":
        rows = np.fromstring(body.replace(b"\n", b","), dtype=np.float64, sep=",").reshape(-1, len(WEIGHTS))
    else:
        rows = np.array([instance["features"] for instance in orjson.loads(body)["instances"]], dtype=np.float64)
    scores = 1.0 / (1.0 + np.exp(-(rows @ WEIGHTS + BIAS)))
    predictions = [{"score": score, "predicted_label": int(score >= 0.5)} for score in scores.tolist()]
    return orjson.dumps({"predictions": predictions})
