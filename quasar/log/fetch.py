"""A log that a web server publishes, as a folder here: fetched once, then only what is new.

``<cache>/archives/<host>-<digest>/log`` is an archive or a folder of volumes like any other. All
copies together are bounded: see ``quasar.log.fetch_room``.
"""

import hashlib
import re
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import msgspec

from quasar.errors import CannotJudge, LogError, UsageError
from quasar.events.fork import open_fork
from quasar.log.fetch_head import NotContinued
from quasar.log.fetch_http import Site
from quasar.log.fetch_mirror import Mirror, Seen
from quasar.log.fetch_room import EVIDENCE, hold, make_room
from quasar.log.fetch_volume import fetch_volume, held
from quasar.log.files import FolderLock, make_folder, write_atomically
from quasar.log.fork import find_fork
from quasar.log.history import read_archive
from quasar.log.user_cache import cache_folder
from quasar.log.whole import is_sealed

_MOST_VOLUMES = 100_000


class OtherHistory(LogError):
    """Raised when a server shows less, or something else, than it did before.

    ``folder`` holds what it showed before; ``evidence`` proves to a stranger that the validator
    signed both, where it did.
    """

    exit_code = 1

    def __init__(
        self,
        url: str,
        volume: int | None,
        seq: int,
        reason: str,
        folder: Path,
        evidence: Path | None,
    ) -> None:
        """``seq``: of the first event, of that volume, that is known to differ or to be missing."""
        proof = f"; {evidence} proves that its validator signed both" if evidence else ""
        super().__init__(
            f"{url} shows another history than before: {reason}{proof}. What it showed before is "
            f"in {folder}: remove that folder to forget it"
        )
        self.url = url
        self.volume = volume
        self.seq = seq
        self.reason = f"the server shows another history than before: {reason}"
        self.folder = folder
        self.evidence = evidence


def kept_in(url: str, cache: Path) -> Path:
    """The folder of everything that was fetched from a URL; ``log`` in it is the log."""
    site = Site(url)
    name = re.sub(r"[^a-z0-9.-]", "_", site.host)[:64]
    return cache / "archives" / f"{name}-{hashlib.sha256(site.url.encode()).hexdigest()[:16]}"


def fetch(
    url: str,
    *,
    cache: Path | None = None,
    newest: bool = False,
    seen: Seen = lambda *_: None,
) -> Path:
    """Fetch what is new of a log, and return its folder. Blocks.

    The copy stays for as long as this process lives; another, that nobody uses, may leave for it.
    ``newest``: of sealed volumes that are here already not even the checkpoint is asked for again.
    ``seen`` is called with parts fetched and parts known of. Raises UsageError where no log is
    published, or the URL leads elsewhere; OtherHistory; LogError for what no archive has; TryAgain
    where the server cannot be reached, or another process fetches: the next call goes on.
    """
    place = kept_in(url, cache or cache_folder())
    folder = _fetched(url, place, newest, seen)
    if not newest:
        with suppress(OSError):
            make_room(place.parent)
    return folder


def _fetched(url: str, place: Path, newest: bool, seen: Seen) -> Path:
    with _locked(place), closing(Site(url)) as site:
        if not (place / "log" / "1").exists() and _fetch(site, "", place, seen):
            return place / "log"
        for number in range(1, _MOST_VOLUMES):
            if newest and _is_sealed(place / "log" / str(number)):
                continue
            if not _fetch(site, f"{number}/", place, seen):
                break
        if number == 1:
            raise UsageError(
                f"{url} publishes no log: there is neither manifest.json nor 1/manifest.json. "
                "Name the URL that `quasar log serve` prints"
            )
        if (place / "log" / str(number)).exists():
            reason = f"volume {number} was there before"
            raise OtherHistory(url, number, 1, reason, place / "log", None)
    return place / "log"


def _fetch(site: Site, prefix: str, place: Path, seen: Seen) -> bool:
    mirror = Mirror(
        site=site,
        prefix=prefix,
        folder=place / "log" / prefix,
        parts=place / "parts" / (prefix or "0"),
        seen=seen,
    )
    try:
        return fetch_volume(mirror)
    except NotContinued as other:
        evidence = _evidence(mirror, place)
        seq = (_differing(evidence) if evidence else None) or other.seq
        number = int(prefix[:-1]) if prefix else None
        raise OtherHistory(mirror.url, number, seq, other.reason, place / "log", evidence) from None


def _differing(evidence: Path) -> int | None:
    """The event that the evidence shows twice; None where it has but two roots."""
    differs = msgspec.json.decode(evidence.read_bytes())["differs"]
    return int(differs["seq"]) if differs else None


def _is_sealed(folder: Path) -> bool:
    try:
        log = held(folder)
        return log is not None and is_sealed(log)
    except LogError:
        return False


def _evidence(mirror: Mirror, place: Path) -> Path | None:
    """The file that proves the fork, if both histories are signed: the other is fetched whole."""
    folder, parts, path = place / "other", place / "other-parts", place / EVIDENCE
    for old in (folder, parts):
        shutil.rmtree(old, ignore_errors=True)
    other = Mirror(
        site=mirror.site, prefix=mirror.prefix, folder=folder, parts=parts, seen=mirror.seen
    )
    try:
        fetch_volume(other)
        before, now = held(mirror.folder), held(folder)
        found = find_fork(read_archive(before), read_archive(now)) if before and now else None
        if found is None:
            return None
        open_fork(found)
    except (CannotJudge, LogError):  # damaged, or nobody's word
        return None
    write_atomically(path, found)
    return path


@contextmanager
def _locked(place: Path) -> Iterator[None]:
    try:
        make_folder(place)
        lock = FolderLock(place)
    except OSError as problem:
        raise LogError(
            f"{place} cannot be made ({problem.strerror}): name another XDG_CACHE_HOME"
        ) from None
    try:
        hold(place)
        yield
    except OSError as problem:
        raise LogError(f"{place} cannot be written: {problem.strerror or problem}") from None
    finally:
        lock.release()
