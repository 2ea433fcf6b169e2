"""What `cdk synth` says of settings whose deploy would build an image, where there is nothing to build it with."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FAST = """
[project]
name = "kdd99"
[dataset]
train = "data/missing.gz"
test = "data/missing.gz"
[endpoint]
container = "fast"
"""


def synth(folder: Path, docker: str) -> subprocess.CompletedProcess[str]:
    (folder / "dev.toml").write_text(FAST)
    environment = {"SAGESCALE_CONFIG_DIR": str(folder), "CDK_DOCKER": docker, "CDK_VALIDATION": "false"}
    return subprocess.run(
        [sys.executable, str(ROOT / "app.py")],
        env={**os.environ, **environment, "CDK_CONTEXT_JSON": json.dumps({"env": "dev"})},
        capture_output=True,
        text=True,
        check=False,
    )


def test_synth_without_docker_says_what_is_missing_before_anything_starts(tmp_path: Path) -> None:
    done = synth(tmp_path, docker=str(tmp_path / "nowhere"))
    assert done.returncode == 1
    assert "serve with serving/Dockerfile, and" in done.stderr
    assert "No such file or directory" in done.stderr
    assert 'name another program in CDK_DOCKER, or use endpoint.container = "aws"' in done.stderr
