"""Findings: what the answers of some rounds show of miners, beside their scores.

A pure function of revealed rounds. Whom it names, and how often by mistake, is in
``docs/fairness.md``; nothing here changes a score or a weight.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from quasar.events import FindingNoted, Match
from quasar.events.finding import What
from quasar.rules.findings_chance import Pack, chance
from quasar.rules.findings_look import PAIRED, Look, PairKind
from quasar.rules.policy import Findings

LISTED = 16
"""Answers that a finding names; further ones are counted."""
MOST = 500
"""Findings of one look, the strongest first: all stand in one step of the log."""


class Subject(NamedTuple):
    """What a finding could say, and of whom."""

    what: What
    hotkey: str
    other: str | None
    """Whose variant or answer it may have had."""


def findings(looks: Sequence[Look], policy: Findings) -> list[FindingNoted]:
    """All that the answers to these tasks show, by kind and hotkeys.

    A pair is named where its chance is below ``policy.level`` divided by the number of ordered
    pairs and kinds, looked at or not (Bonferroni): so of all looks at most that share names anyone
    who saw no variant but its own.
    """
    found = [*_pairs(looks, policy.level), *_canaries(looks)]
    found.sort(key=lambda f: (1.0 if f.chance is None else f.chance, -f.matched, f.what, f.who))
    return sorted(found[:MOST], key=lambda f: (f.what, f.who))


def _pairs(looks: Sequence[Look], level: float) -> Iterator[FindingNoted]:
    miners = len(dict.fromkeys(hotkey for look in looks for hotkey in look.asked))
    tests = 2 * miners * (miners - 1)
    for what in PAIRED:
        packs: dict[str, list[tuple[Look, Pack]]] = {}
        for (hotkey, other), matching in _matches(looks, what).items():
            if hotkey not in packs:
                packs[hotkey] = _packs(looks, what, hotkey)
            trials = [pack for look, pack in packs[hotkey] if other in look.asked]
            found = chance(len(matching), trials)
            if found * tests < level:
                subject = Subject(what, hotkey, other)
                yield _noted(looks, subject, matching, len(trials), found, tests)


def _matches(looks: Sequence[Look], what: PairKind) -> dict[tuple[str, str], list[Look]]:
    """Miner and other to the tasks in which its answer matches; other pairs have none."""
    matches: dict[tuple[str, str], list[Look]] = {}
    for look in looks:
        for hotkey in look.wrong:
            others = look.matching(what, hotkey)
            if others and look.tells(what, hotkey):
                for other in others:
                    matches.setdefault((hotkey, other), []).append(look)
    return matches


def _packs(looks: Sequence[Look], what: PairKind, hotkey: str) -> list[tuple[Look, Pack]]:
    """Every task that it got wrong, and what chance has to draw from.

    Which these are, and what it said, is its own doing: whose variant is the other's is not. A
    copied answer must stand in the other's variant, which is likelier than being its answer too.
    """
    return [
        (look, look.pack(what, hotkey))
        for look in looks
        if hotkey in look.wrong and look.tells(what, hotkey)
    ]


def _canaries(looks: Sequence[Look]) -> Iterator[FindingNoted]:
    """Whoever said what the unchanged text says, where its own text says something else."""
    matching: dict[str, list[Look]] = {}
    for look in looks:
        for hotkey, said in look.wrong.items():
            if said == look.variant(hotkey).remembered:
                matching.setdefault(hotkey, []).append(look)
    for hotkey, found in matching.items():
        of = len([1 for look in looks if hotkey in look.said and look.variant(hotkey).remembered])
        yield _noted(looks, Subject("canary", hotkey, None), found, of)


def _noted(
    looks: Sequence[Look],
    subject: Subject,
    matching: Sequence[Look],
    of: int,
    found: float | None = None,
    tests: int = 0,
) -> FindingNoted:
    answers = [Match(round=look.round, task=look.task) for look in matching]
    return FindingNoted(
        round=max(look.round for look in looks),
        rounds=len({look.round for look in looks}),
        what=subject.what,
        hotkey=subject.hotkey,
        other=subject.other,
        matched=len(answers),
        of=of,
        chance=found,
        tests=tests,
        answers=answers[:LISTED],
    )
