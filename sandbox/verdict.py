"""From what the runner reports to an Outcome. The child's bytes in it are a stranger's."""

import signal
from typing import Any, Literal

import msgspec

from quasar.events.json_value import read_json
from quasar.sandbox.errors import SandboxError
from quasar.sandbox.outcome import Outcome, Status

OUT_OF_TIME = "the case ran out of time"
MAX_LINE = 200
"""Characters of ``Outcome.error``."""


class Report(msgspec.Struct, frozen=True):
    """The runner's own words about one case."""

    verdict: Literal["timeout", "overdue", "output_limit"] | None
    """Set where the runner ended the case; ``overdue`` after it waited too long to be judged."""
    whole: bool
    """Whether the child sent a complete result."""
    exit: int
    """Exit code of the child, or minus the signal that ended it."""
    oom: bool
    """Whether the kernel ended a process of this case for want of memory."""
    ms: int
    cpu_ms: int
    result_bytes: int


class Claim(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The child's words: they choose the output, never a success without one.

    Whether a case took too long or crashed is not for the child to say.
    """

    status: Literal["ok", "error", "forbidden", "oom", "output_limit"]
    error: str | None


def report_of(header: dict[str, Any]) -> Report:
    """Raises SandboxError for words that no runner of ours says."""
    try:
        return msgspec.convert(header, Report)
    except msgspec.ValidationError as error:
        raise SandboxError(f"the runner sent no report: {error}; stop and tell us") from error


def outcome_of(report: Report, result: bytes, prints: bytes) -> Outcome:
    """Never raises, whatever the child sent."""
    status, error, output = _judge(report, result)
    return Outcome(
        status=status,
        output=output,
        error=None if error is None else one_line(error),
        execution_time_ms=report.ms,
        cpu_time_ms=report.cpu_ms,
        stdout=prints.decode("utf-8", "replace"),
    )


def _judge(report: Report, result: bytes) -> tuple[Status, str | None, object]:
    if report.verdict == "output_limit":
        return "output_limit", "the code wrote more than it may", None
    if report.verdict is not None:
        return "timeout", OUT_OF_TIME, None
    if report.whole:
        return _claimed(result)
    if report.exit == -signal.SIGKILL and report.oom:
        return "oom", "the case ran out of memory", None
    if report.exit == -signal.SIGKILL:  # by the runner, once no result could come any more
        return "crashed", "the code closed the way of its result", None
    if report.exit < 0:
        return "crashed", f"the code was ended by {_signal_name(-report.exit)}", None
    return "crashed", f"the code exited with {report.exit} before it returned", None


def _claimed(result: bytes) -> tuple[Status, str | None, object]:
    head, _, text = result.partition(b"\0")
    try:
        claim = msgspec.json.decode(head, type=Claim)
    except (ValueError, RecursionError):
        return "crashed", "the code sent something else than a result", None
    if claim.status != "ok":
        return claim.status, claim.error or "no reason given", None
    try:
        return "ok", None, read_json(text)
    except ValueError as error:
        return "error", f"the returned value is not JSON: {error}", None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def one_line(text: str) -> str:
    """Printable characters on one line, at most MAX_LINE of them."""
    shown = "".join(c if c.isprintable() else " " for c in text[: 4 * MAX_LINE])
    return " ".join(shown.split())[:MAX_LINE]
