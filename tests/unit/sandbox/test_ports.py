"""Ports that nobody else takes before a server listens on them."""

import socket
from pathlib import Path

import pytest

from sandbox import ports

GIVEN_TO_CONNECTIONS = Path("/proc/sys/net/ipv4/ip_local_port_range")


def test_ports_are_different_and_can_be_listened_on() -> None:
    found = ports.free_ports(50)
    assert len(set(found)) == 50
    for port in found:
        with socket.create_server(("127.0.0.1", port)):
            pass


def test_port_that_is_taken_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    (free, taken) = sorted(ports.free_ports(2))
    monkeypatch.setattr(ports, "_random", FirstThe(taken, free))
    with socket.create_server(("127.0.0.1", taken)):
        assert ports.free_ports(1) == [free]


class FirstThe:
    """Draws these."""

    def __init__(self, *drawn: int) -> None:
        self._drawn = drawn

    def sample(self, population: range, k: int) -> tuple[int, ...]:
        assert (population, k) == (range(ports.FIRST, ports.LAST + 1), len(population))
        return self._drawn


@pytest.mark.skipif(not GIVEN_TO_CONNECTIONS.exists(), reason="Linux alone says which ports connections get")
def test_no_connection_gets_one_of_them() -> None:
    first = int(GIVEN_TO_CONNECTIONS.read_text().split()[0])
    assert first > ports.LAST
