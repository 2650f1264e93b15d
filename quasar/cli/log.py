"""``quasar log``: read, copy and describe logs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from quasar.cli.event_line import words
from quasar.cli.output import out, say_json
from quasar.cli.source import open_source
from quasar.errors import Damaged, UsageError
from quasar.events import EVENT_TYPES, ValidatorEvent
from quasar.events.envelope import Envelope, decode
from quasar.log.archive import copy_archive
from quasar.log.archive_reader import ArchiveLog

Json = Annotated[bool, Parameter(negative="")]


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
        Folder of an archive, or ``sample``.
    seq
        Number of one event.
    type
        Only events of this type.
    json
        Print the stored lines with their numbers, one JSON object each.
    """
    if type is not None and type not in EVENT_TYPES:
        raise UsageError(f"no event type {type!r}: one of {', '.join(sorted(EVENT_TYPES))}")
    if type is not None and seq is not None:
        raise UsageError("give the number of one event, or --type, not both")
    log = open_source(source)
    if seq is not None:
        return _show_one(log, seq, json)
    for number, envelope in _events(log, 0):
        if type is None or envelope.event.__class__.__name__ == type:
            _print(number, envelope, json)
    return 0


def tail(
    source: str, /, *, lines: Annotated[int, Parameter(alias="-n")] = 10, json: Json = False
) -> int:
    """Print the last events. Each line is compared with its hash on the way.

    Parameters
    ----------
    source
        Folder of an archive, or ``sample``.
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

    Parameters
    ----------
    source
        Folder of an archive, or ``sample``.
    target
        A folder that does not exist yet, or an empty one.
    json
        Print one JSON object.
    """
    copy = copy_archive(open_source(source).folder, target)
    if json:
        say_json({"folder": str(target), "events": copy.manifest.last})
    else:
        out.print(f"{copy.manifest.last} events in {target}", markup=False)
    return 0


def schema(*, json: Json = True) -> int:  # noqa: ARG001 - it is always JSON
    """Print the JSON Schema of every event of a validator's log."""
    say_json(msgspec.json.schema(ValidatorEvent))
    return 0


def _events(log: ArchiveLog, after: int) -> Iterator[tuple[int, Envelope]]:
    for number, line in log.verified():
        if number > after:
            try:
                yield number, decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as problem:
                raise Damaged(number, f"not an event: {problem}") from None


def _show_one(log: ArchiveLog, seq: int, json: bool) -> int:
    for number, envelope in _events(log, seq - 1) if seq > 0 else ():
        if json:
            _print(number, envelope, json)
        else:
            out.print_json(msgspec.json.encode(envelope).decode(), ensure_ascii=True)
        return 0
    raise UsageError(f"no event {seq}: this log holds 1 to {log.manifest.last}")


def _print(number: int, envelope: Envelope, json: bool) -> None:
    if json:
        say_json({"seq": number, **msgspec.to_builtins(envelope)})
        return
    name = type(envelope.event).__name__
    out.print(f"{number:>6}  {name:<22} {words(envelope.event)}", markup=False)
