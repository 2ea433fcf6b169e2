# ruff: noqa: T201
"""A training container for tests: it does what its hyperparameter ``mode`` says."""

import json
import os
import signal
import sys
import time
from pathlib import Path

base = Path(os.environ["SAGEMAKER_BASE_DIR"])
hyperparameters = json.loads((base / "input/config/hyperparameters.json").read_text())
resources = json.loads((base / "input/config/resourceconfig.json").read_text())
channels = json.loads((base / "input/config/inputdataconfig.json").read_text())
mode = hyperparameters.get("mode", "ok")
files = sorted(str(path.relative_to(base)) for path in (base / "input/data").rglob("*") if path.is_file())

print("hosts", resources["hosts"], "files", files, flush=True)
if mode == "fail":
    (base / "output/failure").write_text("row 3 is broken " + "x" * 2000)
    sys.exit(3)
if mode == "crash":
    raise ValueError("no learning rate")
if mode == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
if mode == "sleep":
    time.sleep(60)
x = float(hyperparameters.get("x", "0.5"))
print(f"score={1 - (x - 0.3) ** 2}")
seen = {"hyperparameters": hyperparameters, "channels": channels, "resources": resources, "files": files}
seen["environment"] = dict(os.environ)
(base / f"model/seen-{resources['current_host']}.json").write_text(json.dumps(seen))
if mode == "output":
    (base / "output/data/curve.csv").write_text("1,2\n")
