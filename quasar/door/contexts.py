"""The miner's store of contexts: files named by the hash of their text."""

import hashlib
import os
import re
import secrets
import time
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import anyio.to_thread

from quasar.door.packing import Unpacker
from quasar.errors import Refused

_NAME = re.compile(r"\A[0-9a-f]{64}\Z")


class Contexts:
    """A folder of texts, bounded in bytes. Uploads appear whole and right, or not at all."""

    def __init__(
        self,
        folder: Path,
        max_text_bytes: int = 32_000_000,
        max_bytes: int = 4_000_000_000,
        keep_s: float = 6 * 3600,
    ) -> None:
        """At most ``max_text_bytes`` a text and ``max_bytes`` in all.

        When room is short, texts older than ``keep_s`` are removed; the rest stay.
        """
        self.max_text_bytes = max_text_bytes
        self._folder = folder
        self._max_bytes = max_bytes
        self._keep_s = keep_s
        folder.mkdir(parents=True, exist_ok=True)
        for partial in folder.glob("*.part"):
            partial.unlink()
        self._bytes = sum(file.stat().st_size for file in folder.iterdir())

    def path(self, sha256: str) -> Path:
        """Where a text is or would be. Raises Refused(bad-name) for anything but a hash."""
        if not _NAME.match(sha256):
            raise Refused("bad-name", "a context is named by 64 lower-case hex digits")
        return self._folder / sha256

    def has(self, sha256: str) -> bool:
        """Whether the text is here."""
        return self.path(sha256).is_file()

    def discard(self, sha256: str) -> None:
        """Remove a text, if it is here."""
        path = self.path(sha256)
        if path.is_file():
            size = path.stat().st_size
            path.unlink()
            self._bytes -= size

    async def receive(self, sha256: str, packed_sha256: str, chunks: AsyncIterator[bytes]) -> None:
        """Store a text that comes as one zstd frame, hashing as it comes.

        Raises Refused: ``wrong-hash`` where frame or text differ from their names, ``too-large``,
        ``bad-zstd``, or ``full``.
        """
        path = self.path(sha256)
        partial = path.with_name(f"{sha256}.{secrets.token_hex(8)}.part")
        upload = _Upload(self, partial)
        try:
            await upload.take(chunks, Unpacker(self.max_text_bytes))
            upload.check(sha256, packed_sha256)
            if path.is_file():
                # Another upload of this text was faster.
                self._bytes -= upload.written
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            self._bytes -= upload.written
            raise

    def claim(self, size: int) -> None:
        """Count bytes that are about to be written. Raises Refused(full)."""
        if self._bytes + size > self._max_bytes:
            self._remove_old()
        if self._bytes + size > self._max_bytes:
            raise Refused("full", "this miner's context store has no room: try again later")
        self._bytes += size

    def _remove_old(self) -> None:
        oldest = time.time() - self._keep_s
        for file in self._folder.iterdir():
            if _NAME.match(file.name) and file.stat().st_mtime < oldest:
                self.discard(file.name)


class _Upload:
    """One text on its way to the disk."""

    def __init__(self, contexts: Contexts, partial: Path) -> None:
        self.written = 0
        self._contexts = contexts
        self._partial = partial
        self._packed = hashlib.sha256()
        self._text = hashlib.sha256()

    async def take(self, chunks: AsyncIterator[bytes], unpacker: Unpacker) -> None:
        async with await anyio.open_file(self._partial, "xb") as file:
            async for chunk in chunks:
                self._packed.update(chunk)
                for text in unpacker.feed(chunk):
                    self._contexts.claim(len(text))
                    self.written += len(text)
                    self._text.update(text)
                    await file.write(text)
            # Otherwise a power cut could leave a file whose name lies.
            await file.flush()
            await anyio.to_thread.run_sync(os.fsync, file.wrapped.fileno())
        unpacker.finish()

    def check(self, sha256: str, packed_sha256: str) -> None:
        if self._packed.hexdigest() != packed_sha256:
            raise Refused("wrong-hash", "the body is not the one that was signed")
        if self._text.hexdigest() != sha256:
            raise Refused("wrong-hash", "the text's SHA-256 is not the context's name")
