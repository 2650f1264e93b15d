"""The plots of a report page: what is drawn is what was counted, however much that was."""

import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quasar.events import (
    AnswerNotScored,
    AnswerScored,
    Fault,
    RoundOpened,
    TaskSampled,
    Weight,
    WeightsComputed,
)
from quasar.replay import page_plots as plots
from quasar.replay.page_data import NAMES, OPEN, OTHER, Board, Mean
from quasar.replay.page_figures import figures, top_lines
from quasar.replay.page_html import Html
from quasar.replay.page_plots import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Line, Stack, Strip
from quasar.replay.page_series import ANSWERED, BARS, FAILED, LEFT_OUT, ROWS, UNPROVED, Bars, Rows
from quasar.replay.page_table import columns, leaderboard
from tests.forging import played
from tests.recording import recorded
from tests.unit.page_pieces import board_of

FOOT = HEIGHT - BOTTOM
KEYS = [f"5{name * 47}" for name in "ABCDEFGHJKLM"]


def numbers(drawn: Html, element: str, *names: str) -> list[tuple[float, ...]]:
    """Attributes of every element of a kind."""
    found = []
    for tag in re.findall(f"<{element} [^>]*>", drawn):
        values = dict(re.findall(r'([a-z0-9_-]+)="([^"]*)"', tag))
        found.append(tuple(float(values[name]) for name in names))
    return found


def points(drawn: Html) -> list[list[tuple[float, float]]]:
    """Of every line."""
    lines = re.findall(r'points="([^"]*)"', drawn)
    return [[tuple(map(float, pair.split(","))) for pair in line.split()] for line in lines]  # type: ignore[misc]


def row(epoch: int, *u16: int) -> WeightsComputed:
    weights = [
        Weight(hotkey=key, uid=uid, score=0.5, samples=1, u16=weight)
        for uid, (key, weight) in enumerate(zip(KEYS, u16, strict=False))
    ]
    return WeightsComputed(
        epoch=epoch, attempt=1, block=epoch, block_hash=f"0x{0:064}", rounds=1, weights=weights
    )


def weighed(*rows: WeightsComputed) -> Board:
    board = Board()
    participants = KEYS[: len(rows[0].weights)]
    opened: dict[str, Any] = {"block": 1, "block_hash": f"0x{0:064}", "beacon_block": 2}
    board.feed(
        recorded(RoundOpened(round=1, policy=f"{0:064}", participants=participants, **opened))
    )
    for one in rows:
        board.feed(recorded(one))
    return board


def scored(number: int, task: int = 1, **changes: Any) -> AnswerScored:
    fields: dict[str, Any] = {"bucket": "32k", "accuracy": 1.0, "failure": None, "unproved": False}
    return AnswerScored(
        round=number,
        task=task,
        hotkey=KEYS[0],
        metric="f1@1",
        multiplier=1.0,
        reward=1.0,
        **(fields | changes),
    )


@given(st.integers(-(10**6), 10**15), st.integers(0, 10**15), st.integers(2, 8))
def test_ticks_are_few_and_round(low: int, span: int, most: int) -> None:
    """At most one more than asked for, all inside, a step of 1, 2 or 5 and zeros apart."""
    ticks = plots.steps(low, low + span, most)
    assert len(ticks) <= most + 1
    assert all(low <= tick <= low + span for tick in ticks)
    apart = {b - a for a, b in pairwise(ticks)}
    assert all(str(step).rstrip("0") in {"1", "2", "5"} for step in apart)
    assert len(apart) <= 1


