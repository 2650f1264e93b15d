"""What an archive says of itself: ``manifest.json``."""

import json
from pathlib import Path

import msgspec

from quasar.errors import UsageError
from quasar.events.base import BlockHash, Count, Hotkey, LogId, Part
from quasar.events.signing import origin_of
from quasar.log.files import read_regular, refuse_ours, write_atomically

FORMAT = "quasar-archive/1"
NAME = "manifest.json"
_LIMIT = 4 * 2**20


class ArchiveIdentity(Part, frozen=True, kw_only=True):
    """Which volume of whose log an archive holds."""

    log_id: LogId
    volume: Count
    netuid: Count
    hotkey: Hotkey
    genesis: BlockHash

    @property
    def origin(self) -> str:
        """The name under which the volume's checkpoints are signed."""
        return origin_of(self.netuid, self.hotkey, self.log_id, self.volume)


class Segment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of consecutive events."""

    name: str
    """``<first, 20 digits>.jsonl.zst``."""
    first: Count
    """Sequence number of its first line."""
    last: Count


class Withheld(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What events name and the archive leaves out."""

    what: str
    why: str


CONTEXTS = Withheld(what="contexts", why="regenerated from the revealed seed")


class Manifest(Part, frozen=True, kw_only=True):
    """The contents of ``manifest.json``."""

    format: str = FORMAT
    log_id: LogId
    volume: Count
    netuid: Count
    hotkey: Hotkey
    genesis: BlockHash
    first: Count
    """Always 1."""
    last: Count
    """Sequence number of the newest event; 0 for an empty archive."""
    segments: list[Segment]
    withheld: list[Withheld]

    @property
    def identity(self) -> ArchiveIdentity:
        """Which volume of whose log this is."""
        return ArchiveIdentity(
            log_id=self.log_id,
            volume=self.volume,
            netuid=self.netuid,
            hotkey=self.hotkey,
            genesis=self.genesis,
        )


class _Format(msgspec.Struct):
    format: str


def segment_name(first: int) -> str:
    """File name of the segment whose first event is ``first``."""
    return f"{first:020}.jsonl.zst"


def new_manifest(
    identity: ArchiveIdentity, last: int, size: int, withheld: list[Withheld]
) -> bytes:
    """The manifest of an archive of ``last`` events in segments of ``size``, in JSON.

    Raises UsageError for an identity that no log can have.
    """
    segments = [
        Segment(name=segment_name(first), first=first, last=min(first + size - 1, last))
        for first in range(1, last + 1, size)
    ]
    manifest = Manifest(
        **msgspec.structs.asdict(identity),
        first=1,
        last=last,
        segments=segments,
        withheld=withheld,
    )
    data = msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"
    try:
        msgspec.json.decode(data, type=Manifest)
    except msgspec.ValidationError as error:
        raise UsageError(f"an archive cannot be of this log: {error}") from error
    return data


def write_manifest(folder: Path, data: bytes) -> None:
    """Replace the manifest durably."""
    write_atomically(folder / NAME, data)


def read_manifest_bytes(folder: Path) -> bytes:
    """The manifest's bytes as they are. Raises UsageError where there are none."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder; give the path of an archive")
    try:
        return read_regular(folder, NAME, _LIMIT)
    except FileNotFoundError:
        raise UsageError(
            f"{folder} has no {NAME}, so it is not an archive; give the folder that holds one"
        ) from None
    except OSError as error:
        refuse_ours(folder / NAME, error)
        raise UsageError(f"{folder / NAME} cannot be read: it {error.strerror}") from None


def parse_manifest(folder: Path, data: bytes) -> Manifest:
    """Decode a manifest. Raises UsageError for another format or for anything else."""
    try:
        form = msgspec.json.decode(data, type=_Format).format
        if form == FORMAT:
            manifest = msgspec.json.decode(data, type=Manifest)
            json.loads(data, object_pairs_hook=_refuse_twice)
            return manifest
    except (ValueError, RecursionError) as error:  # of msgspec, JSON and UTF-8 alike
        raise UsageError(
            f"{folder / NAME} is not a manifest ({error}); get another copy of the archive"
        ) from None
    raise UsageError(
        f"{folder / NAME} says format {form[:64]!r}, and this program reads {FORMAT!r}: "
        "install the quasar-subnet that wrote it"
    )


def _refuse_twice(pairs: list[tuple[str, object]]) -> None:
    """Another reader might take the other value. Raises ValueError."""
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key stands there twice")
