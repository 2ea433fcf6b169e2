"""Compare what clients sent with what the model was trained on, feature by feature: a SageMaker Processing job.

The measure is the population stability index: the sum over bins of ``(a - e) ln(a / e)``, with the share ``e`` of the
training rows and ``a`` of the captured ones. Numbers are cut at the training rows' deciles, symbols are bins of their
own. A bin that is empty in one sample counts half a row there, so it gives no infinity, and less where not even half a
row was to be expected, so rare symbols that did not come are no drift. Without drift the index is about
``(bins - 1) (1 / rows + 1 / training rows)``, so a few hundred captured rows are needed.

References
----------
Siddiqi (2006), Credit Risk Scorecards, on the index and its rule of thumb: 0.1 to 0.25 is some change, more is much.
Yurdakul (2018), Statistical Properties of Population Stability Index, on its mean without drift.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from training import captured, raw
from training.job import JobError, in_order
from training.schema import CATEGORICAL, NUMERIC, OTHER

QUANTILES: Final = np.linspace(0.1, 0.9, 9)
MOST_ROWS: Final = 200_000  # of the training rows: enough for deciles, whatever their number
Numbers = npt.NDArray[np.float32]
Codes = npt.NDArray[np.intp]
Counts = npt.NDArray[np.float64]


def main(arguments: Sequence[str]) -> None:
    """Run the job with command-line arguments."""
    parser = argparse.ArgumentParser(prog="drift", description=__doc__.partition("\n")[0])
    parser.add_argument("--train", type=Path, required=True, help="directory of raw training files")
    parser.add_argument("--captured", type=Path, required=True, help="directory of captured requests")
    parser.add_argument("--output", type=Path, required=True, help="directory to hold drift.json")
    parser.add_argument("--least-rows", type=int, default=500, help="fewer captured rows give no verdict")
    options = parser.parse_args(arguments)
    report = compare(options.train, options.captured, options.least_rows)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "drift.json").write_text(json.dumps(report, indent=2) + "\n")


def compare(train: Path, captured_folder: Path, least_rows: int) -> dict[str, Any]:
    """Return the report: the index of every feature, the largest of them, and whether there were rows enough.

    Raises
    ------
    JobError
        There are no training files.
    """
    found = captured.read(captured_folder)
    numbers, codes = _training_rows(train)
    report: dict[str, Any] = {
        "rows": len(found.rows),
        "unreadable_requests": found.unreadable,
        "training_rows": len(numbers),
        "enough": len(found.rows) >= least_rows,
    }
    if report["enough"]:
        psi = {
            **_of_numbers(numbers, found.rows[:, : len(NUMERIC)]),
            **_of_symbols(codes, _codes_of(found.rows)),
        }
        worst = max(psi, key=lambda name: psi[name])
        report |= {"largest": {"feature": worst, "psi": psi[worst]}, "psi": psi}
    return report


def psi_of(expected: npt.NDArray[np.intp], actual: npt.NDArray[np.intp], bins: int) -> float:
    """Return the index of two samples of bin numbers.

    Parameters
    ----------
    expected, actual : ndarray of shape (n_rows,), 0 to bins - 1
    """
    before, now = (np.bincount(each, minlength=bins).astype(float) for each in (expected, actual))
    seen = (before > 0) | (now > 0)
    before, now = before[seen], now[seen]
    e, a = _shares(before, now), _shares(now, before)
    return float(np.sum((a - e) * np.log(a / e)))


def _shares(counts: Counts, others: Counts) -> Counts:
    """Return the share of each bin; an empty one counts half a row, or fewer where fewer were to be expected."""
    expected = others / others.sum() * counts.sum()
    filled: Counts = np.where(counts > 0, counts, np.minimum(0.5, expected))
    shares: Counts = filled / counts.sum()
    return shares


def _of_numbers(expected: Numbers, actual: Numbers) -> dict[str, float]:
    found = {}
    for column, feature in enumerate(NUMERIC):
        edges = np.unique(np.quantile(expected[:, column], QUANTILES, method="inverted_cdf"))
        before, now = (np.searchsorted(edges, rows[:, column], side="left") for rows in (expected, actual))
        found[feature.name] = psi_of(before, now, bins=len(edges) + 1)
    return found


def _of_symbols(expected: Codes, actual: Codes) -> dict[str, float]:
    return {
        feature.name: psi_of(expected[:, column], actual[:, column], bins=len((*feature.vocabulary, OTHER)))
        for column, feature in enumerate(CATEGORICAL)
    }


def _codes_of(rows: captured.Encoded) -> Codes:
    """Return the symbols' codes of one-hot columns."""
    ends = [*raw.CODE_COLUMNS[1:], rows.shape[1]]
    blocks = [rows[:, start:end].argmax(axis=1) for start, end in zip(raw.CODE_COLUMNS, ends, strict=True)]
    return np.stack(blocks, axis=1)


def _training_rows(folder: Path) -> tuple[Numbers, Codes]:
    """Return numbers and codes of a sample of the training rows, evenly spread over their files."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    if not paths:
        raise JobError(f"--train: {folder} holds no file; at least one raw KDD99 file is needed")
    chunks = (chunk for path in paths for chunk in raw.read_chunks(path, path.name))
    rows = _thinned(in_order(raw.parse, chunks))
    return rows["numbers"], rows["codes"].astype(np.intp)


def _thinned(chunks: Iterable[raw.Rows]) -> raw.Rows:
    """Return every row, or every second, fourth, ... of them where there are more than are needed."""
    kept: list[raw.Rows] = []
    stride = 1
    for rows in chunks:
        kept.append(rows[::stride])
        while sum(map(len, kept)) > MOST_ROWS:
            kept, stride = [np.concatenate(kept)[::2]], 2 * stride
    return np.concatenate(kept)
