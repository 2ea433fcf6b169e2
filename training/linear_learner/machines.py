"""The machines of one training job, and sums over all of them.

Every machine trains on rows of its own and takes the same steps, because each step follows the gradient of all rows.
The first machine gathers what the others have, adds in the order of the machines, so that equal jobs give equal models,
and sends the sum back: numbers as they are, over TCP; nothing is unpickled. Where the first machine listens it writes
into the file that ``SAGESCALE_RENDEZVOUS`` names, which the sandbox lets all machines of a job read.

When a machine ends, its connections break: the others fail too, and with them the job.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from training.linear_learner.failure import ClientError

Scalar = TypeVar("Scalar", bound=np.generic)

RENDEZVOUS: Final = "SAGESCALE_RENDEZVOUS"
_LOOPBACK: Final = "127.0.0.1"
_PATIENCE_SECONDS: Final = 600.0  # assumed: what the slowest machine takes to start
_POLL_SECONDS: Final = 0.02
_RANK = np.dtype("<i8")


@dataclass(frozen=True)
class Machines:
    """One machine of a job and its connections to the others; alone, its sums are what it has itself.

    Parameters
    ----------
    rank : int
        Its place among the machines, from 0.
    count : int
        How many machines there are.
    peers : tuple of socket
        Of the first machine, connections to the others in their order; of another, the one to the first.
    """

    rank: int = 0
    count: int = 1
    peers: tuple[socket.socket, ...] = ()

    @property
    def is_first(self) -> bool:
        """Whether this machine speaks for the job: it logs the metrics and writes the model."""
        return self.rank == 0

    def sums(self, *arrays: npt.NDArray[Scalar]) -> tuple[npt.NDArray[Scalar], ...]:
        """Return each array summed over all machines, all of which call this with arrays of the same shapes.

        Raises
        ------
        ConnectionError
            Another machine has ended.
        """
        if self.count == 1:
            return arrays
        own = np.concatenate([np.ravel(array).astype("<f8") for array in arrays])
        try:
            total = self._exchange(own)
        except ConnectionError as error:
            raise ConnectionError("another instance of the job has ended") from error
        parts = np.split(total, np.cumsum([array.size for array in arrays])[:-1])
        pairs = zip(parts, arrays, strict=True)
        return tuple(part.reshape(array.shape).astype(array.dtype) for part, array in pairs)

    def _exchange(self, own: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        if not self.is_first:
            (first,) = self.peers
            first.sendall(own.tobytes())
            return _received(first, own)
        total = own + sum(_received(peer, own) for peer in self.peers)
        for peer in self.peers:
            peer.sendall(total.tobytes())
        return total

    def total(self, number: float) -> float:
        """Return the sum of one number of each machine."""
        (summed,) = self.sums(np.array([number], np.float64))
        return float(summed[0])

    def largest(self, number: int) -> int:
        """Return the largest of one number of each machine."""
        own = np.zeros(self.count)
        own[self.rank] = number
        (every,) = self.sums(own)
        return int(every.max())

    def close(self) -> None:
        """End the connections."""
        for peer in self.peers:
            peer.close()


def connect(hosts: Sequence[str], current: str) -> Machines:
    """Return the machine called `current`, connected to all of `hosts`.

    Raises
    ------
    ClientError
        There are several, and nothing says where they meet, or one did not come.
    """
    if len(hosts) == 1:
        return Machines()
    meeting = os.environ.get(RENDEZVOUS)
    if not meeting:
        raise ClientError(
            f"Invalid job: came {len(hosts)} instances, and {RENDEZVOUS} does not name the file where they meet: set "
            "it, or set instance_count to 1"
        )
    rank = list(hosts).index(current)
    peers = _invite(Path(meeting), len(hosts)) if rank == 0 else [_join(Path(meeting), rank)]
    for peer in peers:
        peer.settimeout(None)  # a machine that ends is noticed, a slow one is waited for
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Machines(rank, len(hosts), tuple(peers))


def _invite(meeting: Path, count: int) -> list[socket.socket]:
    """Wait, as the first machine, for all others."""
    came: dict[int, socket.socket] = {}
    with socket.create_server((_LOOPBACK, 0)) as server:
        server.settimeout(_PATIENCE_SECONDS)
        written = meeting.with_suffix(".part")
        written.write_text(str(server.getsockname()[1]))
        written.replace(meeting)  # whole, or not there
        while len(came) < count - 1:
            try:
                peer, _ = server.accept()
            except TimeoutError:
                absent = count - 1 - len(came)
                raise ClientError(f"{absent} of {count} instances did not come in {_PATIENCE_SECONDS:g} s") from None
            (rank,) = _received(peer, np.zeros(1, _RANK))
            came[int(rank)] = peer
    return [came[rank] for rank in sorted(came)]


def _join(meeting: Path, rank: int) -> socket.socket:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not meeting.exists():
        if time.monotonic() > deadline:
            raise ClientError(f"the first instance did not come in {_PATIENCE_SECONDS:g} s")
        time.sleep(_POLL_SECONDS)
    peer = socket.create_connection((_LOOPBACK, int(meeting.read_text())), timeout=_PATIENCE_SECONDS)
    peer.sendall(np.array([rank], _RANK).tobytes())
    return peer


def _received(peer: socket.socket, like: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
    """Return an array of the size and type of `like` that `peer` sends."""
    buffer = bytearray(like.nbytes)
    view = memoryview(buffer)
    while view:
        if not (count := peer.recv_into(view)):
            raise ConnectionError(f"{len(view)} of {like.nbytes} bytes did not come")
        view = view[count:]
    return np.frombuffer(buffer, like.dtype)
