"""The one place where benchmarks read files: data that ships in the package."""

import hashlib
import lzma
from importlib.resources import files

from quasar.errors import CannotJudge


def load(name: str, sha256: str) -> bytes:
    """The decompressed bytes of ``data/<name>``. Raises CannotJudge where they are not as pinned.

    A task made from other bytes would be another task, so nothing goes on without them.
    """
    try:
        data = lzma.decompress((files("quasar.benchmarks") / "data" / name).read_bytes())
    except (OSError, lzma.LZMAError) as error:
        raise CannotJudge(
            f"the data file {name} cannot be read ({type(error).__name__}): reinstall quasar-subnet"
        ) from error
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise CannotJudge(
            f"the data file {name} holds sha256 {found}, this program needs {sha256}: "
            "reinstall quasar-subnet"
        )
    return data
