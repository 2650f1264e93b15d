"""Attackers without a model, for any family: what do cheap tricks earn?

An attacker sees a question, its context, the context of another hotkey and all vendored text. Each
attack is a way to choose lines and a way to take an answer from them; ``attacks`` gives all answers
of one task at once, since they share the reading. A parser for the wording of one family is none of
these: it is that family's known limit.
"""

from collections.abc import Iterator, Mapping, Sequence

from quasar.benchmarks.attacks.extracting import extract
from quasar.benchmarks.attacks.known import Known, known
from quasar.benchmarks.attacks.programs import programs
from quasar.benchmarks.attacks.scene import Line, Scene, fresh
from quasar.benchmarks.attacks.selecting import select
from quasar.benchmarks.attacks.tricks import constants, dumps, echoes, hedges
from quasar.benchmarks.attacks.words import KINDS

__all__ = ["CLASSES", "Known", "Scene", "attacks", "class_of", "known"]

CLASSES = {
    "text": "regex",
    "twins": "regex",
    "unknown": "corpus diff",
    "strange": "corpus diff",
    "swapped": "corpus diff",
    "changed": "variant diff",
    "dump": "dump",
    "echo": "copy of the question",
    "constant": "constant",
    "hedge": "hedge",
    "program": "program",
}
"""Kind of attack by the first word of its name."""


def class_of(attack: str) -> str:
    """Which kind of attack this is."""
    return CLASSES[attack.partition(":")[0]]


def attacks(scene: Scene, *, runs_code: bool = False) -> Mapping[str, str]:
    """Answers by name of the attack. One that finds nothing to say is left out."""
    return dict(_programs(scene) if runs_code else _texts(scene))


def _programs(scene: Scene) -> Iterator[tuple[str, str]]:
    for name, answer in programs(scene):
        yield f"program: {name}", answer


def _texts(scene: Scene) -> Iterator[tuple[str, str]]:
    views = scene.views()
    for view, lines in views.items():
        chosen = select(scene, lines)
        for way, selected in chosen.items():
            for name, answer in extract(scene, selected):
                yield f"{view}: {way}: {name}", f"ANSWER: {answer}"
        for way in ("every", "rarest", "best", "step"):
            yield from _hedges(f"{view}, {way}", chosen[way])
    tricks = {"constant": constants(), "dump": dumps(views), "echo": echoes(scene)}
    for kind, found in tricks.items():
        for name, answer in found:
            yield f"{kind}: {name}", answer


def _hedges(where: str, lines: Sequence[Line]) -> Iterator[tuple[str, str]]:
    for kind in KINDS[:4]:
        for name, answer in hedges(kind, fresh(lines, kind)[:200]):
            yield f"hedge: {where}: {name}", answer
