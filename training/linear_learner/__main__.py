"""Entry of the container: read the job below ``/opt/ml``, train, log metrics, write ``model/model_algo-1``.

References
----------
Layout and failure file: Amazon SageMaker Developer Guide, "How Amazon SageMaker AI provides training information".
``SAGEMAKER_BASE_DIR`` moves ``/opt/ml``. Exit code 2 marks an error the user can mend, as Amazon's algorithms do.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from serving.artifact import LinearModel, write_artifact
from training.job import base_directory
from training.linear_learner import quality
from training.linear_learner.channels import RECORDIO, Channel, read_channel
from training.linear_learner.failure import ClientError
from training.linear_learner.fitting import DIVERGED, Floats, Weights, choose_threshold, fit, scores_of
from training.linear_learner.hyperparameters import Hyperparameters, parse
from training.linear_learner.losses import loss_of
from training.linear_learner.machines import Machines, connect
from training.linear_learner.scaling import Scaler

CHANNELS = ("train", "validation", "test")
FIRST = "algo-1"  # it logs the metrics, and writes the model


def main() -> int:
    """Run the training job and return its exit code."""
    base = base_directory()
    try:
        train(base)
    except ClientError as error:
        return _fail(base, f"ClientError: {error}", exit_code=2)
    except Exception as error:
        traceback.print_exc()
        return _fail(base, f"AlgorithmError: {type(error).__name__}: {error}", exit_code=1)
    return 0


def train(base: Path) -> None:
    """Run the training job below a directory.

    Raises
    ------
    ClientError
        Hyperparameters, channels or data that cannot be trained on.
    """
    hyperparameters = parse(_config(base, "hyperparameters"))
    channels = _read_channels(base, hyperparameters)
    resources = {"current_host": FIRST, "hosts": [FIRST], **_config(base, "resourceconfig")}
    with closing(connect(resources["hosts"], resources["current_host"])) as machines:
        scaler = Scaler.of(channels["train"], hyperparameters, machines)
        scaled = {name: scaler.apply(channel) for name, channel in channels.items()}
        weights = _fit(scaled, hyperparameters, machines)
    if not machines.is_first:
        return
    model = _model(weights, scaler, scaled.get("validation", scaled["train"]), hyperparameters)
    for name, channel in scaled.items():
        sums = weights.sums(channel.features)
        loss = loss_of(hyperparameters)
        metrics = {loss.objective: float(loss.values(sums, channel.labels).mean(dtype=np.float64))}
        metrics |= _metrics(sums, channels[name].labels, scaler, model.threshold, hyperparameters)
        for line in quality.quality_lines(name, metrics, hyperparameters):
            log(line)
    write_artifact(model, base / "model")


def _fit(scaled: dict[str, Channel], hyperparameters: Hyperparameters, machines: Machines) -> Weights:
    rows = len(scaled["train"].labels)
    log(f"#train: {rows} rows of {scaled['train'].features.shape[1]} features, loss {hyperparameters.loss_type}")

    def report(epoch: int, losses: dict[str, float]) -> None:
        if not machines.is_first:
            return
        for name in CHANNELS[:2]:
            if name in losses:
                log(quality.losses_line(epoch, name, losses[name], hyperparameters))
        log(f"#early_stopping_criteria_metric: host={FIRST}, epoch={epoch}, value={losses['watched']!r}")
        log(f"#progress_metric: host={FIRST}, completed {100 * (epoch + 1) / hyperparameters.epochs:.4g} % of epochs")

    started = time.perf_counter()
    weights = fit(scaled["train"], scaled.get("validation"), hyperparameters, report, machines)
    if machines.is_first:
        log(f"#training_seconds: host={FIRST}, value={time.perf_counter() - started:.3f}")
    return weights


def log(line: str) -> None:
    """Print a line as Amazon's algorithms do, for CloudWatch and for the metrics read from it."""
    sys.stdout.write(f"[{time.strftime('%m/%d/%Y %H:%M:%S')} INFO {os.getpid()}] {line}\n")
    sys.stdout.flush()


def _config(base: Path, name: str) -> dict[str, Any]:
    path = base / "input" / "config" / f"{name}.json"
    content = json.loads(path.read_text()) if path.exists() else {}
    return dict(content)


def _read_channels(base: Path, hyperparameters: Hyperparameters) -> dict[str, Channel]:
    described = _config(base, "inputdataconfig")
    problems = [
        f"channel {name!r} is not one of Linear Learner's: {', '.join(CHANNELS)}"
        for name in described
        if name not in CHANNELS
    ]
    problems += [
        f"channel {name!r}: TrainingInputMode came {mode!r}; the local Linear Learner implements File, FastFile"
        for name, channel in described.items()
        if (mode := channel.get("TrainingInputMode", "File")) not in ("File", "FastFile")
    ]
    if "train" not in described:
        problems.append("channel 'train' is missing")
    if problems:
        raise ClientError("Invalid job: " + "; ".join(problems))
    channels = {}
    for name in filter(described.__contains__, CHANNELS):
        content_type = described[name].get("ContentType") or RECORDIO
        channels[name] = read_channel(base / "input" / "data" / name, content_type, hyperparameters)
    widths = {name: channel.features.shape[1] for name, channel in channels.items()}
    if len(set(widths.values())) > 1:
        raise ClientError(f"Channels differ in their number of features: {widths}")
    return channels


def _model(weights: Weights, scaler: Scaler, calibration: Channel, hyperparameters: Hyperparameters) -> LinearModel:
    with np.errstate(over="ignore"):  # looked at in the next line
        folded = Weights(*scaler.fold(weights.weights, weights.bias))
    if not folded.is_finite():
        raise ClientError(f"Training diverged: {DIVERGED}")
    model = LinearModel(
        predictor_type=hyperparameters.predictor_type,
        weights=folded.weights,
        bias=folded.bias,
        loss_type=hyperparameters.loss_type,
    )
    criterion = hyperparameters.binary_classifier_model_selection_criteria
    if hyperparameters.predictor_type != "binary_classifier":
        return model
    if criterion == "loss_function":  # no label is meant: keep the threshold that belongs to the loss
        return model if hyperparameters.loss_type == "logistic" else replace(model, threshold=0.0)
    return replace(model, threshold=choose_threshold(weights, calibration, hyperparameters).threshold)


def _metrics(
    sums: Floats, labels: Floats, scaler: Scaler, threshold: float, hyperparameters: Hyperparameters
) -> dict[str, float]:
    """Return the predictor type's metrics of a channel from its sums and its labels as they came."""
    if hyperparameters.predictor_type == "binary_classifier":
        scores = scores_of(sums, hyperparameters.loss_type)
        return quality.binary_metrics(scores, labels > 0, threshold, hyperparameters)
    if hyperparameters.predictor_type == "multiclass_classifier":
        return quality.multiclass_metrics(sums, labels, hyperparameters)
    return quality.regression_metrics(sums[:, 0] * scaler.label_scale + scaler.label_mean, labels)


def _fail(base: Path, message: str, *, exit_code: int) -> int:
    sys.stderr.write(message + "\n")
    directory = base / "output"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "failure").write_text(message)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
