"""Assignments of one task to all its miners."""

from collections.abc import Callable
from hashlib import sha256

import pytest

from quasar.benchmarks.planted import PlantedInstance
from quasar.chain.keys import hotkey_from_seed
from quasar.events import TaskAssigned
from quasar.rules.assigning import assigned
from quasar.rules.plan import PlannedTask, task_of
from quasar.rules.policy import Mix, parse
from tests.builders import small_policy

POLICY = parse(small_policy())
MINERS = [(hotkey_from_seed(b"assigning", f"miner/{n}").ss58_address, n) for n in (3, 1, 2)]


def planned(*, anchor: bool) -> PlannedTask:
    mix = Mix(family="latest@1", bucket="32k", tasks=1, anchor=anchor)
    return task_of(0, mix, b"seed", 8_000)


def events(task: PlannedTask, miners: list[tuple[str, int]]) -> list[TaskAssigned]:
    return list(assigned(7, task, miners, POLICY))


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every context that is built."""
    found: list[str] = []
    build: Callable[[PlantedInstance], str] = PlantedInstance.context

    def noted(instance: PlantedInstance) -> str:
        found.append(build(instance))
        return found[-1]

    monkeypatch.setattr(PlantedInstance, "context", noted)
    return found


@pytest.mark.parametrize(("anchor", "times"), [(True, 1), (False, 3)], ids=["anchor", "variants"])
def test_a_shared_text_is_built_once(built: list[str], *, anchor: bool, times: int) -> None:
    """An anchor's once for all miners, another one's for each; equal events and bytes."""
    task = planned(anchor=anchor)
    found = events(task, MINERS)
    assert len(built) == len(set(built)) == times
    assert found == [event for miner in MINERS for event in events(task, [miner])]
    for event in found:
        text = task.variant(event.hotkey).instance.context().encode()
        assert (event.context.sha256, event.context.bytes) == (sha256(text).hexdigest(), len(text))
