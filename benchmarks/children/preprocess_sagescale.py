"""Our preprocessing of one raw file: encoded, shuffled, split and written as RecordIO-protobuf."""

import json
import sys
import tempfile
import time
from pathlib import Path

from training.preprocess import preprocess

with tempfile.TemporaryDirectory(dir=sys.argv[2]) as base:
    for channel in ("train", "test"):
        Path(base, channel).mkdir()
    Path(base, "train", "rows").symlink_to(Path(sys.argv[1]).resolve())
    Path(base, "test", "row").write_text("0,tcp,http,SF" + ",0" * 37 + ",normal.\n")
    started = time.perf_counter()
    summary = preprocess(Path(base, "train"), Path(base, "test"), Path(base, "output"))
    seconds = time.perf_counter() - started
rows = summary["channels"]["train"]["rows"] + summary["channels"]["validation"]["rows"]
print(json.dumps({"seconds": seconds, "rows": rows}))
