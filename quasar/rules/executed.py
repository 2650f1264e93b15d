"""What a recorded run of a program must be like, and what two runs say of each other.

The text that ran, each case's arguments and who runs twice all follow from the log, so a record
that says anything else is damaged. What the program returned is a fact: pass or fail is computed
from it anew, and only another run (``quasar audit --re-execute``) can contradict it.

A record without the newer fields was made by a program of before they were. No policy with an
``[execution]`` table takes it, and none stands behind a newer one: who reads that cannot write it.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from quasar.benchmarks.family import Json, Program
from quasar.draw import Draw
from quasar.events import CaseOutcome, CodeExecuted
from quasar.events.json_value import Tolerance, canonical_json

ONE_IN = 10
"""Of so many submissions one runs twice."""
CHOSEN = frozenset({"ok", "error", "forbidden", "output_limit"})
"""Ends that the code itself chose. A timeout, a lack of memory or a crash may be the machine's."""
NONDETERMINISTIC = "nondeterministic"
"""The failure of a program whose two runs contradict each other."""


class Hidden(NamedTuple):
    """The hidden cases of a program, as far as a record of its run can be compared with them."""

    inputs: list[str]
    """``digest_of`` each case's arguments."""
    expected: list[Json]
    tolerances: list[Tolerance | None]


def hidden_of(program: Program) -> Hidden:
    """What to compare records of that program with."""
    inputs = [digest_of(arguments) for arguments in program.cases]
    return Hidden(inputs, program.expected, list(program.tolerances))


def runs_twice(seed: bytes, task: int, hotkey: str) -> bool:
    """Whether a submission runs twice: a tenth does. ``seed``: the round's, unknown before the
    reveal, so that nobody can prepare for it."""
    return Draw(seed, f"again/{task}/{hotkey}").below(ONE_IN) == 0


def digest_of(arguments: Sequence[Any]) -> str:
    """SHA-256 of a case's arguments as canonical JSON, hex."""
    return hashlib.sha256(canonical_json(list(arguments))).hexdigest()


def code_digest(code: str) -> str:
    """SHA-256 of a program's text as UTF-8, hex."""
    return hashlib.sha256(code.encode()).hexdigest()


def is_older(run: CodeExecuted) -> bool:
    """Whether it lacks what the newer schema brought."""
    return run.code is None


def never_ran(case: CaseOutcome) -> bool:
    """Whether its miner's time of the round was used up before it (``sandbox_time``)."""
    return case.status == "timeout" and case.execution_time_ms == 0


def wrong_record(run: CodeExecuted, code: str, hidden: Hidden, *, twice: bool) -> str | None:
    """Why this cannot be the record of that program's run; None where it can.

    ``twice``: whether the seed chose it for a second run.
    """
    if run.code != code_digest(code):
        return "another text ran than the miner answered"
    if (run.again is not None) != twice:
        return "the seed chose a second run" if twice else "the seed chose no second run"
    for cases in recorded_runs(run):
        if [case.input for case in cases] != hidden.inputs:
            return "it ran on other cases than the hidden ones"
        if any((case.output is None) == (case.status == "ok") for case in cases):
            return "a case has an output if, and only if, it is ok"
    timed = all(case.cpu_time_ms is not None for cases in recorded_runs(run) for case in cases)
    if not timed or run.driver is None or run.python is None:
        return "it does not say who ran it, or for how long"
    return None


def recorded_runs(run: CodeExecuted) -> list[list[CaseOutcome]]:
    """The run that counts, and the second one where there is one."""
    return [run.cases] if run.again is None else [run.cases, run.again]


def contradicts(run: CodeExecuted) -> bool:
    """Whether some case ended in two ways, both of them the code's own doing."""
    if run.again is None:
        return False
    return any(_differ(one, two) for one, two in zip(run.cases, run.again, strict=True))


def _differ(one: CaseOutcome, two: CaseOutcome) -> bool:
    if one.status not in CHOSEN or two.status not in CHOSEN:
        return False
    return (one.status, one.output) != (two.status, two.output)
