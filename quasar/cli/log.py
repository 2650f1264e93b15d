"""``quasar log``: read, copy and describe logs."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, cast

import msgspec
from cyclopts import Parameter
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from quasar.cli.event_line import words
from quasar.cli.output import err, out, printable, say_json
from quasar.cli.source import check_hotkey, open_source
from quasar.errors import CannotJudge, Damaged, UsageError
from quasar.events import EVENT_TYPES, ValidatorEvent
from quasar.events.envelope import decode
from quasar.log.archive import copy_archive
from quasar.log.archive_reader import ArchiveLog
from quasar.log.describe import describe
from quasar.log.import_lines import write_lines
from quasar.log.log_keys import key_words
from quasar.log.verify import Verified, verify_archive
from quasar.log.whole import refuse_unsigned

Json = Annotated[bool, Parameter(negative="")]
Shown = dict[str, Any]
"""An envelope as JSON has it."""


def show(
    source: str,
    seq: int | None = None,
    /,
    *,
    type: str | None = None,  # noqa: A002 - it is the flag's name
    json: Json = False,
) -> int:
    """Print events, or one of them in full. Each line is compared with its hash on the way.

    Parameters
    ----------
    source
        Folder or URL of an archive, or ``sample``.
    seq
        Number of one event.
    type
        Only events of this type.
    json
        Print the stored lines with their numbers, one JSON object each.
    """
    if type is not None and seq is not None:
        raise UsageError("give the number of one event, or --type, not both")
    log = open_source(source)
    if seq is not None:
        return _show_one(log, seq, json)
    found = 0
    for number, envelope in _events(log, 0):
        if type is None or envelope["event"]["type"] == type:
            found += 1
            _print(number, envelope, json)
    if type is not None and not found and type not in EVENT_TYPES:
        raise UsageError(f"no event type {type!r}: one of {', '.join(sorted(EVENT_TYPES))}")
    return 0


def tail(
    source: str, /, *, lines: Annotated[int, Parameter(alias="-n")] = 10, json: Json = False
) -> int:
    """Print the last events. Each line is compared with its hash on the way.

    Parameters
    ----------
    source
        Folder or URL of an archive, or ``sample``.
    lines
        How many.
    json
        One JSON object an event.
    """
    if lines < 1:
        raise UsageError(f"-n must be at least 1, not {lines}")
    log = open_source(source)
    for number, envelope in _events(log, max(0, log.manifest.last - lines)):
        _print(number, envelope, json)
    return 0


def export(source: str, target: Path, /, *, json: Json = False) -> int:
    """Copy an archive into a new folder; every line and blob is checked on the way.

    For tables and traces that other tools read, use `quasar export`.

    Parameters
    ----------
    source
        Folder or URL of an archive, or ``sample``.
    target
        A folder that does not exist yet, or an empty one. A name that ends in ``.jsonl`` makes a
        file of the stored lines alone.
    json
        Print one JSON object.
    """
    log = open_source(source)
    if target.suffix == ".jsonl":
        events, kind = write_lines(target, (line for _, line in log.verified())), "file"
    else:
        events, kind = copy_archive(log.folder, target).manifest.last, "folder"
    if json:
        say_json({kind: str(target), "events": events})
    else:
        out.print(f"{events} events in {target}", markup=False)
    return 0


def verify(source: str, /, *, hotkey: str | None = None, json: Json = False) -> int:
    """Check every line, hash, blob and signed checkpoint of an archive, on all processors.

    No rule is run: whether scores and weights follow from the events is for `quasar audit`.
    Exit code 0: whole. 1: the first bad event is named. 2: the archive cannot be read.

    Parameters
    ----------
    source
        Folder or URL of an archive, or ``sample``.
    hotkey
        The validator whose log this must be. Without it the signer is not verified.
    json
        Print one JSON object.
    """
    if hotkey is not None:
        check_hotkey(hotkey)
    log = open_source(source)
    refuse_unsigned(log)
    try:
        found = _verify(log, hotkey, bar=err.is_terminal and not json)
    except Damaged as damage:
        if not json:
            raise
        say_json({"result": "damaged", "seq": damage.seq, "reason": damage.reason})
        return damage.exit_code
    if json:
        say_json({"result": "whole", **msgspec.to_builtins(found)})
        return 0
    whose = "as you named it" if found.pinned else "as the log says"
    out.print(f"[bold green]WHOLE[/]  {found.events} events")
    out.print(f"signed by {found.hotkey} ({whose})", markup=False)
    for line in (
        f"every line stands behind its hash, {found.blobs} blobs that they name are there",
        f"root {found.root}",
        f"{found.checkpoints} checkpoints signed by the log key, each a prefix of this log",
    ):
        out.print(f"  [green]proved[/]       {line}")
    for key in found.keys if len(found.keys) > 1 else ():
        out.print(f"  log key      {key_words(key)}", markup=False)
    if found.unsigned:
        out.print(f"  [yellow]not signed[/]   the newest {found.unsigned} events, being written")
    out.print("  [yellow]not checked[/]  that decisions follow from the events: quasar audit")
    return 0


def info(source: str, /, *, json: Json = False) -> int:
    """Say what an archive holds, by its own word: nothing is checked.

    Parameters
    ----------
    source
        Folder or URL of an archive, or ``sample``.
    json
        Print one JSON object.
    """
    found = describe(open_source(source))
    if json:
        say_json(found)
        return 0
    for name, value in msgspec.to_builtins(found).items():
        if name == "keys":
            continue
        shown = "-" if value is None else ", ".join(value) if isinstance(value, list) else value
        out.print(f"{name.replace('_', ' '):<14} {printable(str(shown))}", markup=False)
    for key in found.keys:
        out.print(f"{'log key':<14} {key_words(key)}", markup=False)
    return 0


def schema(*, json: Json = True) -> int:  # noqa: ARG001 - it is always JSON
    """Print the JSON Schema of every event of a validator's log."""
    say_json(msgspec.json.schema(ValidatorEvent))
    return 0


def _verify(log: ArchiveLog, hotkey: str | None, *, bar: bool) -> Verified:
    columns = (TextColumn("verifying"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not bar) as progress:
        task = progress.add_task("events", total=log.manifest.last)
        return verify_archive(
            log.folder, hotkey=hotkey, progress=lambda done: progress.update(task, completed=done)
        )


def _events(log: ArchiveLog, after: int) -> Iterator[tuple[int, Shown]]:
    for number, line in log.verified():
        if number > after:
            try:
                yield number, _show(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
                raise Damaged(number, f"not an event: {problem}") from None


def _show(line: bytes) -> Shown:
    """An event that a newer program wrote is shown as it stands: to read is not to judge."""
    with suppress(CannotJudge):
        return cast(Shown, msgspec.to_builtins(decode(line)))
    return msgspec.json.decode(line, type=dict[str, Any])


def _show_one(log: ArchiveLog, seq: int, json: bool) -> int:
    for number, envelope in _events(log, seq - 1) if seq > 0 else ():
        if json:
            _print(number, envelope, json)
        else:
            out.print_json(msgspec.json.encode(envelope).decode(), ensure_ascii=True)
        return 0
    raise UsageError(f"no event {seq}: this log holds 1 to {log.manifest.last}")


def _print(number: int, envelope: Shown, json: bool) -> None:
    if json:
        say_json({"seq": number, **envelope})
        return
    event = envelope["event"]
    out.print(f"{number:>6}  {printable(event['type']):<22} {words(event)}", markup=False)
