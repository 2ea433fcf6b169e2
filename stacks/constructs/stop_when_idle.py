"""Stops the notebook instance it runs on once Jupyter has been idle: ``python3 stop_when_idle.py MINUTES``.

Run by cron on the instance; on_start of the lifecycle configuration puts it there. Standard library only.
"""

import json
import ssl
import subprocess
import sys
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

SERVER = "https://localhost:8443/api"
METADATA = Path("/opt/ml/metadata/resource-metadata.json")


def last_activity() -> datetime:
    """Return when Jupyter was last used; now while a kernel is busy."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the instance's own certificate, on its loopback
    found = {}
    for what in ("status", "kernels"):
        with urllib.request.urlopen(f"{SERVER}/{what}", timeout=30, context=context) as answer:  # noqa: S310 - loopback
            found[what] = json.load(answer)
    if any(kernel["execution_state"] == "busy" for kernel in found["kernels"]):
        return datetime.now(UTC)
    times = [found["status"]["last_activity"], *(kernel["last_activity"] for kernel in found["kernels"])]
    return max(datetime.fromisoformat(time.replace("Z", "+00:00")) for time in times)


def main(minutes: int) -> None:
    """Stop the instance when its idle time is over."""
    if datetime.now(UTC) - last_activity() > timedelta(minutes=minutes):
        name = json.loads(METADATA.read_text(encoding="utf-8"))["ResourceName"]
        command = ["aws", "sagemaker", "stop-notebook-instance", "--notebook-instance-name", name]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
