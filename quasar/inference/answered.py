"""What an engine hands back besides its words."""

from typing import NamedTuple, Protocol, runtime_checkable


class Answered(NamedTuple):
    """An answer, and how much of the prompt was read for it."""

    text: str
    tokens: int
    """Of the whole prompt, in the model's own tokens; 0 where an engine counts none."""
    kept: int
    """Of those, what fitted the model's window."""

    @property
    def truncated(self) -> bool:
        """Whether something was cut out of the context."""
        return self.kept < self.tokens


@runtime_checkable
class Reporting(Protocol):
    """An engine that may not read everything, and says so."""

    def respond(self, context: str, question: str, limit: int) -> Answered:
        """The answer with its report."""
        ...
