"""``quasar log size``: the room that a log takes, and will take."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Annotated

import msgspec
from cyclopts import Parameter
from rich.table import Table

from quasar.cli.bounds import Miners, Tempo
from quasar.cli.output import err, out, say_json
from quasar.cli.playable import playable
from quasar.cli.source import open_volumes
from quasar.errors import UsageError
from quasar.events.envelope import tag_of
from quasar.log.archive_reader import ArchiveLog
from quasar.log.size import PartSize, part_sizes
from quasar.log.whole import is_pruned
from quasar.rules.forecast import (
    EPOCH_BLOCKS,
    LISTED_BYTES,
    PACKED,
    Forecast,
    Sizes,
)
from quasar.rules.forecast import (
    forecast as forecast_of,
)

DAYS = 365
SHOWN = {"segments": "segments", "tile": "tiles", "blobs": "blobs", "checkpoints": "signed"}
UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def size(
    source: str | None = None,
    /,
    *,
    forecast: Annotated[bool, Parameter(negative="")] = False,
    policy: str = "readme-v1",
    miners: Miners = 256,
    tempo: Tempo = EPOCH_BLOCKS - 1,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Print how much room a log takes; or, with --forecast, how much a validator will need.

    Parameters
    ----------
    source
        Folder of an archive or of the volumes of a log, or ``sample``. A forecast measures its
        lines; without it, it takes those of the sample.
    forecast
        Disk, upload and memory a day and a year, as they follow from policy and miners.
    policy
        Of the forecast: a policy that ships with the package, or a file.
    miners
        Of the forecast: how many answer.
    tempo
        Of the forecast: blocks of a chain epoch, less one.
    json
        Print one JSON object.
    """
    if forecast:
        return _forecast(source, policy, miners, tempo + 1, json)
    if source is None:
        raise UsageError("name the folder of an archive, or give --forecast")
    return _size(open_volumes(source), json)


def _size(logs: Sequence[ArchiveLog], json: bool) -> int:
    volumes = [_volume(log) for log in logs]
    total = _total(volumes)
    if json:
        say_json({"volumes": volumes, "total": total})
        return 0
    table = Table(box=None, pad_edge=False)
    table.add_column("volume", no_wrap=True)
    for name in ("events", *SHOWN.values(), "all", "on disk", "B/event"):
        table.add_column(name, justify="right", no_wrap=True)
    for volume in [*volumes, total] if len(volumes) > 1 else volumes:
        table.add_row(*_cells(volume))
    out.print(table)
    return 0


class Volume(msgspec.Struct, kw_only=True):
    """Sizes of a volume, or of all."""

    volume: int | None
    """None for the total."""
    pruned: bool
    events: int
    parts: dict[str, PartSize]
    bytes: int
    disk: int
    bytes_per_event: float | None


def _volume(log: ArchiveLog) -> Volume:
    return _made(log.manifest.volume, is_pruned(log), log.manifest.last, part_sizes(log))


def _total(volumes: Sequence[Volume]) -> Volume:
    parts = {name: PartSize() for name in volumes[0].parts}
    for volume in volumes:
        for name, part in volume.parts.items():
            parts[name].add(part)
    pruned = any(v.pruned for v in volumes)
    return _made(None, pruned, sum(v.events for v in volumes), parts)


def _made(number: int | None, pruned: bool, events: int, parts: dict[str, PartSize]) -> Volume:
    size = sum(part.bytes for part in parts.values())
    return Volume(
        volume=number,
        pruned=pruned,
        events=events,
        parts=parts,
        bytes=size,
        disk=sum(part.disk for part in parts.values()),
        bytes_per_event=size / events if events and not pruned else None,
    )


def _cells(volume: Volume) -> list[str]:
    each = volume.bytes_per_event
    name = "all" if volume.volume is None else str(volume.volume)
    return [
        f"{name} (pruned)" if volume.pruned and volume.volume else name,
        str(volume.events),
        *(human(volume.parts[name].bytes) for name in SHOWN),
        human(volume.bytes),
        human(volume.disk),
        "-" if each is None else f"{each:.0f}",
    ]


def _forecast(source: str | None, policy: str, miners: int, epoch_blocks: int, json: bool) -> int:
    sizes = Sizes() if source is None else measure(open_volumes(source))
    found = forecast_of(playable(policy).policy, miners, sizes, epoch_blocks)
    if json:
        say_json({"policy": policy, "miners": miners, **msgspec.to_builtins(found)})
    else:
        _show(found, policy, miners, source or "the sample")
    return 0


def measure(logs: Sequence[ArchiveLog]) -> Sizes:
    """Mean bytes of a line by type, less its list of miners, and how well segments pack.

    Raises Damaged as ``ArchiveLog.lines``.
    """
    count: Counter[str] = Counter()
    held: Counter[str] = Counter()
    packed = 0
    for log in logs:
        if is_pruned(log):
            continue
        packed += part_sizes(log)["segments"].bytes
        for _, line in log.lines():
            kind = tag_of(line)
            count[kind] += 1
            held[kind] += len(line) + 1
    # A line with a list grows with the miners; its other bytes do not depend on the log.
    means = {kind: held[kind] / n for kind, n in count.items() if kind not in LISTED_BYTES}
    lines = sum(held.values())
    return Sizes(line={**Sizes().line, **means}, packed=packed / lines if lines else PACKED)


def _show(found: Forecast, policy: str, miners: int, source: str) -> None:
    table = Table(f"{policy}, {miners} miners", box=None, pad_edge=False)
    for name in ("a day", "a year", "at most a day", "at most a year"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_row("events", *_pairs(found, "events", count))
    table.add_row("archive", *_pairs(found, "archive", human))
    table.add_row("upload", *_pairs(found, "upload", human))
    for title, name in (
        ("store, open volume", "store"),
        ("contexts, open rounds", "contexts"),
        ("server memory", "memory"),
    ):
        usual, most = (human(getattr(load, name)) for load in (found.typical, found.most))
        table.add_row(title, usual, "", most, "")
    out.print(table)
    err.print(
        f"12 s a block; events follow from the policy, their bytes from {source}. At most: longer "
        "questions, the longest answers, each delivery repeated as often as the policy allows.",
        markup=False,
    )


def _pairs(found: Forecast, name: str, shown: Callable[[float], str]) -> list[str]:
    years = [float(getattr(load, name)) for load in (found.typical, found.most)]
    return [shown(n) for year in years for n in (year / DAYS, year)]


def human(size: float) -> str:
    """Bytes for people, in powers of 1000."""
    for unit in UNITS[:-1]:
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} {UNITS[-1]}"


def count(number: float) -> str:
    """A large number for people."""
    return f"{number:,.0f}"
