"""Which plots a report page has, and what stands below them."""

from collections.abc import Callable, Mapping, Sequence

from quasar.replay.page_data import Board, Mean, Miner
from quasar.replay.page_html import Html, join, tag
from quasar.replay.page_plots import MARKS, Line, Stack, Strip, lines, mark, stacks, strips
from quasar.replay.page_series import OUTCOMES, Bar
from quasar.replay.page_table import columns, short

SAID = (
    "answered in time",
    "failed by the miner: late, refused, silent",
    "failed, by the validator's word alone",
    "left out: not the miner's fault",
)
"""OUTCOMES, in words."""
TOGETHER = 3
"""Names of miners with the very same line; more are counted."""


def figures(board: Board) -> list[Html]:
    """Those for which there is something to draw."""
    drawn = []
    if board.row:
        drawn.append(_weights(board))
    if board.bars:
        drawn.append(_outcomes(board))
    for title, names, of in (
        ("Accuracy by context length", board.buckets, lambda m: m.buckets),
        ("Accuracy by task family", board.families, lambda m: m.families),
    ):
        if names:
            drawn.append(_accuracy(title, board, names, of))
    return drawn


def _weights(board: Board) -> Html:
    shown = top_lines(board)
    every = f" Every {board.rows.stride:,}th row is drawn." if board.rows.stride > 1 else ""
    said = "Part of each weight row, for the miners with the most weight at the end." + every
    legend = [
        (_key(mark(place, 10, 6)), f"{line.name}: {line.points[-1][1]:.2%}")
        for place, line in enumerate(shown)
    ]
    plot = lines("Weights by epoch", "epoch", "part of the row", shown)
    return _figure("Weights by epoch", said, plot, legend)


def top_lines(board: Board) -> list[Line]:
    """The best miners' shares by epoch; those that never differ are one line."""
    rows = list(board.rows)
    places = board.places
    merged: dict[tuple[float, ...], list[str]] = {}
    for miner in board.ranked():
        path = tuple(row.shares.get(miner.hotkey, 0.0) for row in rows)
        if any(path) and (path in merged or len(merged) < MARKS):
            place = places.get(miner.hotkey)
            uid = "no uid" if place is None else f"uid {place.uid}"
            merged.setdefault(path, []).append(f"{uid} {short(miner.hotkey)}")
    epochs = [row.epoch for row in rows]
    return [
        Line(_together(names), list(zip(epochs, path, strict=True)))
        for path, names in merged.items()
    ]


def _together(names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    more = f" and {len(names) - TOGETHER} more" if len(names) > TOGETHER else ""
    return f"{', '.join(names[:TOGETHER])}{more}, each"


def _outcomes(board: Board) -> Html:
    every = f" A bar is {board.bars.width:,} rounds." if board.bars.width > 1 else ""
    bars = [Stack(bar.first, bar.last, bar.counts, _told(bar)) for bar in board.bars]
    legend = [
        (_key(_swatch(n)), f"{said}: {count:,}")
        for n, (said, count) in enumerate(zip(SAID, board.bars.totals, strict=True))
        if count
    ]
    plot = stacks("Answers by round and outcome", "round", "answers", bars)
    said = "Every assignment of every round that was scored, by how it ended." + every
    return _figure("Answers by round", said, plot, legend)


def _told(bar: Bar) -> str:
    rounds = f"round {bar.first:,}" + (f" to {bar.last:,}" if bar.last > bar.first else "")
    counts = [f"{n:,} {name}" for n, name in zip(bar.counts, OUTCOMES, strict=True) if n]
    return f"{rounds}: {', '.join(counts)}"


def _accuracy(
    title: str,
    board: Board,
    names: Sequence[str],
    of: Callable[[Miner], Mapping[str, Mean]],
) -> Html:
    cells = [of(miner) for miner in board.miners.values()]
    rows = [_strip(name, cells) for name in columns(names, cells)]
    said = "Each stroke is one miner's mean, the diamond that of all answers."
    return _figure(title, said, strips(title, rows), [])


def _strip(name: str, cells: Sequence[Mapping[str, Mean]]) -> Strip:
    found = [mean for cell in cells if (mean := cell.get(name)) is not None and mean.n]
    n, total = 0, 0.0
    for mean in found:
        n, total = n + mean.n, total + mean.total
    values = sorted({round(mean.mean, 3) for mean in found})
    return Strip(name, f"n {n:,}", total / n if n else 0.0, values)


def _figure(title: str, said: str, plot: Html, legend: Sequence[tuple[Html, str]]) -> Html:
    keys = tag("ul", *[tag("li", sign, words) for sign, words in legend]) if legend else ""
    return tag("figure", tag("figcaption", tag("h3", title), tag("p", said)), join(plot, keys))


def _swatch(outcome: int) -> Html:
    return tag("rect", x=4, width=12, height=12, rx=2, class_=f"bar o{outcome}")


def _key(sign: Html) -> Html:
    return tag("svg", sign, viewBox="0 0 20 12", aria_hidden="true")
