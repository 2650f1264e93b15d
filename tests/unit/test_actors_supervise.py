"""Restarts: later each time, not for ever, and never where they cannot help."""

from types import SimpleNamespace

import pytest

from quasar.errors import Damaged, Diverged, LogError
from quasar.supervisor import restart
from quasar.supervisor.restart import RESTARTS, supervise

pytestmark = pytest.mark.anyio


class Clock:
    """Time that passes only while the supervisor pauses, and as the actor says."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    fake = SimpleNamespace(sleep=clock.sleep, current_time=lambda: clock.now)
    monkeypatch.setattr(restart, "anyio", fake)
    return clock


class Failing:
    """An actor that fails so often, each time after so many seconds."""

    name = "failing"

    def __init__(self, clock: Clock, failures: list[Exception], life_s: float = 0.0) -> None:
        self.clock = clock
        self.failures = failures
        self.life_s = life_s
        self.starts = 0

    async def run(self) -> None:
        self.starts += 1
        self.clock.now += self.life_s
        if self.failures:
            raise self.failures.pop(0)


async def test_it_is_restarted_later_each_time(clock: Clock) -> None:
    """Pauses double; an actor that ends by itself is not started again."""
    actor = Failing(clock, [LogError("away")] * 3)
    await supervise(actor)
    assert actor.starts == 4
    assert clock.pauses == pytest.approx([0.2, 0.4, 0.8])


async def test_it_gives_up(clock: Clock) -> None:
    """One failure more than RESTARTS within the window ends the process with that failure."""
    actor = Failing(clock, [LogError("away")] * 99)
    with pytest.raises(LogError):
        await supervise(actor)
    assert actor.starts == RESTARTS + 1


async def test_rare_failures_never_add_up(clock: Clock) -> None:
    """What lies longer back than the window is forgotten."""
    actor = Failing(clock, [LogError("away")] * 50, life_s=restart.WINDOW_S / 2)
    await supervise(actor)
    assert actor.starts == 51
    assert max(clock.pauses) < 1


@pytest.mark.parametrize("failure", [Diverged("round.1", 4), Damaged(4, "gone")])
async def test_what_no_restart_can_mend_ends_at_once(clock: Clock, failure: Exception) -> None:
    """A second try would only write more after a wrong history."""
    actor = Failing(clock, [failure])
    with pytest.raises(type(failure)):
        await supervise(actor)
    assert (actor.starts, clock.pauses) == (1, [])


async def test_damage_inside_a_group_ends_at_once_too(clock: Clock) -> None:
    """Actors run tasks of their own, whose failures come as groups."""
    inner = ExceptionGroup("tasks", [Damaged(4, "gone")])
    actor = Failing(clock, [ExceptionGroup("actor", [LogError("away"), inner])])
    with pytest.raises(Damaged):
        await supervise(actor)
    assert actor.starts == 1
