"""What a task family is: a pure function from seeds to questions about long texts.

A family plugs in as an object that satisfies ``Family``; a change that alters any task is a new
version with a new name, and the old one stays. All draws come from the seeds, by ``quasar.draw``.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from msgspec import Struct

from quasar.benchmarks.haystack import Place
from quasar.errors import UsageError
from quasar.events.json_value import Tolerance
from quasar.events.task import TextPart

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
"""What a case takes and gives."""


MAX_CASES = 100
"""Of a program: two runs of them have to fit in one event."""


class Program(NamedTuple):
    """How an answer that is code gets judged: it must define a function, which then runs."""

    function_name: str
    cases: list[list[Json]]
    """The arguments of each call; at most MAX_CASES."""
    expected: list[Json]
    """What each call must return, computed by the family from its own reference."""
    tolerances: Sequence[Tolerance | None] = ()
    """One a case, for floats in what it returns; empty where all must be exact."""


class Instance(Protocol):
    """One miner's variant of a task."""

    @property
    def question(self) -> list[TextPart]:
        """What is asked, with the form that the answer must have. Cheap."""
        ...

    @property
    def answer(self) -> str:
        """The reference answer, to commit to. Cheap: a scorer needs no context.

        For a program, ``expected`` as compact JSON.
        """
        ...

    @property
    def references(self) -> Sequence[str]:
        """The answers that are right; the metric takes the best of them."""
        ...

    @property
    def options(self) -> Mapping[str, object]:
        """What else the family's metric has to be told, by name."""
        ...

    @property
    def program(self) -> Program | None:
        """Set if the answer is code to run; then the metric is one of ``PROGRAM_METRICS``."""
        ...

    @property
    def tokens(self) -> int:
        """Canonical tokens of the context, exactly; the same for all variants of a template."""
        ...

    @property
    def proof(self) -> Sequence[Place]:
        """Where the context says what the answer follows from, in reading order."""
        ...

    def context(self) -> str:
        """The long text, built on each call in time linear in its length."""
        ...


class OneAnswer(ABC):
    """Part of an instance whose only right answer is ``answer``, which is read and not run."""

    options: Mapping[str, object] = {}
    program: Program | None = None

    @property
    @abstractmethod
    def answer(self) -> str:
        """The reference answer."""

    @property
    def references(self) -> Sequence[str]:
        """That one alone."""
        return [self.answer]


class Template(Protocol):
    """What all variants of a task share: length, haystack, places, decoys."""

    @property
    def digest(self) -> str:
        """SHA-256, hex, of a canonical description of all that the variants share."""
        ...

    def instance(self, variant_seed: bytes) -> Instance:
        """The variant of a seed. It differs from others in surface values only."""
        ...


class Family(Protocol):
    """A kind of task."""

    @property
    def name(self) -> str:
        """``name@version``."""
        ...

    @property
    def metric(self) -> str:
        """Key of ``quasar.metrics.METRICS``, or of ``PROGRAM_METRICS`` for answers that run."""
        ...

    @property
    def guess_rate(self) -> float:
        """Expected score of one who understands nothing, whatever cheap trick is used.

        Such a one may read the question and match patterns in the context.
        """
        ...

    @property
    def levels(self) -> Sequence[Struct]:
        """Parameters of each level of difficulty, easiest first; empty where there is one alone."""
        ...

    def template(
        self, seed: bytes, tokens: int, parameters: Struct | None = None, source: str = ""
    ) -> Template:
        """A task whose contexts fill 0.98 to 1.0 of ``tokens``.

        ``parameters``: one of ``levels``, or another of its type; None for the family's usual ones.
        ``source``: SHA-256 of the text to hide things in (``packs``); empty for the vendored one.
        Raises UsageError for what the family cannot make.
        """
        ...


def refuse_parameters(family: str, parameters: Struct | None, source: str) -> None:
    """For a family that takes neither. Raises UsageError where one is given."""
    if parameters is not None:
        raise UsageError(f"{family} has no levels or parameters: leave them out")
    if source:
        raise UsageError(f"{family} hides things in its own text only: leave the source out")
