"""One load test as the report draws it: a value a minute of what was measured and of what the simulator said."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

Column = Sequence[float | None]
COLUMNS = {
    "users": "users",
    "requests_per_second": "requests / s",
    "p50_ms": "ms",
    "p95_ms": "ms",
    "errors": "failed requests / minute",
    "in_service": "instances",
    "cpu_percent": "CPU of an instance, %",
    "invocations_per_instance": "per minute and instance",
}
"""Columns of a timeline and their units; a run need not have all of them."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One test.

    Parameters
    ----------
    name : str
        Short, unique in its report; also the name of its picture.
    summary : str
        What was run, in one sentence.
    measured, simulated : mapping of str to sequence
        Timelines, see `COLUMNS`; None where a minute has no value. `simulated` is empty where nothing was simulated.
    totals : mapping of str to mapping of str to number or text
        Rows of the table of totals: by row, `measured`, `simulated` and `published` as far as they exist.
    activities : sequence of mapping
        `minute`, `change`, `status`, `cause`, the oldest first.
    statuses : mapping of str to int
        Requests by status code; "0" counts broken connections.
    notes : sequence of str
        What a reader has to know to judge the figures.
    """

    name: str
    summary: str
    measured: Mapping[str, Column]
    simulated: Mapping[str, Column] = field(default_factory=dict)
    totals: Mapping[str, Mapping[str, float | str | None]] = field(default_factory=dict)
    activities: Sequence[Mapping[str, Any]] = ()
    statuses: Mapping[str, int] = field(default_factory=dict)
    notes: Sequence[str] = ()

    def __post_init__(self) -> None:
        problems = [
            f"{kind}: {name} is no column; known: {', '.join(COLUMNS)}"
            for kind, timeline in (("measured", self.measured), ("simulated", self.simulated))
            for name in timeline
            if name not in COLUMNS
        ]
        lengths = {len(column) for column in self.measured.values()}
        if len(lengths) != 1:
            problems.append(f"measured: columns of {sorted(lengths)} minutes; one length is wanted")
        if problems:
            raise ValueError("; ".join(problems))

    @property
    def minutes(self) -> int:
        """Length."""
        return len(next(iter(self.measured.values())))

    def save(self, path: Path) -> None:
        """Write the run as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Run:
        """Read a run that was saved; raises ValueError where it is none."""
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except TypeError as error:
            raise ValueError(f"{path} is no saved run: {error}") from error
