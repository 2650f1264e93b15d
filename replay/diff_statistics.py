"""What only several validators' logs show: one that treats a miner otherwise than the others do.

What a probability here means, and what not, is in README.md.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import permutations
from typing import Literal, NamedTuple

from msgspec import Struct

from quasar.replay.diff_chance import findable, fisher, holm, sign_test, than_most
from quasar.replay.diff_rounds import PlayedRound

LEVEL = 0.01
"""A corrected probability below this is a finding."""

What = Literal["unproved", "not-scored"]
"""Unproved: failures that cost the miner, on the validator's word alone. Not scored: answers left
out of the mean, as the failure was said not to be the miner's."""
WHATS: tuple[What, ...] = ("unproved", "not-scored")


class Share(Struct, frozen=True, kw_only=True):
    """So many assignments of so many."""

    bad: int
    asked: int


class Suspicion(Struct, frozen=True, kw_only=True):
    """One validator and one miner, against the other validators."""

    log: str
    """Name of the validator's log in this comparison."""
    hotkey: str
    what: What
    here: Share
    elsewhere: Share
    others_here: Share
    """The other miners at this validator: where it is as high, a bad line may explain it."""
    against: str
    """Name of the other log that decides: more than there is more than at most of the others."""
    test: Literal["matched", "rounds"]
    """Matched: sign test over rounds of equal blocks. Rounds: Fisher's, where too few match."""
    more: int
    """Matched: rounds in which it records more than that one. Rounds: those with any, here."""
    fewer: int
    """Matched: rounds in which it records fewer. Rounds: those with none, here."""
    p: float
    corrected: float
    """For the number of pairs that were tested (Holm); 1 where too few rounds tell anything."""
    most_miners: bool
    """More than half of this validator's miners come out below the level: not aimed at one."""


class Statistics(Struct, frozen=True, kw_only=True):
    """All that was tested, the least probable first."""

    level: float
    pairs: int
    """A validator, a miner and what: those with anything to compare."""
    tested: int
    """Of these, those with rounds enough to be found below the level."""
    named: list[Suspicion]
    """Below the level."""
    others: list[Suspicion]


class _Pair(NamedTuple):
    log: int
    hotkey: str
    what: What


class _Chance(NamedTuple):
    p: float
    least: float
    """What it would be if every difference were to this validator's side."""
    test: Literal["matched", "rounds"]
    more: int
    fewer: int
    against: int


