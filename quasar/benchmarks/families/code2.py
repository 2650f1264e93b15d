"""Family ``code@2``: the task of ``code@1`` in contexts of up to two million tokens.

Where the vendored source text is used up, vendored prose goes on as comments; or a user's own
units are the haystack. Levels say how many functions follow each other. What it measures, and
why copying is wrong, is as there.
"""

from collections.abc import Sequence
from functools import cached_property
from hashlib import sha256
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from quasar.benchmarks import codebase, packs
from quasar.benchmarks.families.code import CodeTemplate
from quasar.benchmarks.haystack import Haystack, fill
from quasar.draw import Draw
from quasar.errors import UsageError

NAME = "code@2"
MIN_TOKENS, MAX_TOKENS = 4_000, 2_000_000


class Parameters(Struct, frozen=True):
    """Difficulty."""

    functions: Annotated[int, Meta(ge=3, le=4)]
    """How many hidden ones the asked one calls, each on the result of the one before."""


class Code2Template(CodeTemplate):
    """A task. The haystack is drawn when first needed and shared by all variants."""

    name = NAME

    def __init__(self, seed: bytes, size: int, parameters: Parameters, source: str) -> None:
        super().__init__(seed, size, [parameters.functions])
        self.parameters = parameters
        self.source = source

    @cached_property
    def text(self) -> packs.Text:
        """What the functions are hidden in. Raises as ``packs.text``."""
        return packs.text(self.source) if self.source else codebase.codebase()

    @cached_property
    def haystack(self) -> list[int]:
        """Numbers of the units, in order. Raises UsageError where they are too few."""
        draw = Draw(self._seed, f"{NAME}/haystack")
        budget = self.size - self.planted
        own = self.source != ""
        taken = fill(draw, self.text.tokens, budget) if own else codebase.arranged(draw, budget)
        if self.planted + sum(self.text.tokens[i] for i in taken) < 0.98 * self.size:
            raise UsageError(
                f"the text to hide functions in is too short for {self.size} tokens: choose a "
                "shorter context or a longer text"
            )
        return taken

    @cached_property
    def tokens(self) -> int:
        return self.planted + sum(self.text.tokens[i] for i in self.haystack)

    @cached_property
    def laid_out(self) -> Haystack:
        return Haystack([self.text.units[i] for i in self.haystack], self.plan.depths)

    @cached_property
    def digest(self) -> str:
        shared = (NAME, self.text.digest, self.size, self.parameters, self.plan, self.haystack)
        return sha256(msgspec.json.encode(shared)).hexdigest()


class Code2:
    """The family. Nobody guesses what a function returns.

    The rate is for one who copies the functions, and in each has the same of its four numbers
    replaced by what the comment says.
    """

    name = NAME
    metric = "code_pass@1"
    guess_rate = 1 / 4**3
    levels: Sequence[Struct] = (Parameters(3), Parameters(4))
    usual = 1

    def template(
        self, seed: bytes, tokens: int, parameters: Struct | None = None, source: str = ""
    ) -> Code2Template:
        chosen = self.levels[self.usual - 1] if parameters is None else parameters
        if not isinstance(chosen, Parameters):
            raise UsageError(f"{NAME} takes parameters of its own: functions")
        if not MIN_TOKENS <= tokens <= MAX_TOKENS:
            raise UsageError(
                f"{NAME} makes contexts of {MIN_TOKENS} to {MAX_TOKENS} tokens, not {tokens}: "
                "choose a bucket in that range"
            )
        return Code2Template(seed, tokens, chosen, source)
