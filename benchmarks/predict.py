"""Lambda functions: import and cold start of each, and the predict function's own time for a record.

Own time is the whole handler's, from the proxy event to the proxy answer, with an endpoint that answers at once: what
is measured is decoding, checking, encoding and answering, not the call's time on the network.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.child import ROOT, alternate, median, versions
from benchmarks.result import Bar, Result, Row

CHILDREN = ROOT / "benchmarks" / "children"
EMPTY = "an interpreter that does nothing"


def measure(runs: int = 5) -> Result:
    """Measure."""
    functions = sorted(path.parent.name for path in Path(ROOT, "lambda").glob("*/handler.py"))
    commands: dict[str, list[str | Path]] = {EMPTY: [sys.executable, CHILDREN / "lambda_import.py", ""]}
    commands |= {name: [sys.executable, CHILDREN / "lambda_import.py", name] for name in functions}
    commands["one record"] = [sys.executable, CHILDREN / "lambda_predict.py"]
    alternate(commands, 1)  # compiles every module
    found = alternate(commands, runs)
    rows = []
    for name in functions:
        value, values = median(found[name], "seconds")
        rows.append(Row(f"{name}: import", value, "s", runs=values))
        value, values = median(found[name], "wall_seconds")
        rows.append(Row(f"{name}: cold start, interpreter and import", value, "s", runs=values))
    value, values = median(found[EMPTY], "wall_seconds")
    rows.append(Row(EMPTY, value, "s", runs=values))
    own, values = median(found["one record"], "seconds")
    rows.append(Row("predict: own time for a record", own * 1e6, "us", runs=[each * 1e6 for each in values]))
    return Result(
        "predict",
        rows,
        [
            Bar.at_most("seconds to import the handler", 0.35, median(found["predict"], "seconds")[0]),
            Bar.at_most("microseconds of own time for a record", 50, own * 1e6),
        ],
        versions("boto3", "aws-lambda-powertools"),
    )
