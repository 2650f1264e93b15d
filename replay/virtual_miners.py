"""Who plays virtual rounds: the recorded miners and copies of them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from quasar.draw import Draw
from quasar.errors import CannotJudge, UsageError
from quasar.replay.records import Cell, Records, Result
from quasar.rules.rewards import Earned

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
MAX_MINERS = 4096
WAYS = 2**128
"""Of one draw of 256 bits: its bias stays below 2**-128."""


class VirtualMiner(NamedTuple):
    """A participant that does as a recorded one did."""

    hotkey: str
    recorded: str


class Drawn(NamedTuple):
    """What came of a task."""

    earned: Earned | None
    """None where it was left out."""
    unproved: bool


class Hand(NamedTuple):
    """Tasks of a round that are drawn for at once: each has results that are equally likely."""

    tasks: list[list[Drawn]]
    ways: int
    """Product of their counts."""

    def drawn(self, draw: Draw) -> Iterator[Drawn]:
        """One result a task, from a single number."""
        left = draw.below(self.ways)
        for results in self.tasks:
            left, place = divmod(left, len(results))
            yield results[place]


def cast_of(records: Records, miners: int | None) -> list[VirtualMiner]:
    """The recorded miners in turn until there are so many; each once by default."""
    recorded = records.hotkeys
    if not recorded:
        raise CannotJudge("this log has no scored answers yet: there is nobody to play with")
    wanted = len(recorded) if miners is None else miners
    if not 1 <= wanted <= MAX_MINERS:
        raise UsageError(f"virtual rounds take 1 to {MAX_MINERS} miners, not {wanted}")
    turns = [divmod(place, len(recorded)) for place in range(wanted)]
    return [VirtualMiner(_copy(recorded[who], turn), recorded[who]) for turn, who in turns]


def _copy(hotkey: str, turn: int) -> str:
    """The hotkey itself, or a name for its copy: its last four characters count."""
    if turn == 0:
        return hotkey
    digits = ""
    for _ in range(4):
        turn, digit = divmod(turn, len(BASE58))
        digits = BASE58[digit] + digits
    return hotkey[:-4] + digits


def hands(
    cells: Mapping[Cell, Sequence[Result]], tasks: Sequence[Cell], worth: Mapping[str, float]
) -> list[Hand]:
    """A miner's tasks in a round; without those of a kind that it never got in the log.

    ``worth``: multiplier by bucket.
    """
    made = [Hand([], 1)]
    for family, bucket in tasks:
        if (family, bucket) not in cells:
            continue
        results = [_drawn(result, worth[bucket]) for result in cells[(family, bucket)]]
        if made[-1].ways * len(results) > WAYS:
            made.append(Hand([], 1))
        hand = made[-1]
        made[-1] = Hand([*hand.tasks, results], hand.ways * len(results))
    return made


def _drawn(result: Result, multiplier: float) -> Drawn:
    if result.accuracy is None:
        return Drawn(None, result.unproved)
    return Drawn(Earned(result.accuracy, multiplier), result.unproved)