class Outcomes:
    """Counts by validator and miner; feeds on the rounds of one block at a time."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._sums: Counter[tuple[int | None, str | None, str]] = Counter()
        """Assignments by log and hotkey, by either alone, and by "asked" or what became of them."""
        self._mixes: dict[int, set[object]] = {}
        self._rounds: Counter[tuple[int, str]] = Counter()
        self._bad_rounds: Counter[_Pair] = Counter()
        self._matched: Counter[tuple[int, int, str]] = Counter()
        """Rounds of equal blocks and kinds of tasks, by two logs and hotkey."""
        self._more: Counter[tuple[int, _Pair]] = Counter()
        """Of these, those in which the first log recorded fewer than the pair's."""

    def feed(self, played: Mapping[int, PlayedRound], *, matched: bool = True) -> None:
        """The rounds of one block, by log. ``matched``: the blocks are of one chain."""
        groups: dict[object, dict[str, dict[int, _Counts]]] = {}
        for log, current in played.items():
            self._mixes.setdefault(log, set()).add(current.mix)
            miners = groups.setdefault(current.mix if matched else log, {})
            for hotkey, counts in _counts(current).items():
                miners.setdefault(hotkey, {})[log] = counts
                self._add(log, hotkey, counts)
        for miners in groups.values():
            for hotkey, by_log in miners.items():
                for one, two in permutations(by_log, 2):
                    self._match(hotkey, one, by_log[one], two, by_log[two])

    def _add(self, log: int, hotkey: str, counts: "_Counts") -> None:
        self._rounds[(log, hotkey)] += 1
        for what in WHATS:
            self._bad_rounds[_Pair(log, hotkey, what)] += counts.bad(what) > 0
        sums: dict[str, int] = {"asked": counts.asked, **{w: counts.bad(w) for w in WHATS}}
        for name, n in sums.items():
            for who in ((log, hotkey), (log, None), (None, hotkey)):
                self._sums[(*who, name)] += n

    def _match(self, hotkey: str, one: int, here: "_Counts", two: int, there: "_Counts") -> None:
        if here.asked == there.asked:
            self._matched[(one, two, hotkey)] += 1
            for what in WHATS:
                if here.bad(what) > there.bad(what):
                    self._more[(two, _Pair(one, hotkey, what))] += 1

    def result(self) -> Statistics:
        """Every pair with anything to compare."""
        chances = {pair: chance for pair in self._pairs() if (chance := self._chance(pair))}
        tested = findable({pair: chance.least for pair, chance in chances.items()}, LEVEL)
        corrected = dict.fromkeys(chances, 1.0) | holm({pair: chances[pair].p for pair in tested})
        common = self._common(corrected)
        found = [
            self._suspicion(pair, chances[pair], p, most_miners=(pair.log, pair.what) in common)
            for pair, p in corrected.items()
        ]
        found.sort(key=lambda s: (s.corrected, s.p, s.log, s.hotkey, s.what))
        return Statistics(
            level=LEVEL,
            pairs=len(found),
            tested=len(tested),
            named=[s for s in found if s.corrected < LEVEL],
            others=[s for s in found if s.corrected >= LEVEL],
        )

    def _pairs(self) -> Iterable[_Pair]:
        return (_Pair(log, key, what) for log, key in sorted(self._rounds) for what in WHATS)

    def _chance(self, pair: _Pair) -> _Chance | None:
        """Against more than half of the others that can be compared.

        None where the counts leave nothing to find: nobody recorded any, or always as many.
        """
        others = [log for log in range(len(self._names)) if log != pair.log]
        tests = [test for log in others if (test := self._against(pair, log))]
        if not tests:
            return None
        p, place = than_most([test.p for test in tests])
        least, _ = than_most([test.least for test in tests])
        return tests[place]._replace(p=p, least=least) if least < 1.0 else None

    def _against(self, pair: _Pair, other: int) -> _Chance | None:
        """None where there is nothing to compare."""
        rounds = self._rounds[(pair.log, pair.hotkey)]
        there = self._rounds[(other, pair.hotkey)]
        if 2 * self._matched[(pair.log, other, pair.hotkey)] >= min(rounds, there) > 0:
            more, fewer = (
                self._more[(other, pair)],
                self._more[(pair.log, pair._replace(log=other))],
            )
            p, least = sign_test(more, fewer), sign_test(more + fewer, 0)
            return _Chance(p, least, "matched", more, fewer, other)
        if not there or self._mixes[pair.log] != self._mixes[other]:
            return None
        bad = self._bad_rounds[pair]
        whole = (rounds, bad + self._bad_rounds[pair._replace(log=other)], rounds + there)
        p, least = fisher(bad, *whole), fisher(min(rounds, whole[1]), *whole)
        return _Chance(p, least, "rounds", bad, rounds - bad, other)

    def _common(self, corrected: Mapping[_Pair, float]) -> set[tuple[int, What]]:
        """Validators, and of what, where more than half of the miners come out below the level."""
        below = Counter((pair.log, pair.what) for pair, p in corrected.items() if p < LEVEL)
        miners = Counter(log for log, _ in self._rounds)
        return {(log, what) for (log, what), n in below.items() if n > 1 and 2 * n > miners[log]}

    def _suspicion(
        self, pair: _Pair, chance: _Chance, corrected: float, *, most_miners: bool
    ) -> Suspicion:
        log, hotkey, what = pair
        here = self._share(log, hotkey, what)
        return Suspicion(
            log=self._names[log],
            hotkey=hotkey,
            what=what,
            here=here,
            elsewhere=_less(self._share(None, hotkey, what), here),
            others_here=_less(self._share(log, None, what), here),
            against=self._names[chance.against],
            test=chance.test,
            more=chance.more,
            fewer=chance.fewer,
            p=chance.p,
            corrected=corrected,
            most_miners=most_miners,
        )

    def _share(self, log: int | None, hotkey: str | None, what: What) -> Share:
        who = (log, hotkey)
        return Share(bad=self._sums[(*who, what)], asked=self._sums[(*who, "asked")])


def _less(all_of_them: Share, here: Share) -> Share:
    return Share(bad=all_of_them.bad - here.bad, asked=all_of_them.asked - here.asked)


class _Counts:
    """Of one miner in one round."""

    __slots__ = ("asked", "left_out", "unproved")

    def __init__(self) -> None:
        self.asked = self.unproved = self.left_out = 0

    def bad(self, what: What) -> int:
        return self.unproved if what == "unproved" else self.left_out


def _counts(played: PlayedRound) -> dict[str, _Counts]:
    found: dict[str, _Counts] = {}
    for (_, hotkey), judged in played.judged.items():
        counts = found.setdefault(hotkey, _Counts())
        counts.asked += 1
        counts.unproved += judged.failed
        counts.left_out += judged.left_out
    return found
