"""A dry run: the row that would be set, and what stands in its way; nothing is sent."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from quasar.chain import Block
from quasar.cli.dry_run import DryRun, dry_run
from quasar.errors import UsageError
from quasar.events import WeightsComputed
from quasar.log.archive_reader import ArchiveLog
from tests.builders import World
from tests.forging import played, write_archive
from tests.unit.test_audit_chain import LIMITS, ScriptedChain, recorded

HEAD = Block(number=300, hash=World.block_hash(300), timestamp_ms=0, epoch=4)


class Now(ScriptedChain):
    """The scripted chain with parameters that a test may set. Sending raises."""

    limits = LIMITS

    async def head(self) -> Block:
        return HEAD

    async def hyperparameters(self, number: int) -> Any:
        return self.limits


def now() -> Now:
    _, chain = recorded()
    found = Now(**{name: getattr(chain, name) for name in chain.__dataclass_fields__})
    found.neurons[300] = found.neurons[max(found.neurons)]
    return found


def planned(folder: Path, chain: Now) -> DryRun:
    archive = ArchiveLog(write_archive(folder / "a", played(), played().lines))
    return anyio.run(dry_run, archive, chain)


def test_it_shows_the_newest_row(tmp_path: Path) -> None:
    """The row is the log's own, under the uids that it was computed for."""
    run = planned(tmp_path, now())
    newest = played().events(WeightsComputed)[-1]
    assert (run.uid, run.block, run.epoch) == (0, 300, newest.epoch)
    assert {p.uid: p.u16 for p in run.row} == {w.uid: w.u16 for w in newest.weights if w.u16}
    assert run.on_chain
    assert run.obstacles == []


def limited(chain: Now, **changes: Any) -> None:
    chain.limits = msgspec.structs.replace(LIMITS, **changes)


OBSTACLES: list[tuple[Callable[[Now], Any], str]] = [
    (lambda c: limited(c, min_allowed_weights=9), "fewer than the 9"),
    (lambda c: limited(c, max_weights_limit=100), "one weight is more than 100"),
    (lambda c: limited(c, commit_reveal=True), "commits only"),
    (lambda c: limited(c, weights_rate_limit=100), "not before block 329"),
    (lambda c: c.neurons[300].pop(0), "not registered"),
    (lambda c: c.neurons[300].pop(), "is no longer uid 3"),
]


@pytest.mark.parametrize(("change", "reason"), OBSTACLES)
def test_what_stands_in_the_way_is_said(
    tmp_path: Path, change: Callable[[Now], Any], reason: str
) -> None:
    """Each rule of the chain that the row would break now."""
    chain = now()
    change(chain)
    assert any(reason in line for line in planned(tmp_path, chain).obstacles)


def test_an_archive_without_a_row_is_said(tmp_path: Path) -> None:
    """There is nothing to set before the first round is weighed."""
    archive = ArchiveLog(write_archive(tmp_path / "a", played(), played().lines[:5]))
    with pytest.raises(UsageError, match="no row yet"):
        anyio.run(dry_run, archive, now())