@given(st.integers(1, 10**15))
def test_the_highest_value_has_room(highest: int) -> None:
    """The top tick is not below it, and not so high that the plot is empty."""
    ticks = plots.top_of(highest)
    assert ticks[0] == 0
    assert highest <= ticks[-1] <= max(highest * 5 // 2, 1)


def test_a_line_goes_through_its_numbers() -> None:
    """From the first epoch at the left edge to the last at the right; 0 % at the foot."""
    drawn = plots.lines("t", "epoch", "share", [Line("one", [(10, 0.0), (15, 0.3), (20, 0.6)])])
    ((first, middle, last),) = points(drawn)
    assert (first, last) == ((LEFT, FOOT), (WIDTH - RIGHT, TOP))
    assert middle == pytest.approx(((LEFT + WIDTH - RIGHT) / 2, (TOP + FOOT) / 2), abs=0.1)
    assert ">60%<" in drawn
    assert ">epoch<" in drawn


def test_one_epoch_alone_stands_in_the_middle() -> None:
    """No division by the width of nothing."""
    (((x, _),),) = points(plots.lines("t", "epoch", "share", [Line("one", [(7, 0.1)])]))
    assert x == (LEFT + WIDTH - RIGHT) / 2


def test_every_line_has_a_mark_of_its_own() -> None:
    """Lines differ by more than their colours."""
    shapes = {
        re.sub(r'd="M[0-9. ]+|class="[^"]*"', "", plots.mark(n, 1, 2)) for n in range(plots.MARKS)
    }
    assert len(shapes) == plots.MARKS


def test_bars_stand_on_each_other() -> None:
    """Heights are as the counts, the first outcome lowest; what there is none of is not drawn."""
    shown = [Stack(1, 1, [6, 0, 2, 2], "r1"), Stack(2, 2, [10, 0, 0, 0], "r2")]
    drawn = plots.stacks("t", "round", "answers", shown)
    bars = numbers(drawn, "rect", "y", "height")
    whole = bars[-1][1]
    assert [height / whole for _, height in bars] == pytest.approx([0.6, 0.2, 0.2, 1.0], abs=0.01)
    assert bars[0][0] + bars[0][1] == pytest.approx(FOOT, abs=0.1)
    assert bars[1][0] + bars[1][1] == pytest.approx(bars[0][0], abs=0.11)
    assert drawn.count("<title>r") == 2


def test_strips_have_a_stroke_for_each_value() -> None:
    """0 % at the left, 100 % at the right, the mean between; long names are cut."""
    drawn = plots.strips("t", [Strip("a" * 40, "n 3", 0.5, [0.0, 0.5, 1.0])])
    strokes = [line for line in re.findall("<line [^>]*>", drawn) if "stroke" in line]
    at = [float(re.findall('x1="([0-9.]+)"', line)[0]) for line in strokes]
    assert at[1] - at[0] == pytest.approx(at[2] - at[1], abs=0.1)
    assert f"M{at[1]:.1f} " in drawn
    assert ">50.0%<" in drawn
    assert "a" * 14 not in drawn


def test_miners_with_the_same_weights_are_one_line() -> None:
    """Equal paths would hide each other; those without any weight are left out."""
    board = weighed(row(1, 100, 100, 50, 0), row(2, 100, 100, 200, 0))
    found = top_lines(board)
    assert [line.points for line in found] == [[(1, 0.2), (2, 0.5)], [(1, 0.4), (2, 0.25)]]
    assert found[0].name.startswith("uid 2 ")
    assert "uid 0 " in found[1].name
    assert "uid 1 " in found[1].name


def test_no_more_lines_than_can_be_told_apart() -> None:
    """Of many different miners, those with the most weight at the end."""
    found = top_lines(weighed(row(1, *range(12, 0, -1))))
    assert [line.points[-1][1] for line in found] == [n / 78 for n in range(12, 6, -1)]


def test_rows_are_thinned_and_the_newest_is_kept() -> None:
    """A year of epochs takes the room of ROWS."""
    rows = Rows()
    for epoch in range(1, 10_001):
        rows.add(row(epoch, 1))
    shown = [kept.epoch for kept in rows]
    assert len(shown) <= ROWS + 1
    assert (shown[0], shown[1], shown[-1]) == (1, 1 + rows.stride, 10_000)
    assert rows.seen == 10_000


@given(st.lists(st.tuples(st.integers(0, 2**53), st.integers(0, 3)), max_size=300))
def test_bars_lose_no_answer(added: list[tuple[int, int]]) -> None:
    """In any order of rounds and with any numbers, at most BARS, each in its place."""
    bars = Bars()
    for number, outcome in added:
        bars.add(number, outcome)
    kept = list(bars)
    assert len(kept) == len(bars) <= BARS
    assert bars.totals == [[o for _, o in added].count(outcome) for outcome in range(4)]
    assert all(one.last < two.first for one, two in pairwise(kept))
    assert all(any(bar.first <= number <= bar.last for bar in kept) for number, _ in added)


def test_a_long_log_takes_bounded_room() -> None:
    """Rounds, families and buckets without end leave columns, bars and open tasks bounded."""
    board, size = Board(), 3 * OPEN
    for number in range(1, size):
        board.feed(recorded(sampled(number)))
        board.feed(recorded(scored(number, bucket=f"b{number}")))
    assert len(board._tasks) == OPEN
    assert len(board.families) == len(board.buckets) == NAMES
    (miner,) = board.miners.values()
    assert len(miner.families) == len(miner.buckets) == NAMES + 1
    assert miner.families[OTHER].n == size - 1 - NAMES
    assert len(board.bars) <= BARS
    assert columns(board.families, [miner.families])[-1] == OTHER
    assert f">{OTHER}<" in leaderboard(board)


def sampled(number: int) -> TaskSampled:
    family, template = f"f{number}", f"{0:064}"
    return TaskSampled(
        round=number, task=1, family=family, bucket="32k", template=template, metric="f1@1",
        answer_bytes=64,
    )  # fmt: skip


def test_outcomes() -> None:
    """Whose failure it was, and whether it is proved, decides the colour."""
    board = Board()
    for event in (
        scored(1),
        scored(1, accuracy=0.0, failure="late"),
        scored(2, accuracy=0.0, failure="unreachable", unproved=True),
        AnswerNotScored(
            round=2, task=1, hotkey=KEYS[0], bucket="32k", fault=Fault.VALIDATOR, failure="reset"
        ),
    ):
        board.feed(recorded(event))
    assert [bar.counts.index(1) for bar in board.bars] == [ANSWERED, UNPROVED]
    assert [bar.counts for bar in board.bars] == [[1, 1, 0, 0], [0, 0, 1, 1]]
    assert board.bars.totals[FAILED] == board.bars.totals[LEFT_OUT] == 1
    assert board.answers == 4


def test_shortest_context_first() -> None:
    """Columns stand by length, whatever came first; other names by the alphabet."""
    assert columns(["2m", "512k", "1.5m", "32k"], []) == ["32k", "512k", "1.5m", "2m"]
    assert columns(["hops@1", "code@1"], []) == ["code@1", "hops@1"]
    assert columns(["b", OTHER, "a"], [{OTHER: Mean(1, 1.0, 1.0)}]) == ["a", "b", OTHER]


def test_the_figures_of_a_played_log() -> None:
    """Weights, outcomes and both accuracies are drawn, with every outcome of the second round."""
    drawn = figures(board_of(played().lines))
    assert [re.findall("<h3>(.*?)</h3>", figure)[0] for figure in drawn] == [
        "Weights by epoch",
        "Answers by round",
        "Accuracy by context length",
        "Accuracy by task family",
    ]
    assert drawn[1].count("<title>round ") == 3
    assert "answered in time: " in drawn[1]
    assert "failed by the miner: late, refused, silent: " in drawn[1]
