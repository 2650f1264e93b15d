"""adaptive-v1: every entry can be asked at every level, and its rounds can be audited."""

import pytest

from quasar.benchmarks import FAMILIES
from quasar.config import load_policy
from quasar.draw import derive
from quasar.events import AnswerScored, MixDrawn
from quasar.metrics import METRICS, PROGRAM_METRICS
from quasar.rules.budget import expected
from quasar.rules.forecast import Sizes, forecast, packed_contexts, round_events, taking_part
from quasar.rules.plan import task_of
from quasar.rules.policy import Mix, parse
from tests.builders import World
from tests.drawn_rounds import right, rounds
from tests.forging import report_of

ADAPTIVE = parse(load_policy("adaptive-v1"))
LONG = 512_000
EXACT = ("answer_exact@1",)
"""Metrics that give 0 or 1 and nothing between."""


@pytest.mark.parametrize("entry", ADAPTIVE.mix, ids=lambda e: f"{e.family}-{e.bucket}")
def test_an_entry_can_be_asked_at_every_level(entry: Mix) -> None:
    """It begins at a level that there is, and none of them is too much for its length."""
    family, tokens = FAMILIES[entry.family], ADAPTIVE.bucket(entry.bucket).tokens
    assert entry.level is None or entry.level <= len(family.levels)
    assert (entry.level is None) == (not family.levels)
    assert family.metric in METRICS or family.metric in PROGRAM_METRICS
    assert tokens < LONG or family.metric in EXACT
    for level in range(1, len(family.levels) + 1):
        mix = Mix(family=entry.family, bucket=entry.bucket, tasks=1, level=level)
        task = task_of(0, mix, derive(b"adaptive", f"{level}"), tokens)
        assert task.variant("hotkey").instance.question


def test_long_contexts_have_their_share() -> None:
    """On average a round asks at least one task of more than a million tokens, and eight in all."""
    long = [
        n
        for entry, n in zip(ADAPTIVE.mix, expected(ADAPTIVE), strict=True)
        if ADAPTIVE.bucket(entry.bucket).tokens > 1_000_000
    ]
    assert sum(long) >= 1.0
    assert 6 < sum(expected(ADAPTIVE)) < 16


def test_a_forecast_knows_turns_and_budgets() -> None:
    """Half of the miners are asked in a round, and a year at most is more than a usual one."""
    events = round_events(ADAPTIVE, 9)
    assert (taking_part(ADAPTIVE, 9), events["MixDrawn"]) == (5, 1)
    assert events["TaskAssigned"] == 5 * events["TaskSampled"]
    assert packed_contexts(ADAPTIVE) < packed_contexts(ADAPTIVE, most=True)
    found = forecast(ADAPTIVE, 9, Sizes())
    assert found.typical.upload < found.most.upload


def short() -> bytes:
    """The policy with contexts of some ten thousand tokens, and budgets to match."""
    toml = load_policy("adaptive-v1").decode()
    for big, small in (
        ("32_000\n", "9_000\n"),
        ("124_000\n", "9_500\n"),
        ("512_000\n", "10_000\n"),
        ("1_500_000\n", "10_500\n"),
        ("2_000_000\n", "11_000\n"),
        ("upload_bytes = 30_000_000 ", "upload_bytes = 400_000 "),
    ):
        toml = toml.replace(f"tokens = {big}", f"tokens = {small}").replace(big, small)
    return toml.encode()


def test_its_rounds_are_audited_clean() -> None:
    """All that it turns on at once, with tasks of many families."""
    world = rounds(World(miners=3, policy=short()), 2, right)
    assert report_of(world.lines, world.log.blobs).result == "clean"
    assert len(world.events(MixDrawn)) == 2
    scored = [s.accuracy for s in world.events(AnswerScored)]
    assert scored == [1.0] * len(scored)
