"""A shuffle of more rows than memory holds: the same order on every machine, decided by where a row stands.

Each row gets a 64-bit key mixed from its file's name and its position. Rows are spilled to one temporary file, chunk by
chunk, grouped by the key's upper nine bits; then every group is gathered and sorted by the key, small ones together
with their neighbours. Memory holds one chunk and one of 512 groups. Because a key depends on nothing but the row's
place, several machines that each see some of the files write exactly the files that one machine would write.

References
----------
SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import sha256
from typing import IO, Final

import numpy as np
import numpy.typing as npt

from training.raw import ROW, Rows

Keys = npt.NDArray[np.uint64]
Counts = npt.NDArray[np.uint32]

GROUPS: Final = 512
_GATHERED_ROWS: Final = 4096  # to gather and to write fewer at a time costs as much
_GROUP_SHIFT = np.uint64(55)
_LOW_BITS = np.uint64(0xFFFF_FFFF)


def keys_of(source: str, positions: npt.NDArray[np.uint32]) -> Keys:
    """Return the key of every row of a file: uniformly spread, the same on every machine."""
    start = np.uint64(int.from_bytes(sha256(source.encode()).digest()[:8], "little"))
    keys = start + positions.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(keys ^ (keys >> np.uint64(31)))


def group_of(key: np.uint64) -> int:
    """Return the group of a key, from 0 to 511."""
    return int(key >> _GROUP_SHIFT)


def chosen(keys: Keys, fraction: float) -> npt.NDArray[np.bool_]:
    """Tell which rows belong to a random part of this size; independent of the order, which uses the upper bits."""
    return np.asarray((keys & _LOW_BITS) < np.uint64(round(fraction * 2**32)))


def _take(rows: Rows, order: npt.NDArray[np.intp]) -> Rows:
    words = rows.view(np.uint32).reshape(len(rows), ROW.itemsize // 4)  # far faster to move than structures
    return words.take(order, axis=0).view(ROW).reshape(len(rows))


def group_rows(source: str, rows: Rows) -> tuple[Rows, Counts]:
    """Return the rows of a chunk ordered by group, and the number of rows of each group, shape (GROUPS,)."""
    groups = (keys_of(source, rows["position"]) >> _GROUP_SHIFT).astype(np.uint16)
    order = np.argsort(groups, kind="stable")  # a radix sort: few bits
    return _take(rows, order), np.bincount(groups, minlength=GROUPS).astype(np.uint32)


class Spill:
    """Rows of one file on disk, to be read back in the shuffled order.

    Parameters
    ----------
    source : str
        The file's name, part of every row's key.
    file : binary file
        Empty; gets 160 bytes a row.
    """

    def __init__(self, source: str, file: IO[bytes]) -> None:
        self._source = source
        self._file = file
        self._counts: list[Counts] = []

    def add(self, rows: Rows, counts: Counts) -> None:
        """Append a chunk as `group_rows` returned it."""
        self._file.write(rows.data)
        self._counts.append(counts)

    def groups(self, at_least: int) -> Iterator[list[tuple[int, int]]]:
        """Yield for every group where its pieces stand: offset and number of rows, one a chunk.

        Parameters
        ----------
        at_least : int
            A power of two: neighbours that are small come as one group, down to so many groups.
        """
        self._file.flush()
        counts = np.array(self._counts).reshape(-1, GROUPS)
        offsets = counts.cumsum(dtype=np.int64).reshape(counts.shape) - counts
        together = 1
        while 2 * together * at_least <= GROUPS and 2 * together * counts.sum() <= _GATHERED_ROWS * GROUPS:
            together *= 2
        for first in range(0, GROUPS, together):
            sizes = counts[:, first : first + together].sum(axis=1)
            yield list(zip(offsets[:, first].tolist(), sizes.tolist(), strict=True))

    def gather(self, pieces: list[tuple[int, int]]) -> tuple[Rows, Keys]:
        """Return the rows of a group in shuffled order, and their keys."""
        rows = np.empty(sum(count for _, count in pieces), ROW)
        memory, filled = rows.view(np.uint8), 0
        for offset, count in pieces:
            end = filled + count * ROW.itemsize
            os.preadv(self._file.fileno(), [memory[filled:end].data], offset * ROW.itemsize)
            filled = end
        keys = keys_of(self._source, rows["position"])
        order = np.argsort(keys)
        return _take(rows, order), keys[order]
