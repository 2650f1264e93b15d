"""The folder of what bubblewrap needs on disk: root folders, and a program that root may use."""

import os
from pathlib import Path

from quasar.sandbox.errors import SandboxError

SYSTEM_CACHE = Path("/var/cache/quasar/sandbox")
"""Root's: other than root's home it can be entered by the user that cells run as."""


def cache_folder() -> Path:
    """Where root folders are kept, some 70 MB each. Raises SandboxError where there is no place."""
    if os.geteuid() == 0:
        return SYSTEM_CACHE
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        base = named if named.is_absolute() else Path.home() / ".cache"
    except RuntimeError as error:
        raise SandboxError(
            "this user has no home to keep the sandbox's files in: set XDG_CACHE_HOME"
        ) from error
    return base / "quasar" / "sandbox"


def open_folder(folder: Path) -> None:
    """Make it with its parents, and open to other users whatever this process's umask says."""
    if not folder.is_dir():
        open_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
