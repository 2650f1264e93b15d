"""What a task may cost: the limits, and each family measured in a process of its own."""

import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from quasar.benchmarks import FAMILIES, tokenizer
from quasar.benchmarks.about import bounds
from quasar.errors import QuasarError

TASK_S = 2.0
"""CPU seconds of one task of the longest context, with the start of Python and all data."""
TASK_BYTES = 600_000_000
COUNT_S = 0.5
"""CPU seconds of counting COUNTED tokens."""
COUNTED = 2_000_000
WIDTH = 110
ONCE = Path(__file__).parent / "task_once.py"


class Made(NamedTuple):
    """One family's longest task."""

    family: str
    tokens: int
    first_s: float
    """With interpreter, imports and data."""
    task_s: float
    """Another task in the same process."""
    variant_s: float
    """The same task for another hotkey."""
    peak_bytes: int

    @property
    def is_within(self) -> bool:
        """Whether it keeps to the limits."""
        return self.first_s <= TASK_S and self.peak_bytes <= TASK_BYTES


class Counted(NamedTuple):
    """Counting a text of about COUNTED tokens."""

    text: str
    tokens: int
    quasar_s: float
    plain_s: float
    """tiktoken's ``encode_ordinary`` of the whole text, same vocabulary."""

    @property
    def is_within(self) -> bool:
        """Whether it keeps to the limit."""
        return self.quasar_s <= COUNT_S


def make_longest() -> Iterator[Made]:
    """The longest task of each family that needs no source of its own.

    One that misses a limit gets two more tries: a shared machine may have been slow.
    """
    for name in FAMILIES:
        longest = min(bounds(FAMILIES[name]).most or COUNTED, COUNTED)
        if not _needs_source(name, longest):
            tries = (_made(name, longest) for _ in range(3))
            yield next((made for made in tries if made.is_within), None) or _made(name, longest)


def _made(name: str, tokens: int) -> Made:
    command = [sys.executable, str(ONCE), name, str(tokens)]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    return Made(**json.loads(told))


def _needs_source(name: str, tokens: int) -> bool:
    try:
        return not FAMILIES[name].template(b"bench", tokens).instance(b"bench").question
    except QuasarError:
        return True


def count_tokens() -> Iterator[Counted]:
    """Prose and code, best of nine each."""
    plain = tokenizer._encoding().encode_ordinary
    for text, family in (("prose", "hops@1"), ("code", "code@2")):
        context = FAMILIES[family].template(b"bench", COUNTED).instance(b"bench").context()
        yield Counted(
            text,
            tokenizer.count(context),
            _best(lambda: tokenizer.count(context)),  # noqa: B023  called at once
            _best(lambda: len(plain(context))),  # noqa: B023
        )


def _best(call: Callable[[], int]) -> float:
    best = math.inf
    for _ in range(9):
        begun = time.process_time()
        call()
        best = min(best, time.process_time() - begun)
    return best


def show(made: list[Made], counted: list[Counted]) -> None:
    """Two tables; what is beyond a limit is marked."""
    title = (
        f"one longest task, fresh process, one core (limit {TASK_S} s, {TASK_BYTES / 1e6:.0f} MB)"
    )
    table = Table(title=title)
    for name in ("family", "tokens", "first s", "another s", "one more variant s", "MB", ""):
        table.add_column(name, justify="left" if name == "family" else "right")
    for m in made:
        seconds = (f"{m.first_s:.2f}", f"{m.task_s:.2f}", f"{m.variant_s:.3f}")
        mark = "" if m.is_within else "LIMIT"
        table.add_row(m.family, f"{m.tokens:,}", *seconds, f"{m.peak_bytes / 1e6:.0f}", mark)
    console = Console(width=WIDTH)
    console.print(table)
    for c in counted:
        console.print(
            f"counting {c.tokens:,} tokens of {c.text}: {c.quasar_s:.2f} s "
            f"(limit {COUNT_S} s), plain tiktoken {c.plain_s:.2f} s"
            f"{'' if c.is_within else '  LIMIT'}"
        )
