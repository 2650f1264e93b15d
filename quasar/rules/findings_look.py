"""One task of a scored round as findings look at it: what was said, and whom it would suit."""

import re
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple, Protocol, runtime_checkable

from quasar.benchmarks.family import Instance
from quasar.metrics.exact import MARK
from quasar.metrics.unicode14 import restrict
from quasar.rules.findings_chance import Pack
from quasar.rules.plan import PlannedTask

PairKind = Literal["other-variant", "copied"]
PAIRED: tuple[PairKind, ...] = ("other-variant", "copied")
TELLING = 4
"""An answer that suits a larger part of the others' variants than one in so many says nothing."""
LONGEST = 200
"""Characters of a statement; a longer answer is no short fact that two could share by copying."""
_BLANKS = re.compile(r"[ \t\r\n\v\f]+")
_GROUPED = re.compile(r"(?<=[0-9])[,_](?=[0-9]{3})")
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


class Given(NamedTuple):
    """An answer that came in time and was scored."""

    text: bytes
    right: bool
    """As right as can be."""


@runtime_checkable
class Planting(Protocol):
    """An instance that shows what it plants; of another, only its references are its own."""

    def lines(self) -> list[str]:
        """All text of the context that differs from other variants."""
        ...


class Look:
    """One task, the answers to it, and everybody's variant of it, made when first needed."""

    def __init__(
        self, round_: int, task: PlannedTask, answers: Mapping[str, Given | None], decoys: int
    ) -> None:
        """``answers``: by hotkey of all who were asked; None where nothing came in time."""
        self.round, self.task = round_, task.task
        self.shared = task.mix.anchor
        """Everybody got the same variant: equal answers say nothing."""
        self._planned = task
        self._decoys = [f"decoy/{number}" for number in range(decoys)]
        self._variants: dict[str, Variant] = {}
        self.asked = dict.fromkeys(answers)
        """Hotkeys; the values say nothing."""
        self.said = {hotkey: plain(stated(a.text)) for hotkey, a in answers.items() if a}
        """What each said, in plain letters; empty where it is too long to be a short fact."""
        self.wrong = {
            hotkey: self.said[hotkey]
            for hotkey, answer in answers.items()
            if answer and not answer.right and self._misses(hotkey)
        }
        """What those said to whom it was not right in their own variants."""
        self._right_for = _by_value({h: self.variant(h).right for h in self._needed()})
        self._sayers = _by_value({hotkey: [said] for hotkey, said in self.wrong.items()})
        self._holders: dict[str, list[str]] = {}
        """Who was wrong so, in words of its own variant; by what was said, once needed."""
        self._told: dict[tuple[PairKind, str], bool] = {}

    def variant(self, hotkey: str) -> "Variant":
        """What that hotkey got, or would have got."""
        if hotkey not in self._variants:
            self._variants[hotkey] = Variant(self._planned.variant(hotkey).instance)
        return self._variants[hotkey]

    def matching(self, what: PairKind, hotkey: str) -> list[str]:
        """Others whose variant, or whose mistake, its wrong answer is."""
        said = self.wrong[hotkey]
        if self.shared:
            return []
        if what == "other-variant":
            return self._right_for.get(said, [])
        if said not in self._holders:
            alike = self._sayers[said] if len(self._sayers[said]) > 1 else []
            self._holders[said] = [other for other in alike if self.variant(other).holds(said)]
        return [other for other in self._holders[said] if other != hotkey]

    def tells(self, what: PairKind, hotkey: str) -> bool:
        """Whether few enough of the others' variants suit its answer for a match to say anything.

        Asked of all others together, so it does not favour any of them.
        """
        if self.shared:
            return False
        if (what, hotkey) not in self._told:
            others = [self.variant(name) for name in self.asked if name != hotkey]
            suited = _suited(others, what, self.wrong[hotkey])
            self._told[what, hotkey] = suited <= 1 + len(others) // TELLING
        return self._told[what, hotkey]

    def pack(self, what: PairKind, hotkey: str) -> Pack:
        """All variants but its own, decoys too, and those that suit its answer."""
        names = [*(name for name in self.asked if name != hotkey), *self._decoys]
        variants = [self.variant(name) for name in names]
        return Pack(_suited(variants, what, self.wrong[hotkey]), len(variants))

    def _needed(self) -> Iterable[str]:
        """Nobody's variant matters where all are right."""
        return self.asked if self.wrong else ()

    def _misses(self, hotkey: str) -> bool:
        said = self.said[hotkey]
        return said != "" and said not in self.variant(hotkey).right


def _suited(variants: Iterable["Variant"], what: PairKind, said: str) -> int:
    """In how many it is right, or stands at all."""
    if what == "other-variant":
        return len([1 for variant in variants if said in variant.right])
    return len([1 for variant in variants if variant.holds(said)])


def _by_value(found: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """Names by what they have."""
    names: dict[str, list[str]] = {}
    for name, values in found.items():
        for value in dict.fromkeys(values):
            names.setdefault(value, []).append(name)
    return names


class Variant:
    """What one variant says."""

    def __init__(self, instance: Instance) -> None:
        self.right = [plain(reference) for reference in instance.references]
        self.remembered = plain(getattr(instance, "canary", ""))
        """What the unchanged text says; empty where there is nothing to remember."""
        self._instance = instance
        self._own: str | None = None

    def holds(self, said: str) -> bool:
        """Whether it stands in what is this variant's own."""
        if self._own is None:
            found = self._instance
            lines = found.lines() if isinstance(found, Planting) else found.references
            self._own = plain("\n".join(lines))
        return said in self._own


def stated(answer: bytes) -> str:
    """What stands on the last line that begins with the mark; all of it where there is none."""
    text = restrict(answer.decode("utf-8", "replace"))
    before, mark, after = text.rpartition(MARK)
    said = after.partition("\n")[0] if mark else before + after
    return said if len(said) <= LONGEST else ""


def plain(text: str) -> str:
    """Small ASCII letters, single blanks, numbers without separators, no full stop at the end."""
    joined = _BLANKS.sub(" ", _GROUPED.sub("", restrict(text))).strip(" ")
    return joined.removesuffix(".").translate(_LOWER)
