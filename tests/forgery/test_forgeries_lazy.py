"""Lazy edits: one field of one event, signed again; the first event that does not fit is named."""

import pytest

from tests.forgery.honest import recorded
from tests.forgery.lazy import LAZY, Lazy
from tests.forging import Forging, report_of


@pytest.mark.parametrize("lazy", LAZY, ids=[f"{i:02} {z.name}" for i, z in enumerate(LAZY, 1)])
def test_a_lazy_edit_is_named(lazy: Lazy) -> None:
    """By its sequence number, or by that of the first decision that no longer follows."""
    log = Forging(recorded())
    named = lazy.forge(log)
    first = report_of(log.lines(), log.world.log.blobs).first_divergence
    assert first is not None
    assert (first.seq, first.level) == (log.place(named), lazy.level), first


def test_there_are_forty_and_more() -> None:
    """Over as many types and fields as there are."""
    assert len(LAZY) >= 40
    assert len({lazy.kind for lazy in LAZY}) >= 20
