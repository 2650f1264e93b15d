"""Two task families that exist for bench/audit.py only: short answers, and summaries of 200 words.

No family that ships is scored by word overlap. These have no context worth the name: an audit that
leaves out level ``tasks`` needs their reference answers alone. Importing this registers them.
"""

import hashlib
from collections.abc import Sequence
from functools import cached_property

from msgspec import Struct

from quasar.benchmarks import FAMILIES
from quasar.benchmarks.family import Instance, OneAnswer, Template
from quasar.benchmarks.haystack import Place
from quasar.draw import Draw
from quasar.events.task import TextPart

WORDS = tuple(
    f"{a}{b}{c}" for a in "bdfgklmnprst" for b in ("ar", "el", "in", "or", "un") for c in "aeiouy"
)
"""The vocabulary: 360 words, so that long texts share some by chance, as texts do."""
SUMMARY_WORDS = 200


class WordsInstance(OneAnswer):
    """A reference text of invented words."""

    proof: Sequence[Place] = ()
    tokens = 31_500

    def __init__(self, answer: str) -> None:
        self._answer = answer

    @property
    def answer(self) -> str:
        return self._answer

    @property
    def question(self) -> list[TextPart]:
        return [TextPart(text=f"What does the text say of {self.answer.partition(' ')[0]}?")]

    def context(self) -> str:
        return self.answer


class WordsTemplate:
    """The words of a task; each miner's variant starts at another of them."""

    def __init__(self, seed: bytes, count: int, shown: int) -> None:
        self._seed = seed
        self._count = count
        self._shown = shown

    @property
    def digest(self) -> str:
        return hashlib.sha256(self._seed).hexdigest()

    @cached_property
    def _words(self) -> list[str]:
        draw = Draw(self._seed, "words")
        return [draw.choice(WORDS) for _ in range(self._count)]

    def instance(self, variant_seed: bytes) -> Instance:
        at = int.from_bytes(variant_seed[:4]) % self._count
        words = self._words[at:] + self._words[:at]
        return WordsInstance(" ".join(words[: self._shown]))


class WordsFamily:
    """Tasks of which the reference is ``shown`` of ``count`` words."""

    guess_rate = 0.0
    levels: Sequence[Struct] = ()

    def __init__(self, name: str, metric: str, count: int, shown: int) -> None:
        self.name = name
        self.metric = metric
        self._count = count
        self._shown = shown

    def template(
        self,
        seed: bytes,
        tokens: int,  # noqa: ARG002 - the contract's
        parameters: Struct | None = None,  # noqa: ARG002
        source: str = "",  # noqa: ARG002
    ) -> Template:
        return WordsTemplate(seed, self._count, self._shown)


SHORT = WordsFamily("bench-short@1", "qa_f1@1", 12, 3)
SUMMARY = WordsFamily("bench-summary@1", "rouge_l@1", SUMMARY_WORDS, SUMMARY_WORDS)

for family in (SHORT, SUMMARY):
    FAMILIES[family.name] = family
