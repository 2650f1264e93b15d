"""Rounds whose mix is drawn: budgets, anchors, turns; all made anew by an audit."""

from functools import cache
from itertools import pairwise

import anyio
import msgspec
import pytest

from quasar.draw import derive
from quasar.errors import UsageError
from quasar.events import (
    AnswerScored,
    MixDrawn,
    RoundOpened,
    TaskAssigned,
    TaskSampled,
)
from quasar.events.envelope import decode
from quasar.replay.why import why
from quasar.rules.budget import budget_of, cost_of, draw_entries, example, expected
from quasar.rules.difficulty import DifficultyState
from quasar.rules.mixing import drawn, played
from quasar.rules.plan import plan_task
from quasar.rules.policy import MAX_DRAWN, Policy, parse
from tests.builders import World, edited, small_policy
from tests.drawn_rounds import (
    BEACON,
    SAMPLING,
    drawn_policy,
    ladder,
    mix_of,
    right,
    rounds,
)
from tests.forging import report_of

ANCHORS = "\n[sampling]\nanchors = 0.34\n"


@cache
def world() -> World:
    """Four rounds of five miners who know everything. Not to be changed."""
    return rounds(World(miners=5, policy=drawn_policy()), 4, right)


def test_an_audit_draws_the_same_mix() -> None:
    """Every decision of drawn rounds is recomputed, the mix among them."""
    report = report_of(world().lines, world().log.blobs)
    assert (report.result, report.first_divergence) == ("clean", None)
    assert len(world().events(MixDrawn)) == 4


@pytest.mark.parametrize("change", ["anchor", "entry", "tickets", "level"])
def test_another_mix_is_a_divergence(change: str) -> None:
    """A mix that the seed did not draw is named, whatever of it was changed."""
    lines, mix = world().lines, mix_of(world(), 2)
    seq = next(i for i, line in enumerate(lines) if decode(line).event == mix)
    task, entry = mix.tasks[0], mix.entries[0]
    changes = {
        "anchor": {"tasks": [_with(task, anchor=not task.anchor), *mix.tasks[1:]]},
        "entry": {"tasks": [_with(task, entry=(task.entry + 1) % 5), *mix.tasks[1:]]},
        "tickets": {"entries": [_with(entry, tickets=entry.tickets + 1), *mix.entries[1:]]},
        "level": {"entries": [_with(entry, level=2), *mix.entries[1:]]},
    }
    lines[seq] = edited(lines[seq], **changes[change])
    found = report_of(lines, world().log.blobs).first_divergence
    assert found is not None
    assert found.seq == seq + 1


def _with(part: msgspec.Struct, **changes: object) -> msgspec.Struct:
    return msgspec.structs.replace(part, **changes)


def test_every_prefix_is_clean() -> None:
    """A log that ends anywhere in a drawn round, its secret unknown or not, is no divergence."""
    short = rounds(World(miners=2, policy=drawn_policy()), 2)
    for size in range(1, len(short.lines) + 1, 3):
        report = report_of(short.lines[:size], short.log.blobs)
        assert report.first_divergence is None, size


def test_assignments_are_counted_without_gaps() -> None:
    """n is dense per hotkey, however many tasks a round has and whoever takes part."""
    for hotkey in world().miners:
        counted = [a.n for a in world().events(TaskAssigned) if a.hotkey == hotkey]
        assert counted == list(range(1, len(counted) + 1))


def test_tasks_are_those_of_the_mix() -> None:
    """TaskSampled follows the mix, in its order."""
    for mix in world().events(MixDrawn):
        sampled = [s for s in world().events(TaskSampled) if s.round == mix.round]
        entries = [mix.entries[task.entry] for task in mix.tasks]
        assert [(s.family, s.bucket) for s in sampled] == [(e.family, e.bucket) for e in entries]


def test_an_anchor_is_the_same_for_all() -> None:
    """All miners get an anchor's one variant; of any other task each gets its own."""
    asked: dict[tuple[int, int], set[str]] = {}
    for a in world().events(TaskAssigned):
        asked.setdefault((a.round, a.task), set()).add(a.context.sha256)
    for mix in world().events(MixDrawn):
        for number, task in enumerate(mix.tasks):
            assert len(asked[mix.round, number]) == (1 if task.anchor else 3)
    anchors = [task.anchor for mix in world().events(MixDrawn) for task in mix.tasks]
    assert 0 < anchors.count(True) < len(anchors)


def test_everyone_has_a_turn() -> None:
    """Of five miners three take part, and in two rounds all do."""
    turns = [set(o.participants) for o in world().events(RoundOpened)]
    assert [len(turn) for turn in turns] == [3, 3, 3, 3]
    for one, two in pairwise(turns):
        assert one | two == set(world().miners)


def test_why_explains_a_drawn_round() -> None:
    """The tasks of a round are found by its mix, and every score follows."""
    found = anyio.run(why, world().log, next(iter(world().miners)))
    assert found.differences == []
    assert sum(len(earned.answers) for earned in found.rounds if earned.answers) > 0


def test_anchors_alone_leave_the_mix_as_it_is() -> None:
    """Without a budget every entry is played as often as the policy says."""
    policy = parse(drawn_policy(ANCHORS))
    mix = drawn(1, b"seed", policy, DifficultyState())
    assert [task.entry for task in mix.tasks] == [0, 0, 0, 0, 1, 1, 2, 3, 4]
    assert [task.anchor for task in mix.tasks].count(True) in (3, 4)


