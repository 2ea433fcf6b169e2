"""Preprocessing on two workers, each with its share of the files, against one worker with all of them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from training import synthetic

ROOT = Path(__file__).parents[3]
HOSTS = ["algo-1", "algo-2"]


def _worker(base: Any, host: Any, hosts: Any, sources: Any) -> Any:
    """Start one machine of a Processing job that got these files, as ShardedByS3Key deals them."""
    for name, content in sources.items():
        path = base / "processing" / "input" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    for channel in ("train", "test"):
        (base / "processing" / "input" / channel).mkdir(parents=True, exist_ok=True)
    (base / "config").mkdir()
    (base / "config" / "resourceconfig.json").write_text(json.dumps({"current_host": host, "hosts": hosts}))
    inputs, output = base / "processing" / "input", base / "processing" / "output"
    arguments = ["preprocess", "--train", inputs / "train", "--test", inputs / "test", "--output", output]
    return subprocess.Popen(
        [sys.executable, "-m", "training", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "SAGEMAKER_BASE_DIR": str(base)},
        stderr=subprocess.PIPE,
        text=True,
    )


def _channels(*bases: Any) -> Any:
    """What S3 holds after the machines have uploaded their output: key to content, channels only."""
    output = [base / "processing" / "output" for base in bases]
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for root in output
        for path in root.rglob("part-*")
        if path.is_file()
    }


def test_two_shards_give_the_channels_of_one(tmp_path: Path) -> None:
    sources = {f"train/day-{day}.csv": b"".join(synthetic.lines(4000, seed=f"day {day}")) for day in range(4)}
    sources["test/corrected.csv"] = b"".join(synthetic.lines(3000, seed="test"))  # one file: one machine gets none
    names = list(sources)
    workers = [_worker(tmp_path / "whole", "algo-1", ["algo-1"], sources)]
    for number, host in enumerate(HOSTS):
        share = {name: sources[name] for name in names[number::2]}
        workers.append(_worker(tmp_path / host, host, HOSTS, share))
    for worker in workers:
        _, errors = worker.communicate(timeout=120)
        assert worker.returncode == 0, errors
    whole = _channels(tmp_path / "whole")
    shards = [_channels(tmp_path / host) for host in HOSTS]
    assert not set(shards[0]) & set(shards[1])  # nothing overwrites another machine's upload
    assert all(shards)
    assert shards[0] | shards[1] == whole
    summary = json.loads((tmp_path / "whole/processing/output/summary/summary.json").read_text())
    parts = [
        json.loads((tmp_path / host / f"processing/output/summary/summary-{host}.json").read_text()) for host in HOSTS
    ]
    for channel, counts in summary["channels"].items():
        assert counts["rows"] == sum(part["channels"][channel]["rows"] for part in parts)
