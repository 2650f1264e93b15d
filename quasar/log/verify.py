"""Is an archive what its validator signed? Lines, hashes, blobs and checkpoints; no rule is run.

Segments are checked by several processes and folded in order, so that the first bad event is named
as one process would name it. Memory does not grow with the log.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from quasar.errors import CannotJudge, Damaged, LogError
from quasar.events.frontier import Frontier
from quasar.events.merkle import EMPTY
from quasar.events.note import BadSignature, LogKeys, parse_checkpoint
from quasar.events.opening import Opening, read_opening
from quasar.events.rotation import keys_after
from quasar.log.archive_reader import ArchiveLog
from quasar.log.log_keys import KeyShown, show_keys
from quasar.log.manifest import Segment, segment_name
from quasar.log.rotations import check_rotations
from quasar.log.segment_check import Job
from quasar.log.segment_processes import check_segments
from quasar.log.tile_check import check_tile_files

Progress = Callable[[int], object]
"""Called with the number of events checked so far."""


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What was found to hold."""

    origin: str
    hotkey: str
    log_key: str
    """Of event 1."""
    keys: list[KeyShown]
    """All log keys, and the sizes of checkpoints that count under each."""
    pinned: bool
    """Whether the caller named the hotkey."""
    events: int
    root: str
    """Over all events, hex."""
    checkpoints: int
    """Signed, and prefixes of this log."""
    unsigned: int
    """Newest events that no checkpoint covers yet; only while the log is being written."""
    blobs: int
    """Named by events, and there. One that events of two segments name counts twice."""


def verify_archive(
    folder: Path,
    *,
    hotkey: str | None = None,
    blobs: bool = True,
    processes: int | None = None,
    progress: Progress | None = None,
) -> Verified:
    """Check an archive against itself, its log key and, if named, its validator's hotkey.

    Without ``blobs`` the files that events name are left alone, which saves a seventh of the time.
    Raises Damaged with the first event that is missing, altered or not signed for, BadSignature
    for another validator's log, UsageError for a folder that is no archive, CannotJudge for one
    without events, and LogError where this machine fails.
    """
    log = ArchiveLog(folder)
    if log.manifest.last == 0:
        raise CannotJudge(f"{folder} holds no event yet")
    sizes = _sizes(log)
    jobs = list(_jobs(log, sizes, blobs))
    roots, named, rotations = _fold(log, jobs, processes, progress)
    opening = _open(log, hotkey)
    keys = keys_after(opening, rotations)
    check_tile_files(log)
    checkpoints = _Checkpoints(log, keys, opening.origin, roots)
    covered = checkpoints.check(log.checkpoint_sizes())
    return Verified(
        origin=opening.origin,
        hotkey=opening.event.hotkey,
        log_key=opening.event.log_key,
        keys=show_keys(keys),
        pinned=hotkey is not None,
        events=log.manifest.last,
        root=roots[log.manifest.last].hex(),
        checkpoints=len(checkpoints.verified),
        unsigned=log.manifest.last - covered,
        blobs=named,
    )


def _sizes(log: ArchiveLog) -> list[int]:
    """Sizes at which a root is needed, ascending."""
    sizes = {*log.checkpoint_sizes(), log.manifest.last}
    with suppress(CannotJudge):  # told later, behind what is wrong with the events
        sizes.add(parse_checkpoint(log.checkpoint_note() or "").size)
    return sorted(size for size in sizes if size <= log.manifest.last)


