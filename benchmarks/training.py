"""Training on the encoded 10 % file beside scikit-learn's linear models, with what each reaches on the test file."""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks import kdd99
from benchmarks.child import ROOT, alternate, environment, median, versions
from benchmarks.preprocess import CHILDREN, REQUIREMENTS
from benchmarks.result import Bar, Result, Row
from training.preprocess import preprocess

LBFGS, SGD = "LogisticRegression (lbfgs)", "SGDClassifier"


def measure(runs: int = 5) -> Result:
    """Measure and compare."""
    kdd99.check()
    peer = environment(REQUIREMENTS)
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as scratch:
        channels = Path(scratch, "channels")
        for name, file in (("train", kdd99.TRAIN), ("test", kdd99.TEST)):
            Path(scratch, name).mkdir()
            Path(scratch, name, file.name).symlink_to(file.resolve())
        preprocess(Path(scratch, "train"), Path(scratch, "test"), channels)
        found = alternate(
            {
                "ours": [sys.executable, CHILDREN / "training_sagescale.py", channels],
                LBFGS: [peer, CHILDREN / "training_sklearn.py", channels, "lbfgs"],
                SGD: [peer, CHILDREN / "training_sklearn.py", channels, "sgd"],
            },
            runs,
        )
    accuracies = {
        name: statistics.median(measurement.facts["accuracy"] for measurement in measurements)
        for name, measurements in found.items()
    }
    seconds = {name: median(measurements, "seconds") for name, measurements in found.items()}
    times_faster = {name: value / seconds["ours"][0] for name, (value, _) in seconds.items()}
    rows = [Row("ours: training", seconds["ours"][0], "s", LBFGS, times_faster[LBFGS], seconds["ours"][1])]
    rows += [Row(f"{name}: training", seconds[name][0], "s", runs=seconds[name][1]) for name in (LBFGS, SGD)]
    rows += [Row(f"{name}: accuracy", value, "of 1") for name, value in accuracies.items()]
    for name, measurements in found.items():
        value, values = median(measurements, "peak_mib")
        rows.append(Row(f"{name}: peak memory", value, "MiB", runs=values))
    return Result(
        "training",
        rows,
        [
            Bar.at_least(f"times faster than {LBFGS}", 5, times_faster[LBFGS]),
            Bar.at_least(f"accuracy minus that of {LBFGS}", -0.002, accuracies["ours"] - accuracies[LBFGS]),
            Bar.at_least(f"accuracy minus that of {SGD}", -0.002, accuracies["ours"] - accuracies[SGD]),
        ],
        versions("numpy", beside=REQUIREMENTS),
    )
