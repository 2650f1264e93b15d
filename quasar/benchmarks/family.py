"""What a task family is: a pure function from seeds to questions about long texts.

A family plugs in as an object that satisfies ``Family``; a change that alters any task is a new
version with a new name, and the old one stays. All draws come from the seeds, by ``quasar.draw``.
"""

from typing import Protocol

from quasar.events.task import TextPart


class Instance(Protocol):
    """One miner's variant of a task."""

    @property
    def question(self) -> list[TextPart]:
        """What is asked, with the form that the answer must have. Cheap."""
        ...

    @property
    def answer(self) -> str:
        """The reference answer. Cheap: a scorer needs no context."""
        ...

    @property
    def tokens(self) -> int:
        """Canonical tokens of the context, exactly; the same for all variants of a template."""
        ...

    def context(self) -> str:
        """The long text, built on each call in time linear in its length."""
        ...


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
        """Key of ``quasar.metrics.METRICS``."""
        ...

    @property
    def guess_rate(self) -> float:
        """Expected score of one who reads the question but not the context."""
        ...

    def template(self, seed: bytes, tokens: int) -> Template:
        """A task whose contexts fill 0.98 to 1.0 of ``tokens``.

        Raises UsageError for a size that the family cannot make.
        """
        ...