def _fold(
    log: ArchiveLog, jobs: list[Job], processes: int | None, progress: Progress | None
) -> tuple[dict[int, bytes], int, list[tuple[int, bytes]]]:
    """The root at each size, the number of blobs, and the rotations, once all is good."""
    tree, roots, blobs, rotations = Frontier(), {0: EMPTY}, 0, list[tuple[int, bytes]]()
    for job, part in zip(jobs, check_segments(jobs, processes), strict=True):
        if part.failure:
            raise LogError(part.failure)
        if part.damage:
            raise Damaged(*part.damage)
        roots |= {size: tree.root_with(size, part.nodes[size]) for size in job.sizes}
        tree.extend(job.segment.last, part.nodes[job.segment.last])
        blobs += part.blobs
        rotations += part.rotations
        check_rotations(rotations)
        if progress:
            progress(job.segment.last)
    for _ in log.lines(log.manifest.last):  # no line is left; this checks the manifest itself
        pass
    return roots, blobs, rotations


def _jobs(log: ArchiveLog, sizes: list[int], blobs: bool) -> Iterator[Job]:
    """A job for each segment, up to the first that does not follow the one before."""
    follows = 1
    for segment in log.manifest.segments:
        if not _is_next(segment, follows, log.manifest.last):
            return
        ending = [size for size in sizes if segment.first <= size <= segment.last]
        yield Job(str(log.folder), segment, log.manifest.last, ending, blobs)
        follows = segment.last + 1


def _is_next(segment: Segment, follows: int, last: int) -> bool:
    good = segment.first == follows and segment.name == segment_name(follows)
    return good and segment.first <= segment.last <= last


def _open(log: ArchiveLog, hotkey: str | None) -> Opening:
    """Event 1, of which the manifest must say the same."""
    _, line = next(log.lines())
    opening = read_opening(line, hotkey)
    for name in log.manifest.identity.__struct_fields__:
        if getattr(opening.event, name) != getattr(log.manifest.identity, name):
            raise Damaged(1, f"the manifest names another {name} than LogOpened")
    return opening


class _Checkpoints:
    """Every signed note of an archive, against the roots that its lines give."""

    def __init__(
        self, log: ArchiveLog, keys: LogKeys, origin: str, roots: dict[int, bytes]
    ) -> None:
        self._log = log
        self._keys = keys
        self._origin = origin
        self._roots = roots
        self._last = log.manifest.last
        self.verified: set[int] = set()
        """Their sizes."""

    def check(self, sizes: list[int]) -> int:
        """All notes; returns how many events the newest covers. Raises Damaged."""
        for size in sizes:
            self._note(f"checkpoints/{size}", size)
        newest = self._note("the checkpoint", None)
        if not self._log.is_final():
            return newest
        if beyond := self._log.checkpoint_beyond():
            raise Damaged(self._last + 1, f"missing: checkpoints/{beyond} covers it")
        if newest < self._last:
            raise Damaged(newest + 1, "no signed checkpoint covers this event and those after it")
        return newest

    def _note(self, name: str, named: int | None) -> int:
        """The size that a note covers, which must be the one it is named by."""
        note = None
        try:
            note = self._log.checkpoint_note(named)
            if note is None:
                raise Damaged(self._last, f"{name} is missing; get another copy of the archive")
            checkpoint = self._keys.open(note, self._origin)
        except (CannotJudge, BadSignature) as problem:
            self._check_length(name, note)
            raise Damaged(self._last, f"{name} does not verify: {problem}") from None
        if named not in (None, checkpoint.size):
            raise Damaged(checkpoint.size, f"its checkpoint stands under the size {named}")
        if checkpoint.size > self._last:
            raise Damaged(
                self._last + 1, f"missing: {name} is signed and covers {checkpoint.size} events"
            )
        if checkpoint.root != self._roots[checkpoint.size]:
            raise Damaged(checkpoint.size, f"{name} is signed and has another root")
        self.verified.add(checkpoint.size)
        return checkpoint.size

    def _check_length(self, name: str, note: str | None) -> None:
        """A note that is not signed may be the only trace of events that were cut off."""
        with suppress(CannotJudge):
            size = parse_checkpoint(note or "").size
            if size > self._last:
                raise Damaged(
                    self._last + 1,
                    f"missing: {name} covers {size} events, under a key that is not in the log",
                )
