"""A haystack of nothing: one line over and over, for tasks that are about the needles alone."""

from hashlib import sha256
from typing import Any

from msgspec import Struct

from quasar.benchmarks import tokenizer
from quasar.benchmarks.packs import Text
from quasar.benchmarks.planted import Planted, PlantedTemplate
from quasar.draw import Draw
from quasar.errors import UsageError

NOISE = "Moss is soft. Dust is dry. Tar is black. On it goes. Once more around.\n"


class InNoise(Planted[Any, Any]):
    """A family whose pieces stand in noise."""

    def template(
        self, seed: bytes, tokens: int, parameters: Struct | None = None, source: str = ""
    ) -> PlantedTemplate:
        if source:
            raise UsageError(f"{self.name} hides things in noise only: leave the source out")
        return super().template(seed, tokens, parameters)

    def text(self, source: str = "") -> Text:  # noqa: ARG002
        return Text(sha256(NOISE.encode()).hexdigest(), (NOISE,), (tokenizer.count(NOISE),))

    def arranged(self, draw: Draw, source: str, budget: int) -> list[int]:  # noqa: ARG002
        return [0] * (budget // self.text().tokens[0])
