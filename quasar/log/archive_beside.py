"""A file that this user made from an archive and keeps beside it, to be quicker the next time.

What stands in such a file is believed, so it is read back only with the code that a key of this
user's own gave it: a file that came along with a stranger's archive, or was altered or torn, is as
good as none.
"""

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from quasar.log.archive_reader import ArchiveLog
from quasar.log.files import make_folder, read_regular, write_atomically
from quasar.log.user_cache import cache_folder
from quasar.log.zstd import ZstdDecompressor, compress

_CODE_BYTES = 32
_MAX_BYTES = 2**30


class Beside:
    """One derived file of an archive: in its folder, or in the user's cache if that is closed."""

    def __init__(self, log: ArchiveLog, name: str) -> None:
        """``name``: of the file; ends up as ``name`` or ``<cache>/quasar/beside/<digest>.name``."""
        self._log = log
        self._name = name

    @property
    def places(self) -> tuple[Path, Path]:
        """Where it is looked for, in order."""
        whose = f"{self._log.manifest.identity.origin}\n{self._log.folder.resolve()}"
        digest = hashlib.sha256(whose.encode()).hexdigest()[:32]
        return self._log.folder / self._name, cache_folder() / "beside" / f"{digest}.{self._name}"

    def found(self) -> Iterator[bytes]:
        """What was kept and is unaltered."""
        if (key := _key()) is None:
            return
        for path in self.places:
            with suppress(OSError):
                data = read_regular(path.parent, path.name, _MAX_BYTES)
                code, content = data[:_CODE_BYTES], data[_CODE_BYTES:]
                if hmac.compare_digest(code, self._code(key, content)):
                    yield ZstdDecompressor().decompress(content)

    def keep(self, content: bytes) -> Path | None:
        """Write it whole; returns where, or None where this user can write nowhere."""
        if (key := _key(make=True)) is None:
            return None
        content = compress(content)
        for path in self.places:
            with suppress(OSError):
                if path.parent != self._log.folder:
                    make_folder(path.parent)
                write_atomically(path, self._code(key, content) + content)
                return path
        return None

    def _code(self, key: bytes, content: bytes) -> bytes:
        """Over its name too: one kind of file is never taken for another."""
        return hmac.digest(key, self._name.encode() + b"\0" + content, "sha256")


def _key(*, make: bool = False) -> bytes | None:
    """This user's own key; None where there is none. Losing it costs some work, nothing else."""
    folder, name = cache_folder(), "beside.key"
    try:
        with suppress(FileNotFoundError):
            key = read_regular(folder, name, 64)
            if len(key) == _CODE_BYTES:
                return key
        if not make:
            return None
        make_folder(folder)
        _write_private(folder / name, secrets.token_bytes(_CODE_BYTES))
        return read_regular(folder, name, 64)
    except OSError:
        return None


def _write_private(path: Path, data: bytes) -> None:
    """A file that only its owner reads, whole from its first moment on."""
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600, exist_ok=False)
    part.write_bytes(data)
    part.replace(path)
