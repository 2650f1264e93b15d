"""Where this user's programs keep what they can get again."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """``quasar`` in XDG_CACHE_HOME, else in ``~/.cache``. It may not exist yet."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "quasar"
