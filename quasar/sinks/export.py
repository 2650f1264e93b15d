"""Reads a log once and writes it out in one format."""

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

import msgspec

from quasar import __version__
from quasar.errors import LogError, UsageError
from quasar.events import AnyEvent
from quasar.events.base import Blob
from quasar.events.frontier import Frontier, Span
from quasar.log.archive_reader import ArchiveLog
from quasar.log.blobs import FolderBlobs
from quasar.log.files import write_atomically
from quasar.log.whole import is_pruned
from quasar.sinks.datasets import Datasets
from quasar.sinks.jsonl import JsonLines
from quasar.sinks.manifest import (
    FORMAT,
    NAME,
    Exported,
    ExportManifest,
    HeldBlobs,
    To,
    describe,
    encode,
    versions,
)
from quasar.sinks.otlp import Otlp
from quasar.sinks.parquet import Parquet
from quasar.sinks.sink import Origin, Sink, record
from quasar.sinks.tables import Tables

Progress = Callable[[int], None]
"""Called with events done."""

PARTIAL = ".partial"
"""Files stand here until all are finished."""

_STEP = 1024
"""Events between two reports of progress; hashes in one part of a tree."""


def export(
    logs: Sequence[ArchiveLog],
    to: To,
    out: Path,
    *,
    source: str,
    blobs: bool = False,
    progress: Progress | None = None,
) -> ExportManifest:
    """Write volumes, in order, into an empty or new folder; its manifest comes last.

    Every line is compared with its hash on the way. ``blobs``: copy the blobs that the archives
    hold too. After a failure nothing is left behind. Raises UsageError for an unusable folder,
    MissingExtra, CannotJudge for pruned volumes and unknown event types, Damaged where lines,
    hashes or blobs are not what they should be, and LogError where the disk refuses.
    """
    if pruned := [log for log in logs if is_pruned(log)]:
        raise UsageError(f"the events of {pruned[0].folder} were pruned: export their other copy")
    if any(out.resolve().is_relative_to(log.folder.resolve()) for log in logs):
        raise UsageError(f"{out} is in the archive itself: name a folder outside of it")
    sink = _sink(to)
    is_new = _take(out)
    part = out / PARTIAL
    try:
        part.mkdir()
        manifest = _export(logs, to, sink, part, source, blobs, progress or (lambda _: None))
        _publish(part, encode(manifest))
    except BaseException as failure:
        with suppress(Exception):  # what failed may fail again: a full disk
            sink.close()
        shutil.rmtree(part, ignore_errors=True)
        with suppress(OSError):
            if is_new:
                out.rmdir()
        if isinstance(failure, OSError):
            raise LogError(f"{out} cannot be written: {failure.strerror or failure}") from failure
        raise
    return manifest


def _export(
    logs: Sequence[ArchiveLog],
    to: To,
    sink: Sink,
    out: Path,
    source: str,
    blobs: bool,
    progress: Progress,
) -> ExportManifest:
    sink.begin(out)
    counts = _write(logs, sink, progress)
    volumes = [_volume(log) for log in logs]
    found = Origin(tuple(v.origin for v in volumes), tuple(v.root for v in volumes))
    files = {**sink.end(found), "schema.json": _write_schema(out)}
    return ExportManifest(
        format=FORMAT,
        to=to,
        source=source,
        schema=__version__,
        versions=versions(sink.packages),
        volumes=volumes,
        events=dict(sorted(counts.items())),
        files=[describe(out, name, rows) for name, rows in sorted(files.items())],
        blobs=_copy_blobs(logs, out) if blobs else None,
    )


def _write(logs: Sequence[ArchiveLog], sink: Sink, progress: Progress) -> Counter[str]:
    counts: Counter[str] = Counter()
    done = 0
    for log in logs:
        origin, volume = log.manifest.identity.origin, log.manifest.volume
        for seq, line in log.verified():
            event = record(origin, volume, seq, line)
            sink.write(event)
            counts[event.tag] += 1
            done += 1
            if done % _STEP == 0:
                progress(done)
    progress(done)
    return counts


def _sink(to: To) -> Sink:
    match to:
        case "jsonl":
            return Tables(JsonLines())
        case "parquet":
            return Tables(Parquet())
        case "datasets":
            return Datasets()
        case "otlp":
            return Otlp()


def _take(out: Path) -> bool:
    """Make the folder; whether it is new."""
    try:
        out.mkdir(parents=True)
    except FileExistsError:
        if not out.is_dir() or any(out.iterdir()):
            raise UsageError(
                f"{out} exists and is not empty: name a new folder, or remove what an export that "
                "was killed left in it"
            ) from None
        return False
    except OSError as problem:
        raise UsageError(f"{out} cannot be made: {problem.strerror}") from None
    return True


def _publish(part: Path, manifest: bytes) -> None:
    """Move the finished files into the folder; the manifest is the last."""
    for path in sorted(part.iterdir()):
        path.rename(part.parent / path.name)
    part.rmdir()
    write_atomically(part.parent / NAME, manifest)


def _volume(log: ArchiveLog) -> Exported:
    """Its root follows from the hashes that every line was compared with."""
    tree, hashes = Frontier(), log.leaf_hashes()
    while leaves := b"".join(islice(hashes, _STEP)):
        span = Span(tree.size, leaves)
        tree.extend(span.end, span.nodes(span.end))
    return Exported(
        origin=log.manifest.identity.origin,
        volume=log.manifest.volume,
        first=log.manifest.first,
        last=log.manifest.last,
        root=tree.root().hex(),
        checkpoint=log.checkpoint_note(),
    )


def _write_schema(out: Path) -> int:
    schema = msgspec.json.format(
        msgspec.json.encode(msgspec.json.schema(AnyEvent), order="deterministic"), indent=1
    )
    (out / "schema.json").write_bytes(schema + b"\n")
    return schema.count(b"\n") + 1


def _copy_blobs(logs: Sequence[ArchiveLog], out: Path) -> HeldBlobs:
    """Volumes name some blobs in common: each is written once."""
    target = FolderBlobs(out / "blobs")
    for log in logs:
        held = FolderBlobs(log.folder / "blobs", read_only=True)
        for name in held.names():
            length = (log.folder / "blobs" / name).lstat().st_size
            target.put(held.get(Blob(sha256=name[3:], bytes=length)))
    copied = [(out / "blobs" / name).stat().st_size for name in target.names()]
    return HeldBlobs(count=len(copied), bytes=sum(copied))
