"""Plots as SVG, made of numbers alone: the same numbers give the same bytes.

Colours come from the page's style, by class, so that one drawing serves light, dark and paper.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from quasar.replay.page_html import Html, join, tag

WIDTH = 440
LEFT, RIGHT, TOP, BOTTOM = 48, 14, 30, 40
HEIGHT = 250
ROW = 40
"""Height of one row of strips."""
LONGEST_NAME = 13
"""Characters of a name beside a row."""
SHAPES = ("", "-4-4h8v8h-8z", "0-5l5 5-5 5-5-5z", "0-5l5 9h-10z", "0 5l5-9h-10z", "-5-2h10v4h-10z")
MARKS = len(SHAPES)
"""Lines that can be told apart by colour and mark."""


class Line(NamedTuple):
    """One line of a plot."""

    name: str
    points: list[tuple[int, float]]
    """x, ascending; and y in [0, 1]."""


class Strip(NamedTuple):
    """One row: a mean, and the values of which it is made."""

    name: str
    note: str
    mean: float
    values: list[float]


class Stack(NamedTuple):
    """One bar over the whole numbers ``first`` to ``last``."""

    first: int
    last: int
    counts: list[int]
    title: str


@dataclass(frozen=True)
class Scale:
    """Numbers to pixels; one value alone stands in the middle."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        if self.high == self.low:
            return (self.start + self.end) / 2
        part = (value - self.low) / (self.high - self.low)
        return self.start + part * (self.end - self.start)


