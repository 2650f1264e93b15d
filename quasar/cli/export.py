"""``quasar export``: a log as tables or traces, for other people's tools."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from quasar.cli.output import err, out, say_json
from quasar.cli.source import open_volumes
from quasar.log.archive_reader import ArchiveLog
from quasar.sinks.export import export as export_log
from quasar.sinks.manifest import ExportManifest, To

SOON = 2.0
"""Seconds that need no progress bar."""


def export(
    source: str,
    /,
    *,
    to: To,
    output: Annotated[Path, Parameter(name=("--out", "-o"))],
    blobs: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Write a log as tables or traces, one file per event type, with a manifest and queries.

    Every line is compared with its hash on the way; nothing is judged: that is for `quasar audit`.
    To copy an archive as it is, use `quasar log export`.

    Parameters
    ----------
    source
        Folder or URL of an archive or of the volumes of a log, or ``sample``.
    to
        ``parquet`` and ``jsonl``: tables. ``datasets``: a folder for ``datasets.load_dataset``.
        ``otlp``: traces of rounds, tasks and assignments in the OTLP JSON file form.
    output
        A folder that does not exist yet, or an empty one.
    blobs
        Copy the blobs too, long answers among them, each under its hash.
    json
        Print the manifest as one JSON object.
    """
    logs = open_volumes(source)
    manifest = _export(logs, to, output, _name(source), blobs, bar=err.is_terminal and not json)
    if json:
        say_json({"folder": str(output), "manifest": manifest})
    else:
        _show(manifest, output)
    return 0


def _export(
    logs: Sequence[ArchiveLog], to: To, output: Path, source: str, blobs: bool, *, bar: bool
) -> ExportManifest:
    columns = (TextColumn("exporting"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    shown = Progress(*columns, console=err, transient=True, disable=not bar)
    task = shown.add_task("events", total=sum(log.manifest.last for log in logs))
    begun = time.monotonic()

    def seen(done: int) -> None:
        shown.update(task, completed=done)
        if time.monotonic() - begun > SOON and not shown.live.is_started:
            shown.start()
            shown.refresh()

    try:
        return export_log(logs, to, output, source=source, blobs=blobs, progress=seen)
    finally:
        if shown.live.is_started:  # stop() prints an empty line otherwise
            shown.stop()


def _name(source: str) -> str:
    """What the manifest calls the source: no folder of this machine is told to others."""
    return source if source == "sample" else Path(source).resolve().name


def _show(manifest: ExportManifest, output: Path) -> None:
    events = sum(manifest.events.values())
    size = sum(file.bytes for file in manifest.files) + (
        manifest.blobs.bytes if manifest.blobs else 0
    )
    out.print(
        f"{events} events in {output}: {len(manifest.files)} files, {size} bytes", markup=False
    )
    if any(file.name == "queries.sql" for file in manifest.files):
        out.print(f"ask them with DuckDB: cd {output} && duckdb < queries.sql", markup=False)
    for volume in manifest.volumes:
        out.print(f"  {volume.last:>9} of {volume.origin}, root {volume.root}", markup=False)
