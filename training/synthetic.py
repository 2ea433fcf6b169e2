"""Made-up connections in the format of KDD99, for machines that cannot get the real ones.

A handful of kinds of connection, each with typical services, flags and ranges, in about KDD99's proportions; one row
in a hundred carries the label of the other class, so that no model is perfect. Nothing here is measured traffic: a
model trained on it shows that the project works, not how well it detects intrusions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from training.schema import FEATURES

MISLABELLED: Final = 0.01
_BLOCK_ROWS = 10_000
Ranges = dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Kind:
    """One kind of connection.

    Parameters
    ----------
    label : str
    share : float
        Of all rows.
    protocol : str
    services, flags : str
        Separated by spaces, equally likely.
    ranges : dict
        Feature to (lowest, highest), uniform; whole numbers but for rates. Features not named are 0.
    """

    label: str
    share: float
    protocol: str
    services: str
    flags: str
    ranges: Ranges = field(default_factory=dict)


_BUSY: Ranges = {"count": (400, 511), "srv_count": (400, 511), "dst_host_count": (250, 255)}
_CALM: Ranges = {"count": (1, 30), "srv_count": (1, 30), "dst_host_count": (10, 255), "dst_host_srv_count": (50, 255)}
_SAME: Ranges = {"same_srv_rate": (0.9, 1), "dst_host_same_srv_rate": (0.7, 1)}
_REFUSED: Ranges = {"rerror_rate": (0.8, 1), "srv_rerror_rate": (0.8, 1), "dst_host_rerror_rate": (0.6, 1)}
_UNANSWERED: Ranges = {"serror_rate": (0.9, 1), "srv_serror_rate": (0.9, 1), "dst_host_serror_rate": (0.9, 1)}
_PAGE: Ranges = {"src_bytes": (150, 400), "dst_bytes": (300, 12_000), "logged_in": (1, 1)}
_LONG_PAGE: Ranges = {"src_bytes": (40_000, 55_000), "dst_bytes": (300, 12_000), "logged_in": (1, 1), "hot": (2, 2)}
_MAIL: Ranges = {"duration": (0, 5), "src_bytes": (500, 3000), "dst_bytes": (300, 400), "logged_in": (1, 1)}
_QUERY: Ranges = {"src_bytes": (30, 50), "dst_bytes": (40, 150)}
_SESSION: Ranges = {"duration": (1, 3000), "src_bytes": (100, 5000), "dst_bytes": (200, 9000), "logged_in": (0, 1)}
_GUESSES: Ranges = {"num_failed_logins": (1, 5), "src_bytes": (100, 140), "dst_bytes": (150, 220), "hot": (0, 2)}
_FLOOD: Ranges = {"src_bytes": (500, 1100), "dst_host_same_src_port_rate": (0.9, 1)}
_PROBES: Ranges = {"count": (80, 400), "diff_srv_rate": (0.3, 1), "dst_host_diff_srv_rate": (0.3, 1)}

KINDS: Final = (
    Kind("normal.", 0.13, "tcp", "http", "SF SF SF REJ", _PAGE | _CALM | _SAME),
    Kind("normal.", 0.03, "tcp", "smtp ftp_data", "SF", _MAIL | _CALM | _SAME),
    Kind("normal.", 0.03, "udp", "domain_u private ntp_u", "SF", _QUERY | _CALM | _SAME),
    Kind("normal.", 0.01, "tcp", "ftp telnet pop_3", "SF S1 RSTO", _SESSION | _CALM),
    Kind("smurf.", 0.52, "icmp", "ecr_i", "SF", _FLOOD | _BUSY | _SAME),
    Kind("neptune.", 0.20, "tcp", "private telnet http ftp uucp", "S0", _UNANSWERED | _PROBES),
    Kind("satan.", 0.04, "tcp", "private other finger", "REJ RSTR S0", _REFUSED | _PROBES),
    Kind("back.", 0.03, "tcp", "http", "SF RSTR", _LONG_PAGE | _CALM),
    Kind("guess_passwd.", 0.01, "tcp", "pop_3 telnet", "SF RSTO", _GUESSES | _CALM),
)


def lines(rows: int, seed: str) -> Iterator[bytes]:
    """Yield blocks of rows as they stand in a KDD99 file; equal arguments give equal rows."""
    random = np.random.default_rng(int.from_bytes(sha256(seed.encode()).digest()[:8], "little"))
    for start in range(0, rows, _BLOCK_ROWS):
        yield _block(min(_BLOCK_ROWS, rows - start), random)


def _block(rows: int, random: np.random.Generator) -> bytes:
    shares = np.array([kind.share for kind in KINDS])
    kinds = random.choice(len(KINDS), rows, p=shares / shares.sum())
    columns = [_column(feature.name, kinds, random) for feature in FEATURES]
    labels = np.array([kind.label for kind in KINDS])[kinds]
    other = np.where(labels == "normal.", "neptune.", "normal.")
    labels = np.where(random.random(rows) < MISLABELLED, other, labels)
    return "".join(",".join(row) + "\n" for row in zip(*columns, labels.tolist(), strict=True)).encode()


def _column(name: str, kinds: npt.NDArray[np.int64], random: np.random.Generator) -> list[str]:
    if name == "protocol_type":
        return [KINDS[kind].protocol for kind in kinds.tolist()]
    if name in ("service", "flag"):
        choices = [(kind.services if name == "service" else kind.flags).split() for kind in KINDS]
        draws: list[Any] = random.random(len(kinds)).tolist()
        return [choices[kind][int(draw * len(choices[kind]))] for kind, draw in zip(kinds.tolist(), draws, strict=True)]
    lowest, highest = np.array([kind.ranges.get(name, (0, 0)) for kind in KINDS])[kinds].T
    values = lowest + random.random(len(kinds)) * (highest - lowest)
    return [f"{value:.2f}" if name.endswith("_rate") else f"{value:.0f}" for value in values.tolist()]
