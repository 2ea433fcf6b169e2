"""The templates of an environment, written by the CDK CLI as a deploy would write them."""

from __future__ import annotations

import subprocess
from pathlib import Path

from sandbox.processes import REPOSITORY_ROOT

CDK = str(REPOSITORY_ROOT / "node_modules" / ".bin" / "cdk")


class SynthesisError(Exception):
    """The CDK CLI could not write the templates; the message is what it printed."""


def synthesize(env: str, folder: Path) -> Path:
    """Write the cloud assembly of environment `env` to `folder`, and return that."""
    command = [CDK, "synth", "--quiet", "-c", f"env={env}", "--output", str(folder)]
    done = subprocess.run(command, cwd=REPOSITORY_ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SynthesisError(f"cdk synth failed:\n{done.stdout}{done.stderr}")
    return folder
