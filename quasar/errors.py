"""All errors of the project. Each message says what happened and what to do next."""


class QuasarError(Exception):
    """Base of every error that a person may see; ends a command with its ``exit_code``."""

    exit_code = 2


class UsageError(QuasarError):
    """Raised when an argument or a configured value cannot be used as given."""


class MissingExtra(QuasarError):
    """Raised when a command needs packages that are not installed."""

    def __init__(self, extra: str, package: str) -> None:
        super().__init__(
            f"this needs the package {package!r}: pip install 'quasar-subnet[{extra}]'"
        )


class TryAgain(QuasarError):
    """Raised when another process holds what this one needs; wait and repeat the command."""

    exit_code = 75


class LogError(QuasarError):
    """Raised when the log cannot be opened, read or written."""


class Damaged(LogError):
    """Raised when stored events are missing, altered or out of order. Names the first bad one."""

    exit_code = 1

    def __init__(self, seq: int, reason: str) -> None:
        super().__init__(f"event {seq}: {reason}")
        self.seq = seq
        self.reason = reason


class Diverged(LogError):
    """Raised when a decision differs from the one already stored in its slot.

    Two validators share a key, or the code changed under a running round: stop both,
    keep the log, and run ``quasar audit`` on it.
    """

    exit_code = 1

    def __init__(self, slot: str, seq: int) -> None:
        super().__init__(
            f"slot {slot} already holds another decision (event {seq}); this actor stops. "
            "Run `quasar audit` on the log before starting it again"
        )
        self.slot = slot
        self.seq = seq


class CannotJudge(QuasarError):
    """Raised when a log needs a version, a blob or a secret that is not here."""


class NoSource(CannotJudge):
    """Raised when a task needs a pack that nobody named and no log gave."""


class ChainError(QuasarError):
    """Raised when the chain cannot be read or refuses a call."""

    exit_code = 75


class Refused(QuasarError):
    """Raised when the other side of the miner's door breaks the protocol or a limit."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
