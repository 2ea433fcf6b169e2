import pytest

from sandbox.clock import BadClockError, SandboxClock


def test_clock_runs_faster_and_never_back() -> None:
    wall = [1000.0]
    clock = SandboxClock(lambda: wall[0])
    wall[0] = 1010.0
    assert clock.now() == 1010.0
    clock.run_at(30)
    wall[0] = 1012.0
    assert clock.now() == 1070.0
    assert clock.wall_seconds_until(1130.0) == pytest.approx(2.0)
    clock.run_at(1)
    wall[0] = 1013.0
    assert clock.now() == 1071.0
    assert clock.wall_seconds_until(1000.0) == 0


def test_clock_that_follows_tells_the_same_time() -> None:
    wall = [1000.0]
    leader, follower = SandboxClock(lambda: wall[0]), SandboxClock(lambda: wall[0])
    wall[0] = 1010.0
    leader.run_at(30)
    follower.follow(leader.describe())
    wall[0] = 1012.0
    assert follower.now() == leader.now() == 1070.0


@pytest.mark.parametrize(
    "document", [None, {}, {"from_wall": 0, "from": 0, "scale": "fast"}, {"from_wall": 0, "from": 0, "scale": 0.5}]
)
def test_description_that_is_no_clock_is_refused(document: object) -> None:
    with pytest.raises(BadClockError):
        SandboxClock().follow(document)
