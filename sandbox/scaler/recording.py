"""A live run on disk: one line for the policies, one for each tick, so that it can be decided again and drawn."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from autoscaling.delays import Delays
from autoscaling.engine import Decision
from autoscaling.policies import VariantScaling
from autoscaling.replay import RecordedTick, decide_anew


@dataclass(frozen=True)
class Recording:
    """The ticks of one variant under one set of policies.

    Parameters
    ----------
    path : Path
        JSON lines.
    scaling : VariantScaling
    delays : Delays
    tick_seconds : float
    started : float
        Time of the first tick, seconds since the epoch in sandbox time.
    ticks : list of RecordedTick
    observed : list of dict
        Of each tick's interval: requests, errors and latencies; for pictures, not for decisions.
    """

    path: Path
    scaling: VariantScaling
    delays: Delays
    tick_seconds: float
    started: float
    ticks: list[RecordedTick] = field(default_factory=list)
    observed: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def begin(
        cls, folder: Path, scaling: VariantScaling, delays: Delays, tick_seconds: float, started: float
    ) -> Recording:
        """Start a recording in `folder`; its file is named by the time it started."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{started:.0f}.jsonl"
        header = {
            "scaling": scaling.model_dump(mode="json"),
            "delays": delays.model_dump(),
            "tick_seconds": tick_seconds,
            "started": started,
        }
        path.write_text(json.dumps(header) + "\n", encoding="utf-8")
        return cls(path, scaling, delays, tick_seconds, started)

    def add(self, seen: RecordedTick, observed: Mapping[str, Any]) -> None:
        """Write one tick."""
        line = json.dumps({**asdict(seen), "observed": observed})
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    @classmethod
    def load(cls, path: Path) -> Recording:
        """Read a recording; a line that is being written is left out."""
        header, *lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        ticks, observed = [], []
        for line in lines:
            if not line.endswith("\n"):
                break
            tick = json.loads(line)
            observed.append(tick.pop("observed"))
            ticks.append(RecordedTick(**{**tick, "due": tuple(tick["due"])}))
        head = json.loads(header)
        return cls(
            path,
            VariantScaling.model_validate(head["scaling"], strict=False),
            Delays.model_validate(head["delays"]),
            head["tick_seconds"],
            head["started"],
            ticks,
            observed,
        )

    def decided_anew(self) -> list[Decision]:
        """Decide at every tick again, as the simulator does."""
        return decide_anew(self.scaling, self.ticks, tick_seconds=self.tick_seconds, delays=self.delays)

    def disagreements(self) -> list[str]:
        """Return where the live decisions are not the simulator's on the recorded metrics; nothing if they are."""
        return [
            f"tick {tick}: live {seen.outcome} -> {seen.desired}, simulated {anew.outcome.value} -> {anew.capacity}"
            for tick, (seen, anew) in enumerate(zip(self.ticks, self.decided_anew(), strict=True))
            if not seen.agrees_with(anew)
        ]
