"""``quasar log prune``: makes room, once another copy is known to be whole."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from quasar.cli.log_size import human
from quasar.cli.output import out, say_json
from quasar.cli.source import volumes_of
from quasar.errors import UsageError
from quasar.log.archive_reader import ArchiveLog
from quasar.log.prune import check_prunable
from quasar.log.prune import prune as prune_volume
from quasar.log.size import PARTS, part_sizes
from quasar.log.whole import is_pruned, is_sealed

Flag = Annotated[bool, Parameter(negative="")]


def prune(
    folder: Path, /, *, volume: int, copy: Path, yes: Flag = False, json: Flag = False
) -> int:
    """Remove the events of an old volume, after a second copy of it was verified.

    Manifest and checkpoints stay, so that the seals still lead from volume to volume. Volumes are
    pruned from the oldest on, and the newest two never: a validator goes on from them. An audit
    here then covers what is left, and takes the state handed to it on trust.

    Parameters
    ----------
    folder
        The folder of a log's volumes.
    volume
        Number of the volume.
    copy
        Where the second copy is, best on another disk: the volume itself or a folder of volumes.
    yes
        Remove. Without it, everything is checked and nothing removed.
    json
        Print one JSON object.
    """
    own = _own(folder, volume)
    check_prunable(own, _copy(own, copy))
    sizes = part_sizes(own)
    size = sum(sizes[part].bytes for part in PARTS if part != "checkpoints")
    if not yes:
        raise UsageError(
            f"volume {volume} can be pruned, and {copy} is a whole copy of it: repeat with --yes "
            f"to remove {own.manifest.last} events ({human(size)}) from {own.folder}"
        )
    freed = prune_volume(own)
    if json:
        say_json({"volume": volume, "events": own.manifest.last, "freed": freed, "copy": str(copy)})
    else:
        out.print(f"volume {volume}: {human(freed)} freed; its events are in {copy}", markup=False)
    return 0


def _own(folder: Path, number: int) -> ArchiveLog:
    """The volume, if it may be pruned as far as its neighbours say. Raises UsageError."""
    logs = [log for log in volumes_of(folder) if log.folder != folder]
    found = {log.manifest.volume: log for log in logs}
    if number not in found:
        known = ", ".join(map(str, found)) or "none"
        raise UsageError(f"{folder} holds no volume {number}; it holds {known}")
    older = [log.manifest.volume for log in logs if log.manifest.volume < number]
    if left := [n for n in older if not is_pruned(found[n])]:
        raise UsageError(f"volume {left[0]} is older and not pruned: volumes go from the oldest on")
    _check_followed(found, number, logs)
    return found[number]


def _check_followed(found: dict[int, ArchiveLog], number: int, logs: Sequence[ArchiveLog]) -> None:
    """A validator that starts needs the newest sealed volume, to hand its state on."""
    following = found.get(number + 1)
    if following is None or not is_sealed(following):
        newest = logs[-1].manifest.volume
        raise UsageError(
            f"volume {number} is needed to go on: prune it once volume {number + 1} is sealed "
            f"(the newest is {newest})"
        )


def _copy(own: ArchiveLog, folder: Path) -> ArchiveLog:
    """The other copy of the volume. Raises UsageError where it is no other."""
    named = [log for log in volumes_of(folder) if log.manifest.identity == own.manifest.identity]
    if not named:
        raise UsageError(f"{folder} holds no copy of volume {own.manifest.volume}")
    if named[0].folder.samefile(own.folder):
        raise UsageError(f"{folder} is the very volume that would be pruned: name another copy")
    return named[0]
