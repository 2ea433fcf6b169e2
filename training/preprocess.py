"""Turn raw KDD99 files into the channels train, validation and test of a training job: a SageMaker Processing job.

Channels are RecordIO-protobuf with dense Float32 tensors, or CSV for algorithms that want it, encoded as
`training.schema` says; the test channel, which only our own evaluation reads, is always RecordIO. Training rows are
split and shuffled by their place in their file (`training.shuffle`); test rows keep their order. A source file's rows
are spread over the parts of a channel, so reading parts by name mixes the sources, and the parts of a source are the
same bytes however the sources are shared among machines (``ShardedByS3Key``).

Memory hardly grows with the rows: the process peaks at 104 MiB for the 10 % training file (494,021 rows) and at 119 MiB
for ten times of it, of which Python, NumPy and pyarrow take 56 MiB (Linux, two threads, benchmarks/preprocess.py).
Beside the output, 160 bytes of disk a training row are needed while it runs.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from training import raw, shuffle
from training.channel import CONTENT_TYPES, RECORDIO, Channel
from training.job import JobError, hosts, in_order
from training.schema import FEATURE_DIM

PARTS: Final = 8


def main(arguments: Sequence[str]) -> None:
    """Run the job with command-line arguments; `JobError` says what is wrong with the input."""
    parser = argparse.ArgumentParser(prog="preprocess", description=__doc__.partition("\n")[0])
    parser.add_argument("--train", type=Path, required=True, help="directory of raw training files")
    parser.add_argument("--test", type=Path, required=True, help="directory of raw test files")
    parser.add_argument("--output", type=Path, required=True, help="directory to hold train, validation, test, summary")
    parser.add_argument("--validation-fraction", type=float, default=0.1, help="share of the training rows, 0 to 0.5")
    parser.add_argument("--content-type", choices=CONTENT_TYPES, default=RECORDIO, help="of train and validation")
    options = parser.parse_args(arguments)
    if not 0 < options.validation_fraction <= 0.5:
        raise JobError(f"--validation-fraction: came {options.validation_fraction}; allowed is above 0 and up to 0.5")
    preprocess(options.train, options.test, options.output, options.validation_fraction, options.content_type)


def preprocess(
    train: Path, test: Path, output: Path, validation_fraction: float = 0.1, content_type: str = RECORDIO
) -> dict[str, Any]:
    """Write the channels and ``summary/summary.json``; return the summary.

    Raises
    ------
    JobError
        A directory without files, an empty or broken file, or a broken row.
    """
    host, number_of_hosts = hosts()
    train_files = _files(train, "train", may_be_empty=number_of_hosts > 1)
    test_files = _files(test, "test", may_be_empty=number_of_hosts > 1)
    channels = {name: Channel(output / name, content_type) for name in ("train", "validation")}
    channels["test"] = Channel(output / "test")
    for path, source in test_files:
        for rows in in_order(raw.parse, raw.read_chunks(path, source)):
            channels["test"].append(0, source, rows)
    for path, source in train_files:
        _split_and_shuffle(path, source, channels["train"], channels["validation"], validation_fraction)
    summary = {
        "feature_dim": FEATURE_DIM,
        "sources": {"train": [source for _, source in train_files], "test": [source for _, source in test_files]},
        "channels": {name: channel.summary() for name, channel in channels.items()},
    }
    name = "summary.json" if number_of_hosts == 1 else f"summary-{host}.json"
    (output / "summary").mkdir(exist_ok=True)
    (output / "summary" / name).write_text(json.dumps(summary, indent=2) + "\n")
    return summary


def _files(directory: Path, channel: str, *, may_be_empty: bool) -> list[tuple[Path, str]]:
    """Return files below a directory and their names; with several machines one of them may have got none."""
    paths = sorted(path for path in directory.rglob("*") if path.is_file() and not path.name.startswith("."))
    if not paths and not may_be_empty:
        state = "holds no file" if directory.is_dir() else "does not exist"
        raise JobError(f"--{channel}: {directory} {state}; at least one raw KDD99 file is needed")
    return [(path, path.relative_to(directory).as_posix()) for path in paths]


def _split_and_shuffle(path: Path, source: str, train: Channel, validation: Channel, fraction: float) -> None:
    def group(chunk: raw.Chunk) -> tuple[raw.Rows, shuffle.Counts]:
        return shuffle.group_rows(source, raw.parse(chunk))

    with tempfile.TemporaryFile() as file:
        spill = shuffle.Spill(source, file)
        for rows, counts in in_order(group, raw.read_chunks(path, source)):
            spill.add(rows, counts)
        for rows, keys in in_order(spill.gather, spill.groups(at_least=PARTS)):
            if not len(rows):
                continue
            part = shuffle.group_of(keys[0]) * PARTS // shuffle.GROUPS
            chosen = shuffle.chosen(keys, fraction)
            train.append(part, source, rows[~chosen])
            validation.append(part, source, rows[chosen])
