"""Preprocessing the 10 % file beside pandas with scikit-learn's ColumnTransformer, and ten times of it alone.

Both read gzip, encode, shuffle, split and write float32. The peer is not run on ten times the rows: it would need some
14 GB of memory.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import kdd99
from benchmarks.child import ROOT, Measurement, alternate, environment, median, versions
from benchmarks.result import Bar, Result, Row

PEER = "pandas + ColumnTransformer"
REQUIREMENTS = ("pandas==3.1.1", "scikit-learn==1.9.1", "numpy==2.4.6")
CHILDREN = ROOT / "benchmarks" / "children"
_UNITS = {"seconds": "s", "cpu_seconds": "s", "peak_mib": "MiB"}


def measure(runs: int = 5) -> Result:
    """Measure and compare."""
    kdd99.check()
    peer = environment(REQUIREMENTS)
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as scratch:
        tenfold = kdd99.repeat(kdd99.TRAIN, 10, Path(scratch, "tenfold.gz"))
        found = alternate(
            {
                "ours": [sys.executable, CHILDREN / "preprocess_sagescale.py", kdd99.TRAIN, scratch],
                PEER: [peer, CHILDREN / "preprocess_pandas.py", kdd99.TRAIN, scratch],
                "ours, 10x": [sys.executable, CHILDREN / "preprocess_sagescale.py", tenfold, scratch],
            },
            runs,
        )
    ours, peers, tenfolds = (_medians(found[name]) for name in ("ours", PEER, "ours, 10x"))
    rows = [
        Row(f"ours: {what}", value, _UNITS[what], PEER, peers[what][0] / value, values)
        for what, (value, values) in ours.items()
    ]
    for name, medians in ((PEER, peers), ("ours, 10x", tenfolds)):
        rows += [Row(f"{name}: {what}", value, _UNITS[what], runs=values) for what, (value, values) in medians.items()]
    bars = [
        Bar.at_least("times faster than the peer", 1.7, peers["seconds"][0] / ours["seconds"][0]),
        Bar.at_least("times less memory", 3, peers["peak_mib"][0] / ours["peak_mib"][0]),
        Bar.at_most("memory at 10x rows / at 1x", 1.3, tenfolds["peak_mib"][0] / ours["peak_mib"][0]),
    ]
    return Result("preprocess", rows, bars, versions("pyarrow", "numpy", beside=REQUIREMENTS))


def _medians(measurements: Sequence[Measurement]) -> dict[str, tuple[float, list[float]]]:
    return {what: median(measurements, what) for what in _UNITS}
