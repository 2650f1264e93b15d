"""The suite over all families of tasks that need no source of their own."""

from collections.abc import Sequence

from quasar.benchmarks.parsers import parser_of
from quasar.benchmarks.registry import BUILT_IN

NAMES = sorted(name for name in BUILT_IN if not name.startswith("longbench"))


def from_proof(name: str, question: str, lines: Sequence[str]) -> str:
    """What the parser of a family makes of the lines of a proof, which it takes for the context."""
    parser = parser_of(name)
    assert parser is not None
    return parser(question, "\n".join(lines))
