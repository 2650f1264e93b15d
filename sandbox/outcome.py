"""What one case came to."""

from typing import Any, Literal

from msgspec import Struct

Status = Literal["ok", "error", "timeout", "oom", "crashed", "output_limit", "forbidden"]


class Outcome(Struct, frozen=True, kw_only=True):
    """``output``, ``error`` and ``stdout`` were said by the code: trust none of it."""

    status: Status
    """``error``: it raised, or returned no JSON. ``crashed``: it ended without a result.
    ``forbidden``: the policy refused it, or it raised because a wall stood in its way."""
    output: Any = None
    """The returned value as plain JSON: None, bool, int, float, str, list, dict."""
    error: str | None = None
    """One line; null where the status is ``ok``."""
    execution_time_ms: int = 0
    """From the moment the code was handed over to its result, by the runner's clock."""
    cpu_time_ms: int = 0
    """What it used of the processor meanwhile, all its threads together."""
    stdout: str = ""
    """What the code wrote to stdout and stderr, up to ``log_bytes``."""

    @property
    def success(self) -> bool:
        """Whether there is an output. None is one too."""
        return self.status == "ok"
