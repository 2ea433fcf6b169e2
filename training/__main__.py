"""Entry of the processing jobs: ``python3 <this package, or a zip of it> preprocess|evaluate|drift ...``."""

from __future__ import annotations

import sys
from importlib import import_module

from training import job

JOBS = ("preprocess", "evaluate", "drift")


def main(arguments: list[str]) -> int:
    """Run the job named first and return the exit code."""
    if not arguments or arguments[0] not in JOBS:
        came = arguments[0] if arguments else "nothing"
        sys.stderr.write(f"job: came {came}; allowed is one of {', '.join(JOBS)}\n")
        return 2
    # Imported when asked for: the jobs do not share their libraries.
    return job.run(lambda: import_module(f"training.{arguments[0]}").main(arguments[1:]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
