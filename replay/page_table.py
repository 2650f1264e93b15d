"""The leaderboard of a report page."""

import re
from collections.abc import Mapping, Sequence
from itertools import chain

from quasar.events import Weight
from quasar.replay.page_data import OTHER, Board, Mean, Miner
from quasar.replay.page_html import Html, join, tag
from quasar.replay.page_style import TINTS
from quasar.rules.ranks import TOP, Place
from quasar.rules.statistics import Difference, difference

LONGEST = 1024
"""Miners in the table; the rest is counted."""
BAR = 40
"""Pixels of the widest share."""
_TOKENS = re.compile(r"([0-9]{1,6})(?:\.([0-9]))?([km]?)", re.ASCII)


def leaderboard(board: Board) -> Html:
    """All miners by share, their answers, and mean accuracies by family and bucket."""
    ranked = board.ranked()
    shown = ranked[:LONGEST]
    families = columns(board.families, [m.families for m in shown])
    buckets = columns(board.buckets, [m.buckets for m in shown])
    left_out = any(m.left_out for m in ranked)
    places, shares, ranks = board.places, board.shares, board.contexts.places()
    widest = max(shares.values(), default=0.0)
    ahead = _ahead(board, shown)
    rows = [
        tag(
            "tr",
            *_miner(rank, miner, places.get(miner.hotkey)),
            _share(shares.get(miner.hotkey), widest),
            _score(places.get(miner.hotkey)),
            *_counts(miner, left_out),
            *_rank(ranks.get(miner.hotkey)),
            _apart(ahead.get(miner.hotkey)),
            *[_cell(miner.families.get(name)) for name in families],
            *[_cell(miner.buckets.get(name)) for name in buckets],
        )
        for rank, miner in enumerate(shown, 1)
    ]
    table = tag("table", _head(families, buckets, left_out), tag("tbody", *rows), class_="wide")
    more = len(ranked) - len(shown)
    return join(
        tag(
            "div",
            table,
            class_="scroll tall",
            tabindex=0,
            role="region",
            aria_label="Leaderboard",
        ),
        tag("p", f"and {more:,} more miners, who are not shown") if more else "",
        _in_full(shown, places),
    )


def columns(names: Sequence[str], cells: Sequence[Mapping[str, Mean]]) -> list[str]:
    """The names that have a column, shortest context first, and OTHER where it is needed."""
    own = sorted((name for name in names if name != OTHER), key=_length)
    return [*own, *([OTHER] if any(OTHER in found for found in cells) else [])]


def _length(name: str) -> tuple[int, str]:
    """What a bucket's name says of its tokens; other names stand in the order of the alphabet."""
    named = _TOKENS.fullmatch(name)
    if named is None:
        return 0, name
    tenths = int(named[1]) * 10 + int(named[2] or 0)
    return tenths * {"": 1, "k": 1_000, "m": 1_000_000}[named[3]], name


def short(hotkey: str) -> str:
    """A hotkey as people recognise it."""
    return f"{hotkey[:6]}…{hotkey[-4:]}"


def _head(families: Sequence[str], buckets: Sequence[str], left_out: bool) -> Html:
    titles = ["weight", "score", "answers", *(["left out"] if left_out else []), "accuracy"]
    titles += ["rank", f"top {TOP}", "ahead of next"]
    groups = [("by task family", families), ("by context length", buckets)]
    first = [
        tag("th", "", colspan=3 + len(titles)),
        *[
            tag("th", title, colspan=len(names), scope="colgroup", class_="group")
            for title, names in groups
            if names
        ],
    ]
    second = [
        tag("th", "#", scope="col"),
        tag("th", "miner", scope="col", class_="key"),
        *[tag("th", t, scope="col") for t in chain(["uid"], titles, families, buckets)],
    ]
    return tag("thead", tag("tr", *first), tag("tr", *second))


def _miner(rank: int, miner: Miner, place: Weight | None) -> list[Html]:
    key = tag("code", short(miner.hotkey), title=miner.hotkey)
    return [
        tag("td", rank, class_="nil"),
        tag("th", key, scope="row", class_="key"),
        _number(None if place is None else str(place.uid)),
    ]


def _share(share: float | None, widest: float) -> Html:
    if share is None:
        return _number(None)
    wide = BAR * share / widest if widest else 0.0
    bar = tag(
        "svg",
        tag("rect", width=BAR, height=8, rx=2, class_="track"),
        tag("rect", width=f"{wide:.1f}", height=8, rx=2),
        viewBox=f"0 0 {BAR} 8",
        class_="share",
        aria_hidden="true",
    )
    return tag("td", bar, tag("span", f"{share:.2%}", class_="part"))


def _score(place: Weight | None) -> Html:
    return _number(None if place is None or not place.samples else f"{place.score:.4f}")


def _counts(miner: Miner, left_out: bool) -> list[Html]:
    accuracy = miner.accuracy
    cells = [_number(f"{accuracy.n:,}")]
    if left_out:
        cells.append(_number(f"{miner.left_out:,}" if miner.left_out else None))
    return [*cells, _cell(accuracy, with_error=True)]


def _rank(place: Place | None) -> list[Html]:
    if place is None:
        return [_number(None), _number(None)]
    alone = place.low == place.high
    return [
        _number(f"{place.low}" if alone else f"{place.low}-{place.high}"),
        _number(f"{place.top:.0%}"),
    ]


def _ahead(board: Board, miners: Sequence[Miner]) -> dict[str, Difference | None]:
    """Each one's reward less that of the next in the table, on the tasks that both got."""
    scores = [board.contexts.scores(miner.hotkey) for miner in miners]
    return {
        miner.hotkey: difference(mine, next_)
        for miner, mine, next_ in zip(miners, scores, scores[1:], strict=False)
    }


def _apart(found: Difference | None) -> Html:
    if found is None:
        return _number(None)
    error = "" if found.se is None else tag("small", f" ±{found.se:.3f}")
    return tag("td", f"{found.mean:+.3f}", error, title=f"{found.n:,} tasks of both, in pairs")


def _cell(mean: Mean | None, *, with_error: bool = False) -> Html:
    """An accuracy, the darker the better."""
    if mean is None or not mean.n:
        return _number(None)
    error = mean.error if with_error else None
    level = int(mean.mean * TINTS)
    small = "" if error is None else tag("small", f" ±{error:.3f}")
    return tag(
        "td",
        f"{mean.mean:.3f}" if with_error else f"{mean.mean:.2f}",
        small,
        class_=f"t{level}" if level else None,
        title=f"{mean.n:,} answers",
    )


def _number(value: str | None) -> Html:
    return tag("td", "-", class_="nil") if value is None else tag("td", value)


def _in_full(miners: Sequence[Miner], places: Mapping[str, Weight]) -> Html:
    rows = [
        tag("tr", _number(_uid(places.get(m.hotkey))), tag("td", tag("code", m.hotkey), class_="l"))
        for m in miners
    ]
    head = tag("thead", tag("tr", tag("th", "uid"), tag("th", "hotkey", class_="l")))
    table = tag("div", tag("table", head, tag("tbody", *rows)), class_="scroll", tabindex=0)
    return tag("details", tag("summary", "Hotkeys in full"), table)


def _uid(place: Weight | None) -> str | None:
    return None if place is None else str(place.uid)
