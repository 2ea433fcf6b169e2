"""What model servers take of the machine, from /proc (Linux)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pids: Iterable[int]) -> dict[int, float]:
    """Return the CPU time each process has used; without those that ended."""
    found = {}
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        found[pid] = (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND  # utime, stime: proc(5)
    return found


def memory_share(pids: Iterable[int]) -> float:
    """Return the mean share of the machine's memory that a process holds, 0 to 1; 0 without processes."""
    whole = os.sysconf("SC_PHYS_PAGES") * _PAGE_BYTES
    resident = []
    for pid in pids:
        try:
            pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1])
        except OSError:
            continue
        resident.append(pages * _PAGE_BYTES / whole)
    return sum(resident) / len(resident) if resident else 0.0
