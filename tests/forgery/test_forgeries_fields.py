"""Every field of every event: who notices when it alone is another one?"""

from collections.abc import Iterator
from typing import Any

import pytest

from quasar.errors import CannotJudge, UsageError
from quasar.events import CheckpointSigned
from tests.builders import World
from tests.forgery.fields import edits
from tests.forgery.honest import programs, recorded
from tests.forging import Forging, report_of

UNSEEN = {
    "BlockObserved.head": "nobody: how far the chain was ahead",
    "BlockObserved.timestamp_ms": "chain",
    "CheckpointAnchored.block": "chain",
    "CheckpointAnchored.block_hash": "chain",
    "CodeExecuted.driver": "--re-execute",
    "CodeExecuted.image": "--re-execute",
    "CodeExecuted.layers": "--re-execute",
    "CodeExecuted.python": "--re-execute",
    "HyperparametersObserved.commit_reveal": "chain",
    "HyperparametersObserved.max_weights_limit": "chain",
    "HyperparametersObserved.min_allowed_weights": "chain",
    "HyperparametersObserved.tempo": "chain",
    "HyperparametersObserved.weights_rate_limit": "chain",
    "HyperparametersObserved.weights_version": "chain",
    "RunEnded.reason": "nobody: words for people",
    "RunStarted.sandbox": "nobody: the driver's name, once there is one",
    "RunStarted.versions": "nobody: a validator's word for what it ran",
    "WeightsConfirmed.block": "chain",
    "WeightsConfirmed.block_hash": "chain",
    "WeightsIntended.block": "chain",
    "WeightsSubmitted.extrinsic": "chain",
    "WeightsVerified.block": "chain",
}
"""Fields of which a log alone does not tell, where they change by little, and who does."""


def edited(world: World) -> Iterator[tuple[str, int, Any]]:
    """Type and field, place, and the edited event: the first of each."""
    done = set()
    for place, item in enumerate(Forging(world).items):
        if isinstance(item.event, CheckpointSigned):
            continue  # signed anew in any case
        for name, event in edits(item.event, world):
            field = f"{type(item.event).__name__}.{name}"
            if field not in done:
                done.add(field)
                yield field, place, event


def unseen(world: World) -> Iterator[str]:
    """Fields whose edit leaves a log that is clean."""
    for field, place, event in edited(world):
        log = Forging(world)
        log.items[place].event = event
        try:
            report = report_of(log.lines(), world.log.blobs)
        except (CannotJudge, UsageError):
            continue  # unknown to every program, or no value at all
        if report.result == "clean":
            yield field


@pytest.mark.parametrize("world", [recorded, programs], ids=["rounds", "programs"])
def test_all_other_fields_are_bound(world: Any) -> None:
    """A field that becomes checkable leaves the list; one that stops being checked fails here."""
    found = set(unseen(world()))
    assert found <= set(UNSEEN), found - set(UNSEEN)
    if world is recorded:
        assert len(found) > 10
