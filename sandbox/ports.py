"""Loopback ports for servers that will listen in a moment."""

from __future__ import annotations

import random
import socket

# Below 32768 to 60999, from which Linux gives outgoing connections their ports (ip-sysctl, ip_local_port_range): a
# sandbox under load opens hundreds of those, and one of them could take the port before its server is up.
FIRST, LAST = 20_000, 32_767

_random = random.SystemRandom()  # several processes look for ports at once


def free_ports(count: int) -> list[int]:
    """Return so many ports, all different, on which nothing listens."""
    found: list[int] = []
    for port in _random.sample(range(FIRST, LAST + 1), LAST + 1 - FIRST):
        if len(found) == count:
            break
        if _is_free(port):
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
