"""Training on the encoded 10 % file beside scikit-learn's linear models, with what each reaches on the test file.

Ours also runs on ten times the rows, to see how time and memory grow.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import kdd99
from benchmarks.child import ROOT, Measurement, alternate, environment, median, versions
from benchmarks.preprocess import CHILDREN, REQUIREMENTS
from benchmarks.result import Bar, Result, Row
from training.preprocess import preprocess

OURS, TENFOLD = "ours", "ours, 10x"
LBFGS, SGD = "LogisticRegression (lbfgs)", "SGDClassifier"


def measure(runs: int = 5) -> Result:
    """Measure and compare."""
    kdd99.check()
    peer = environment(REQUIREMENTS)
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as scratch:
        channels = _channels(kdd99.TRAIN, Path(scratch, "once"))
        tenfold = _channels(kdd99.repeat(kdd99.TRAIN, 10, Path(scratch, "rows.gz")), Path(scratch, "tenfold"))
        found = alternate(
            {
                OURS: [sys.executable, CHILDREN / "training_sagescale.py", channels],
                LBFGS: [peer, CHILDREN / "training_sklearn.py", channels, "lbfgs"],
                SGD: [peer, CHILDREN / "training_sklearn.py", channels, "sgd"],
                TENFOLD: [sys.executable, CHILDREN / "training_sagescale.py", tenfold],
            },
            runs,
        )
    return _result(found)


def _channels(rows: Path, scratch: Path) -> Path:
    """Return the channels that our preprocessing makes of `rows` and of the test file."""
    for name, file in (("train", rows), ("test", kdd99.TEST)):
        Path(scratch, name).mkdir(parents=True)
        Path(scratch, name, file.name).symlink_to(file.resolve())
    preprocess(Path(scratch, "train"), Path(scratch, "test"), Path(scratch, "channels"))
    return Path(scratch, "channels")


def _result(found: Mapping[str, Sequence[Measurement]]) -> Result:
    accuracies = {
        name: statistics.median(measurement.facts["accuracy"] for measurement in measurements)
        for name, measurements in found.items()
    }
    seconds = {name: median(measurements, "seconds") for name, measurements in found.items()}
    times_faster = {name: value / seconds[OURS][0] for name, (value, _) in seconds.items()}
    rows = []
    for name, measurements in found.items():
        value, values = seconds[name]
        rows.append(Row(name, value, "s", LBFGS if name == OURS else "", times_faster[LBFGS], values))
        value, values = median(measurements, "peak_mib")
        rows.append(Row(name, value, "MiB", runs=values))
        rows.append(Row(name, accuracies[name], "accuracy"))
    return Result(
        "training",
        rows,
        [
            Bar.at_least(f"times faster than {LBFGS}", 5, times_faster[LBFGS]),
            Bar.at_least(f"accuracy minus that of {LBFGS}", -0.002, accuracies[OURS] - accuracies[LBFGS]),
            Bar.at_least(f"accuracy minus that of {SGD}", -0.002, accuracies[OURS] - accuracies[SGD]),
        ],
        versions("numpy", beside=REQUIREMENTS),
    )
