"""Our Linear Learner on encoded channels: scaling and 15 epochs, with the defaults; then the test channel."""

import json
import sys
import time
from pathlib import Path

from training.linear_learner.channels import RECORDIO, read_channel
from training.linear_learner.fitting import fit
from training.linear_learner.hyperparameters import parse
from training.linear_learner.machines import Machines
from training.linear_learner.scaling import Scaler

hyperparameters = parse({"predictor_type": "binary_classifier"})
channels = {name: read_channel(Path(sys.argv[1], name), RECORDIO, hyperparameters) for name in ("train", "validation")}
started = time.perf_counter()
alone = Machines()
scaler = Scaler.of(channels["train"], hyperparameters, alone)
scaled = {name: scaler.apply(channel) for name, channel in channels.items()}
weights = fit(scaled["train"], scaled["validation"], hyperparameters, lambda _epoch, _losses: None, alone)
seconds = time.perf_counter() - started
test = scaler.apply(read_channel(Path(sys.argv[1], "test"), RECORDIO, hyperparameters))
accuracy = float(((weights.sums(test.features)[:, 0] >= 0) == (test.labels > 0)).mean())
print(json.dumps({"seconds": seconds, "accuracy": accuracy, "rows": len(scaled["train"].labels)}))
