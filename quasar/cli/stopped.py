"""A validator's folders while it does not run."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from quasar.config import state_folder
from quasar.errors import TryAgain, UsageError
from quasar.log.archive_reader import ArchiveLog
from quasar.log.files import FolderLock


def home_named(state: Path | None) -> Path:
    """The state folder that a person names, or the only one of this user. Raises UsageError."""
    if state is not None:
        if not state.is_dir():
            raise UsageError(f"{state} is no folder: name the validator's --state")
        return state
    base = state_folder() / "validator"
    found = sorted(path for path in base.iterdir() if path.is_dir()) if base.is_dir() else []
    if len(found) != 1:
        many = ", ".join(path.name for path in found) or "none"
        raise UsageError(f"name the validator's --state; in {base} there are: {many}")
    return found[0]


@contextmanager
def stopped(home: Path, volumes: Sequence[ArchiveLog], then: str) -> Iterator[None]:
    """Hold the store as its server would, so that no validator starts meanwhile.

    ``then`` says in the error what to do once it is stopped. Raises TryAgain while it runs.
    """
    held = [log.folder for log in volumes]
    if (home / "nats").is_dir():
        (home / "nats" / "lock").touch(mode=0o600)
        held.append(home / "nats" / "lock")
    with ExitStack() as locks:
        for path in held:
            try:
                locks.callback(FolderLock(path).release)
            except TryAgain:
                raise TryAgain(
                    f"the validator of {home} is running: stop it first (SIGTERM), then {then}"
                ) from None
        yield
