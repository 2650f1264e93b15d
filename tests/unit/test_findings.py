"""Findings: miners that answer for others, copy wrong answers or remember are named, no others."""

from collections.abc import Callable
from fractions import Fraction
from functools import cache

import anyio
import msgspec
import pytest

from quasar.benchmarks.families.factbook import FactbookInstance
from quasar.events import FindingNoted, RoundScored, WeightsComputed
from quasar.rules.delivery import Delivery
from quasar.rules.scoring import ScoringRule
from tests.builders import EVERY, Play, World, edited
from tests.forging import Forging, few_tasks, first_is, report_of

SECTION = "\n[findings]\nrounds = 2\nlevel = 0.01\ndecoys = 60\n"
Answer = Callable[[World, Delivery], bytes]


def policy(section: str = SECTION) -> bytes:
    """Three tasks a round, of a few thousand tokens."""
    return few_tasks() + section.encode()


def names(world: World) -> list[str]:
    """Hotkeys of the miners, in the order in which they were made."""
    return list(world.miners)


def honest(world: World, d: Delivery) -> bytes:
    """The first knows, the second says nothing that helps, the others always say the same."""
    first, second, *_ = names(world)
    if d.key[2] == first:
        return world.right_answer(*d.key)
    return b"I do not know." if d.key[2] == second else b"ANSWER: 1"


def for_the_first(world: World, d: Delivery) -> bytes:
    """The third answers what is right for the first."""
    first, _, third, *_ = names(world)
    number, task, hotkey = d.key
    return world.right_answer(number, task, first if hotkey == third else hotkey)


def of_the_second(world: World, d: Delivery) -> bytes:
    """The second names another thing out of its own text, and the third says the same."""
    _, second, third, *_ = names(world)
    number, task, hotkey = d.key
    if hotkey in (second, third):
        return b"ANSWER: " + wrong_in_own_text(world, number, task, second)
    return world.right_answer(*d.key)


def wrong_in_own_text(world: World, number: int, task: int, hotkey: str) -> bytes:
    """A name that this miner's context has, and that is not the answer."""
    instance = world.planned(number, task).variant(hotkey).instance
    assert isinstance(instance, FactbookInstance)
    return next(name for name in instance.names if name != instance.answer).encode()


@cache
def played(answer: Answer, section: str = SECTION, rounds: int = 2, miners: int = 4) -> World:
    """Rounds in which everybody answers so, and a row. Not to be changed."""
    world = World(miners=miners, policy=policy(section))

    async def play() -> None:
        for number in range(1, rounds + 1):
            await world.play_round(number, answer)
        await world.block((rounds + 1) * EVERY, epoch=rounds + 1, metagraph=True)
        await world.checkpoint()

    anyio.run(play)
    return world


def noted(world: World) -> list[FindingNoted]:
    """The findings in its log."""
    return world.events(FindingNoted)


def test_honest_miners_are_not_named() -> None:
    """Not even those that always answer alike and wrong."""
    assert noted(played(honest)) == []


def test_an_answer_for_another_is_named() -> None:
    """Who sends what is right for another, and to whom it belongs, with its chance and places."""
    world = played(for_the_first)
    first, _, third, *_ = names(world)
    (found,) = noted(world)
    assert (found.what, found.hotkey, found.other) == ("other-variant", third, first)
    assert (found.round, found.rounds, found.matched, found.of) == (2, 2, 6, 6)
    assert [(a.round, a.task) for a in found.answers] == [(r, t) for r in (1, 2) for t in range(3)]
    assert found.tests == 2 * 4 * 3
    assert found.chance == float(Fraction(1, 63**6))


def test_a_copied_mistake_is_named() -> None:
    """Only the one whose text the mistake cannot come from; not the one that made it."""
    world = played(of_the_second)
    _, second, third, *_ = names(world)
    (found,) = noted(world)
    assert (found.what, found.hotkey, found.other) == ("copied", third, second)
    assert (found.matched, found.of) == (6, 6)
    assert found.chance is not None
    assert found.chance * found.tests < 0.01


def test_findings_come_with_the_last_of_their_rounds() -> None:
    """Right behind its RoundScored; rounds that are fewer wait, and are looked at but once."""
    world = played(for_the_first, rounds=3)
    (found,) = noted(world)
    kinds = [type(e) for e in world.events()]
    assert kinds[kinds.index(FindingNoted) - 1] is RoundScored
    assert found.round == 2
    assert len(noted(played(for_the_first, SECTION.replace("= 2", "= 1"), 2))) == 2


@pytest.mark.parametrize("answer", [for_the_first, of_the_second], ids=["variant", "copied"])
def test_a_finding_changes_no_weight(answer: Answer) -> None:
    """The same answers without the section: the same means and rows, and no finding."""
    with_it, without = played(answer), played(answer, "")
    assert noted(without) == []
    assert with_it.events(RoundScored) == without.events(RoundScored)
    assert with_it.events(WeightsComputed) == without.events(WeightsComputed)


def test_an_audit_recomputes_findings() -> None:
    """It counts them, and names one that was altered."""
    world = played(for_the_first)
    assert (
        "1 finding about miners recomputed, bit for bit"
        in report_of(world.lines, world.log.blobs).proved
    )
    place = next(i for i, e in enumerate(world.events()) if isinstance(e, FindingNoted))
    altered = [*world.lines]
    altered[place] = edited(altered[place], matched=5)
    first = report_of(altered, world.log.blobs).first_divergence
    assert first is not None
    assert (first.type, first.field, first.recorded, first.recomputed) == (
        "FindingNoted",
        "matched",
        "5",
        "6",
    )


def test_a_finding_left_out_is_missed() -> None:
    """The scorer went on, so it must have been decided: the audit names the slot."""
    world = played(for_the_first, rounds=3)
    log = Forging(world)
    (item,) = log.all(FindingNoted)
    log.drop([item])
    first = report_of(log.lines(), world.log.blobs).first_divergence
    assert first is not None
    assert item.event.slot in first.reason


def test_an_invented_finding_is_named() -> None:
    """A validator cannot slander a miner: no rule leads to it."""
    world = played(honest)
    log = Forging(world)
    invented = msgspec.structs.replace(
        noted(played(for_the_first))[0], hotkey=names(world)[0], other=names(world)[1]
    )
    item = log.add(log.all(RoundScored)[-1], invented)
    report = report_of(log.lines(), world.log.blobs)
    first_is(report, log.place(item), "scores", "no rule leads to this decision")


def test_a_restart_finds_the_same() -> None:
    """The rule, fed with the log again, decides what stands in it and nothing more."""
    world = played(of_the_second)
    play = Play(ScoringRule(), world.log.blobs)
    decided = [
        draft.event for seq, line in enumerate(world.lines, 1) for draft in play.step(seq, line)
    ]
    assert [e for e in decided if isinstance(e, FindingNoted)] == noted(world)
