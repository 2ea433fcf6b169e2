"""``python -m sandbox.toolkit --framework xgboost``: one instance of a training job, below ``SAGEMAKER_BASE_DIR``."""

from __future__ import annotations

import argparse
import sys
import traceback

from sandbox.toolkit import script, xgboost_algorithm
from sandbox.toolkit.environment import TrainingEnvironment, UserError

FRAMEWORKS = ("scikit-learn", "xgboost")


def main(arguments: list[str]) -> int:
    """Train, and return the exit code; a failure leaves its reason where SageMaker looks for it."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.toolkit")
    parser.add_argument("--framework", choices=FRAMEWORKS, required=True)
    framework = parser.parse_args(arguments).framework
    environment = TrainingEnvironment.read()
    try:
        return _train(framework, environment)
    except UserError as error:
        return _fail(environment, str(error))
    except Exception as error:
        traceback.print_exc()
        return _fail(environment, f"{type(error).__name__}: {error}")


def _train(framework: str, environment: TrainingEnvironment) -> int:
    if environment.program:
        return script.train(environment)
    if framework != "xgboost":
        raise UserError(f"{framework}'s container trains a script only: name it in sagemaker_program")
    xgboost_algorithm.train(environment)
    return 0


def _fail(environment: TrainingEnvironment, reason: str) -> int:
    sys.stderr.write(reason + "\n")
    environment.write_failure(reason)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
