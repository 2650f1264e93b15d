"""What one case came to."""

from typing import Any, Literal

from msgspec import Struct

Status = Literal["ok", "error", "timeout", "oom", "crashed", "output_limit", "forbidden"]


class Outcome(Struct, frozen=True, kw_only=True):
    """Everything but ``status``, ``execution_time_ms`` was said by the code: trust none of it."""

    status: Status
    """``error``: it raised, or returned no JSON. ``crashed``: it ended without a result.
    ``forbidden``: it raised because a wall of the sandbox stood in its way."""
    output: Any = None
    """The returned value as plain JSON: None, bool, int, float, str, list, dict."""
    error: str | None = None
    """One line; null where the status is ``ok``."""
    execution_time_ms: int = 0
    """From the moment the code was handed over to its result, by the runner's clock."""
    stdout: str = ""
    """What the code wrote to stdout and stderr, up to ``log_bytes``."""

    @property
    def success(self) -> bool:
        """Whether there is an output. None is one too."""
        return self.status == "ok"
