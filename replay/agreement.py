"""Two runs of one program, case by case: what was recorded, and what it does here."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from quasar.benchmarks.family import Program
from quasar.events import CaseOutcome
from quasar.events.blobs import Blobs
from quasar.events.json_value import canonical_json
from quasar.metrics.program import passed_cases
from quasar.replay.finding import DifferingCase
from quasar.rules.executed import CHOSEN, never_ran


class End(NamedTuple):
    """How a case ended."""

    status: str
    output: bytes | None
    """JSON; None where it returned nothing."""


def recorded_end(case: CaseOutcome, blobs: Blobs) -> End:
    """As the log tells it. Raises as ``Blobs.get``."""
    if never_ran(case):
        return NEVER_RAN
    found = case.status == "ok" and case.output is not None
    return End(case.status, blobs.get(case.output) if found and case.output else None)


NEVER_RAN = End("never ran", None)
"""Nothing to compare another run with."""


def here_end(status: str, output: Any) -> End:
    """As a sandbox tells it."""
    return End(status, canonical_json(output) if status == "ok" else None)


def contradict(recorded: Sequence[End], here: Sequence[End]) -> bool:
    """Whether some case ended in two ways, both of them the code's own doing."""
    return any(
        one != two and one.status in CHOSEN and two.status in CHOSEN
        for one, two in zip(recorded, here, strict=False)
    )


def compared(
    program: Program, recorded: Sequence[End], here: Sequence[End]
) -> tuple[int, int, list[DifferingCase]]:
    """Cases passed as recorded and here, and each that passes in one of the two alone."""
    one, two = _passed(program, recorded), _passed(program, here)
    where = [
        DifferingCase(case=i, recorded=_word(recorded, i, a), here=_word(here, i, b))
        for i, (a, b) in enumerate(zip(one, two, strict=True))
        if a != b and recorded[i : i + 1] != [NEVER_RAN]
    ]
    return one.count(True), two.count(True), where


def _passed(program: Program, ends: Sequence[End]) -> list[bool]:
    """Case by case; another number of cases is no verdict on this program: none passes."""
    outputs = [end.output for end in ends]
    if len(outputs) != len(program.expected):
        return [False] * len(program.expected)
    return passed_cases(outputs, program.expected, program.tolerances)


def _word(ends: Sequence[End], i: int, passed: bool) -> str:
    if passed:
        return "passed"
    if i >= len(ends):
        return "missing"
    return "other value" if ends[i].status == "ok" else ends[i].status
