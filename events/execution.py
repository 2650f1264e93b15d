"""Stage: code that ran in the sandbox."""

from typing import ClassVar, Literal

from quasar.events.base import Blob, Count, Digest, Event, Hotkey, Kind, Part, Reason
from quasar.events.faults import Fault


class CaseOutcome(Part, frozen=True):
    """One hidden case."""

    status: Literal["ok", "error", "timeout", "oom", "crashed", "output_limit", "forbidden"]
    output: Blob | None
    """The returned value as plain JSON."""
    execution_time_ms: Count


class CodeExecuted(Event, frozen=True, tag="CodeExecuted"):
    """A submission ran against every case."""

    kind: ClassVar[Kind] = Kind.FACT

    round: Count
    task: Count
    hotkey: Hotkey
    cases: list[CaseOutcome]
    image: Digest
    layers: list[Digest]

    @property
    def slot(self) -> str:
        return f"exec.{self.round}.{self.task}.{self.hotkey}"


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