def test_the_share_of_anchors() -> None:
    """Over many rounds the share of anchors is the policy's, also where rounds have few tasks."""
    policy = parse(drawn_policy(ANCHORS))
    counts = [
        [t.anchor for t in drawn(1, derive(b"", f"{i}"), policy, DifficultyState()).tasks]
        for i in range(300)
    ]
    share = sum(count.count(True) for count in counts) / (9 * len(counts))
    assert abs(share - 0.34) < 0.01


def test_a_policy_may_name_an_anchor() -> None:
    """An entry marked so is an anchor in any policy."""
    policy = parse(small_policy(**{"tasks = 4": "tasks = 4\nanchor = true"}))
    one, two = plan_task(b"seed", policy, 0), plan_task(b"seed", policy, 4)
    assert one.variant("a").instance.answer == one.variant("b").instance.answer
    assert one.variant("a").commitment == one.variant("b").commitment
    assert two.variant("a").commitment != two.variant("b").commitment


@pytest.mark.parametrize("seed", range(5))
def test_a_budget_is_spent_and_never_exceeded(seed: int) -> None:
    """When a draw ends, no entry fits in what is left of either budget."""
    text = "\n[sampling]\nupload_bytes = 90_000\nminer_ms = 250_000\n"
    policy = parse(drawn_policy(text))
    places = draw_entries(bytes([seed]), policy, [1] * 5)
    left = budget_of(policy)
    for place in places:
        left = left.less(cost_of(policy, policy.mix[place]))
    assert min(left) >= 0
    assert not any(cost_of(policy, entry).within(left) for entry in policy.mix)


def test_tickets_weigh() -> None:
    """Where all entries cost the same, they are drawn as their tickets say; none without one."""
    policy = parse(_one_size())
    assert expected(policy) == pytest.approx([4 / 9 * 3, 2 / 9 * 3, 1 / 3, 1 / 3, 1 / 3], abs=0.1)
    assert 0 not in draw_entries(b"", policy, [0, 1, 1, 1, 1])


def _one_size() -> bytes:
    one = small_policy()
    for tokens in ("2_000", "3_000", "4_000", "5_000"):
        one = one.replace(f"tokens = {tokens}".encode(), b"tokens = 1_000")
    return one + b"\n[sampling]\nupload_bytes = 18_000\n"


def test_an_example_is_a_round() -> None:
    """It fits the budget of a policy that draws; of another it is the mix."""
    policy, fixed = parse(drawn_policy()), parse(small_policy())
    left = budget_of(policy)
    for entry in example(policy):
        left = left.less(cost_of(policy, entry))
    assert min(left) >= 0
    assert example(policy)
    assert example(fixed) == fixed.tasks


def test_a_huge_budget_ends() -> None:
    """No budget makes a round without end."""
    policy = parse(_one_size().replace(b"18_000\n", b"39_000_000\n"))
    assert len(draw_entries(b"", policy, [1] * 5)) == MAX_DRAWN


def test_a_level_that_was_reached_is_played() -> None:
    """Task and template follow the level that the mix records, not the policy's."""
    with ladder():
        policy = parse(drawn_policy().replace(b'factbook@1"', b'ladder@1"\nlevel = 2'))
        mix = drawn(1, b"seed", policy, DifficultyState())
        raised = [msgspec.structs.replace(entry, level=3) for entry in mix.entries]
        found = played(policy, msgspec.structs.replace(mix, entries=raised))
        assert {entry.level for entry in found.mix} == {3}
        assert len(found.tasks) == len(mix.tasks)
        beyond = [msgspec.structs.replace(entry, level=6) for entry in mix.entries]
        with pytest.raises(ValueError, match="drawn as something else"):
            played(policy, msgspec.structs.replace(mix, entries=beyond))


@pytest.mark.parametrize(
    ("sections", "says"),
    [
        (["\n[sampling]\nupload_bytes = 41_000_000\n"], "more than upload_bytes"),
        (["\n[sampling]\nupload_bytes = 29_999\n"], "factbook@1 at 2m is more than the budget"),
        (["\n[sampling]\nminer_ms = 31_000\n"], "is more than the budget of a round"),
        (["\n[sampling]\nanchors = 1.5\n"], "anchors"),
        (["\n[sampling]\ncoverage_rounds = 0\n"], "coverage_rounds"),
        (["\n[adaptive]\nlow = 0.4\nhigh = 0.8\nanswers = 4\n"], "needs .sampling."),
        ([SAMPLING, "\n[adaptive]\nlow = 0.8\nhigh = 0.8\nanswers = 4\n"], "low must be below"),
        ([BEACON.replace("20", "5")], "late_blocks must be below wait_blocks"),
    ],
)
def test_what_no_policy_may_say(sections: list[str], says: str) -> None:
    """One clear line for each."""
    with pytest.raises(UsageError, match=says):
        parse(drawn_policy(*sections))


def test_old_policies_draw_nothing() -> None:
    """Without the tables a log has none of their events."""
    old: Policy = parse(small_policy())
    assert (old.sampling, old.adaptive, old.beacon) == (None, None, None)
    plain = rounds(World(miners=1), 1)
    assert not plain.events(MixDrawn)
    assert plain.events(AnswerScored)
