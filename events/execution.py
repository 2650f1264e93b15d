"""Stage: code that ran in the sandbox."""

from typing import ClassVar, Literal

from quasar.events.base import Blob, Count, Digest, Event, Hotkey, Kind, Name, Part, Reason
from quasar.events.faults import Fault

Ended = Literal["ok", "error", "timeout", "oom", "crashed", "output_limit", "forbidden"]


class CaseOutcome(Part, frozen=True):
    """One hidden case."""

    status: Ended
    input: Digest | None
    """SHA-256 of the arguments as canonical JSON (``quasar.events.json_value``)."""
    output: Blob | None
    """The returned value as plain JSON; null unless ``status`` is ``ok``."""
    execution_time_ms: Count
    cpu_time_ms: Count | None


class CodeExecuted(Event, frozen=True, tag="CodeExecuted.2"):
    """A submission ran against every case. What is null here was not recorded before this schema.

    ``quasar.rules.executed`` says what must hold between these fields and the plan.
    """

    kind: ClassVar[Kind] = Kind.FACT

    round: Count
    task: Count
    hotkey: Hotkey
    code: Digest | None
    """SHA-256 of the text that ran, as UTF-8."""
    cases: list[CaseOutcome]
    again: list[CaseOutcome] | None
    """The second run of a submission that the round's seed chose; it earns nothing by itself."""
    driver: Name | None
    image: Digest
    layers: list[Digest]
    python: Name | None
    """Version in the image, such as ``3.11.7``."""

    @property
    def slot(self) -> str:
        return f"exec.{self.round}.{self.task}.{self.hotkey}"


class CaseOutcome1(Part, frozen=True):
    """One hidden case of a ``CodeExecuted1``."""

    status: Ended
    output: Blob | None
    execution_time_ms: Count


class CodeExecuted1(Event, frozen=True, tag="CodeExecuted"):
    """The first schema, which rules see as a ``CodeExecuted`` with nulls."""

    kind: ClassVar[Kind] = Kind.FACT

    round: Count
    task: Count
    hotkey: Hotkey
    cases: list[CaseOutcome1]
    image: Digest
    layers: list[Digest]

    @property
    def slot(self) -> str:
        return f"exec.{self.round}.{self.task}.{self.hotkey}"


def newer_execution(old: CodeExecuted1) -> CodeExecuted:
    """What the first schema tells, in the second."""
    cases = [
        CaseOutcome(
            status=case.status,
            input=None,
            output=case.output,
            execution_time_ms=case.execution_time_ms,
            cpu_time_ms=None,
        )
        for case in old.cases
    ]
    return CodeExecuted(
        round=old.round,
        task=old.task,
        hotkey=old.hotkey,
        code=None,
        cases=cases,
        again=None,
        driver=None,
        image=old.image,
        layers=old.layers,
        python=None,
    )


class ExecutionAbandoned(Event, frozen=True, tag="ExecutionAbandoned"):
    """The sandbox itself failed. Shares the slot of CodeExecuted."""

    kind: ClassVar[Kind] = Kind.FACT

    round: Count
    task: Count
    hotkey: Hotkey
    fault: Fault
    reason: Reason

    @property
    def slot(self) -> str:
        return f"exec.{self.round}.{self.task}.{self.hotkey}"