def steps(low: int, high: int, most: int) -> list[int]:
    """About ``most`` round numbers from ``low`` to ``high``: multiples of 1, 2 or 5, or tenfold."""
    step, place = 1, 0
    while (high - low) // step > most - 1:
        place += 1
        step = step // 2 * 5 if place % 3 == 2 else step * 2
    first = -(-low // step) * step
    return list(range(first, high + 1, step))


def top_of(highest: int, most: int = 4) -> list[int]:
    """Ticks from 0 to the first one that is not below ``highest``, which is at least 1."""
    ticks = steps(0, highest, most)
    step = ticks[1] - ticks[0] if len(ticks) > 1 else max(1, highest)
    return ticks if ticks[-1] >= highest else [*ticks, ticks[-1] + step]


def lines(title: str, x_name: str, y_name: str, shown: Sequence[Line]) -> Html:
    """Lines over whole numbers; y is shown in percent. At most MARKS lines."""
    at = [x for line in shown for x, _ in line.points] or [0]
    peak = max((y for line in shown for _, y in line.points), default=0.0)
    ticks = top_of(max(1, -int(-peak * 10_000 // 1)))
    x = Scale(min(at), max(at), LEFT, WIDTH - RIGHT)
    y = Scale(0, ticks[-1] / 10_000, HEIGHT - BOTTOM, TOP)
    drawn = [_line(place, line, x, y) for place, line in reversed(list(enumerate(shown)))]
    levels = [(tick / 10_000, f"{tick / 100:g}%") for tick in ticks]
    return _svg(title, HEIGHT, _axes(x, y, levels, x_name, y_name), *drawn)


def _line(place: int, line: Line, x: Scale, y: Scale) -> Html:
    path = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in line.points)
    a, b = line.points[-1]
    return tag(
        "g",
        tag("title", line.name),
        tag("polyline", points=path, class_=f"line s{place}"),
        mark(place, x(a), y(b)),
    )


def mark(place: int, x: float, y: float) -> Html:
    """What tells a line from the others where colours do not."""
    named = f"mark s{place}"
    if place % MARKS == 0:
        return tag("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r=4, class_=named)
    return tag("path", d=f"M{x:.1f} {y:.1f}m{SHAPES[place % MARKS]}", class_=named)


def strips(title: str, shown: Sequence[Strip]) -> Html:
    """Rows from 0 to 100 %: a thin stroke for each value, a diamond for the mean."""
    left, right, top = 100, 56, 14
    height = top + ROW * len(shown) + 26
    x = Scale(0.0, 1.0, left, WIDTH - right)
    parts = []
    for tick in (0, 25, 50, 75, 100):
        at = f"{x(tick / 100):.1f}"
        parts += [
            tag("line", x1=at, x2=at, y1=top - 8, y2=height - 26, class_="grid"),
            tag("text", f"{tick}%", x=at, y=height - 8, text_anchor="middle"),
        ]
    for row, strip in enumerate(shown):
        parts.append(_strip(strip, x, top + ROW * row + ROW / 2 - 4))
    return _svg(title, height, *parts)


def _strip(strip: Strip, x: Scale, y: float) -> Html:
    name = strip.name if len(strip.name) <= LONGEST_NAME else f"{strip.name[: LONGEST_NAME - 1]}…"
    strokes = [
        tag("line", x1=f"{at:.1f}", x2=f"{at:.1f}", y1=y - 9, y2=y + 9, class_="stroke")
        for at in (x(value) for value in strip.values)
    ]
    mean = x(strip.mean)
    return join(
        tag("text", name, x=92, y=y - 1, text_anchor="end", class_="name"),
        tag("text", strip.note, x=92, y=y + 13, text_anchor="end"),
        *strokes,
        tag("path", d=f"M{mean:.1f} {y:.1f}m0-7l7 7-7 7-7-7z", class_="mean"),
        tag("text", f"{strip.mean:.1%}", x=WIDTH, y=y + 4, text_anchor="end", class_="name"),
    )


def stacks(title: str, x_name: str, y_name: str, shown: Sequence[Stack]) -> Html:
    """Bars of counts that stand on each other, the first one lowest."""
    totals = [_total(bar.counts) for bar in shown]
    ticks = top_of(max([1, *totals]))
    low = min((bar.first for bar in shown), default=1)
    high = max((bar.last for bar in shown), default=1)
    x = Scale(low - 0.5, high + 0.5, LEFT, WIDTH - RIGHT)
    y = Scale(0, ticks[-1], HEIGHT - BOTTOM, TOP)
    levels = [(float(tick), f"{tick:,}") for tick in ticks]
    return _svg(
        title,
        HEIGHT,
        _axes(x, y, levels, x_name, y_name),
        *[_bar(bar, x, y) for bar in shown],
    )


def _bar(bar: Stack, x: Scale, y: Scale) -> Html:
    start, end = x(bar.first - 0.5), x(bar.last + 0.5)
    gap = min(2.0, (end - start) / 5)
    wide = min(end - start - gap, 36.0)
    left, done, parts = (start + end - wide) / 2, 0, []
    for outcome, count in enumerate(bar.counts):
        if count:
            top, foot = y(done + count), y(done)
            parts.append(
                tag(
                    "rect",
                    x=f"{left:.1f}",
                    y=f"{top:.1f}",
                    width=f"{wide:.1f}",
                    height=f"{foot - top:.1f}",
                    class_=f"bar o{outcome}",
                )
            )
        done += count
    return tag("g", tag("title", bar.title), *parts)


def _axes(
    x: Scale, y: Scale, levels: Sequence[tuple[float, str]], x_name: str, y_name: str
) -> Html:
    """Grid and labels; whole numbers below."""
    foot = HEIGHT - BOTTOM
    parts = [tag("text", y_name, x=0, y=12, class_="name")]
    for value, label in levels:
        at = f"{y(value):.1f}"
        kind = "axis" if value == 0 else "grid"
        parts += [
            tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=at, y2=at, class_=kind),
            tag("text", label, x=LEFT - 7, y=f"{y(value) + 4:.1f}", text_anchor="end"),
        ]
    low, high = -int(-x.low // 1), int(x.high // 1)
    parts += [
        tag("text", f"{tick:,}", x=f"{x(tick):.1f}", y=foot + 17, text_anchor="middle")
        for tick in steps(low, high, 6)
    ]
    parts.append(
        tag("text", x_name, x=WIDTH - RIGHT, y=HEIGHT - 5, text_anchor="end", class_="name")
    )
    return join(*parts)


def _svg(title: str, height: float, *parts: Html) -> Html:
    return tag(
        "svg",
        tag("title", title),
        *parts,
        viewBox=f"0 0 {WIDTH} {height:g}",
        role="img",
        aria_label=title,
    )


def _total(counts: Sequence[int]) -> int:
    total = 0
    for count in counts:
        total += count
    return total
