"""A volume on a web server and its copy here: where parts come in, and who fetches them."""

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from quasar.log.fetch_http import Site
from quasar.log.files import make_folder

CONNECTIONS = 6

P = TypeVar("P")
R = TypeVar("R")
Seen = Callable[[int, int], None]
"""Called with parts fetched and parts in all."""


@dataclass(frozen=True, kw_only=True)
class Mirror:
    """A volume there, and its copy here."""

    site: Site
    prefix: str
    """Before the names there: nothing, or such as ``3/``."""
    folder: Path
    parts: Path
    """For what is not whole."""
    seen: Seen

    @property
    def url(self) -> str:
        """Of the volume."""
        return f"{self.site.url}/{self.prefix}".rstrip("/")


class Work:
    """Parts fetched by several threads, and counted."""

    def __init__(self, mirror: Mirror, total: int) -> None:
        self._mirror, self._total, self._done = mirror, total, 0
        make_folder(mirror.parts)
        make_folder(mirror.folder)

    def more(self, parts: int) -> None:
        """Count so many more."""
        self._total += parts

    def each(self, parts: Iterable[P], fetch: Callable[[P], R]) -> list[R]:
        """Fetch all of them. The first failure, or Ctrl-C, ends the others."""
        pool = ThreadPoolExecutor(CONNECTIONS)
        try:
            futures: list[Future[R]] = [pool.submit(fetch, part) for part in parts]
            return [self._count(future.result()) for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            self._mirror.site.stop()
            raise
        finally:
            pool.shutdown()

    def _count(self, result: R) -> R:
        self._done += 1
        self._mirror.seen(self._done, self._total)
        return result


def part(mirror: Mirror, name: str) -> Path:
    """Where a part comes in; its folder is there."""
    path = mirror.parts / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def move(mirror: Mirror, names: Iterable[str]) -> None:
    """Parts that came to their places."""
    for name in names:
        with suppress(FileNotFoundError):
            target = mirror.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            (mirror.parts / name).replace(target)


def unproved(mirror: Mirror) -> Path:
    """A file that says that what is here did not fit together, and is not to be built upon."""
    return mirror.parts / "unproved"


def read(path: Path) -> bytes:
    """All of a file; nothing where there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
