"""A log whose key was rotated and then revoked, and every forgery of that."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

import anyio
import msgspec

from quasar.chain.keys import log_key_from_seed
from quasar.events import CheckpointSigned, Draft, LogKeyRotated
from quasar.events.envelope import encode
from quasar.events.merkle import Tree, leaf_hash
from quasar.events.note import Checkpoint, sign_checkpoint
from quasar.events.rotation import rotation_statement
from quasar.events.signing import Signer
from quasar.log.archive import ArchiveWriter
from tests.builders import SEED, World
from tests.forging import few_tasks
from tests.unit.volume_folder import identity_of

SECOND, THIRD, STRANGER = (log_key_from_seed(SEED + name) for name in (b"2", b"3", b"?"))


def rotation(
    world: World,
    key: Signer,
    number: int,
    first: int,
    until: int,
    reason: Literal["rotated", "revoked"],
    signer: Signer | None = None,
) -> LogKeyRotated:
    """Signed by the world's hotkey, or by ``signer``."""
    event = LogKeyRotated(
        number=number,
        log_key=key.public_key.hex(),
        first=first,
        until=until,
        reason=reason,
        log_key_signature="0" * 128,
    )
    signature = (signer or world.hotkey).sign(
        rotation_statement(world.origin, world.genesis, event)
    )
    return msgspec.structs.replace(event, log_key_signature=signature.hex())


async def rotate(world: World, key: Signer, until: int | None = None) -> int:
    """As the supervisor does it; with ``until`` the key before is revoked. Gives its number."""
    number = len(world.events(LogKeyRotated)) + 1
    first = len(world.lines) + 1
    if until is None:
        event = rotation(world, key, number, first, first - 1, "rotated")
    else:
        event = rotation(world, key, number, first, until, "revoked")
    await world.append("supervisor", event)
    world.log_key = key
    return first


class Rotated(NamedTuple):
    """The first key is replaced by the event ``second``, the second revoked by ``third``."""

    world: World
    first_key: Signer
    early: int
    """Size of a checkpoint by the first key, which is an event too."""
    second: int
    until: int
    """The second key counts so far."""
    withdrawn: int
    """Size of a checkpoint by the second key, which is an event too and counts no more."""
    third: int

    @property
    def end(self) -> int:
        return len(self.world.lines)

    @property
    def notes(self) -> Mapping[int, Signer]:
        """Sizes of the checkpoints that count, and who signs each."""
        old = {self.early: self.first_key, self.second - 1: self.first_key}
        new = {self.third: THIRD, self.end: THIRD}
        return {**old, self.second: SECOND, self.until: SECOND, **new}


@cache
def rotated() -> Rotated:
    """Not to be changed."""
    world = World(policy=few_tasks())
    first_key = world.log_key

    async def play() -> tuple[int, ...]:
        await world.play_round(1)
        await world.checkpoint()
        early = world.events(CheckpointSigned)[-1].size
        second = await rotate(world, SECOND)
        await world.play_round(2)
        until = len(world.lines) - 5
        await world.checkpoint()
        third = await rotate(world, THIRD, until)
        await world.play_round(3)
        await world.checkpoint()
        return early, second, until, world.events(CheckpointSigned)[-2].size, third

    return Rotated(world, first_key, *anyio.run(play))


def write_signed(
    folder: Path, world: World, lines: Sequence[bytes], notes: Mapping[int, Signer]
) -> Path:
    """An archive of these lines with these checkpoints, whoever signs them."""
    with ArchiveWriter.open(folder, identity_of(world)) as writer:
        fill(writer, world, lines, notes)
    return folder


def fill(
    writer: ArchiveWriter, world: World, lines: Sequence[bytes], notes: Mapping[int, Signer]
) -> None:
    """Write it all into a new archive."""
    for data in world.log.blobs._held.values():  # type: ignore[attr-defined]
        writer.put_blob(data)
    writer.append(lines)
    writer.flush()
    for size, key in notes.items():
        head = Checkpoint(world.origin, size, writer.tree.root(size))
        writer.publish(sign_checkpoint(head, key), size)


def write_rotated(folder: Path) -> Path:
    """The good archive."""
    told = rotated()
    return write_signed(folder, told.world, told.world.lines, told.notes)


def _signed_by(size: str, key: Signer | None) -> Callable[[Path], Path]:
    """With another key under the checkpoint of a named size; None is the first one."""

    def write(folder: Path) -> Path:
        told = rotated()
        signer = told.first_key if key is None else key
        notes = {**told.notes, getattr(told, size): signer}
        return write_signed(folder, told.world, told.world.lines, notes)

    return write


def _replaced(at: str, make: Callable[[Rotated], LogKeyRotated]) -> Callable[[Path], Path]:
    """With another rotation at a named place; its signer holds all keys and signs again."""

    def write(folder: Path) -> Path:
        told = rotated()
        lines, seq = told.world.lines, getattr(told, at)
        draft = Draft(actor="supervisor", cause=0, event=make(told))
        lines[seq - 1] = encode(draft, 1)
        notes = {size: key for size, key in told.notes.items() if size < seq}
        return write_signed(folder, told.world, lines[:seq], {**notes, seq: SECOND})

    return write


def _old_key_in_an_event(folder: Path) -> Path:
    """The key that was rotated signs on, in an event behind the rotation."""
    told = rotated()
    lines = told.world.lines[: told.second]
    tree = Tree(map(leaf_hash, lines))
    note = sign_checkpoint(Checkpoint(told.world.origin, tree.size, tree.root()), told.first_key)
    event = CheckpointSigned(size=tree.size, root=tree.root().hex(), note=note)
    lines.append(encode(Draft(actor="checkpointer", cause=tree.size, event=event), 1))
    notes = {told.early: told.first_key, len(lines): SECOND}
    return write_signed(folder, told.world, lines, notes)


def _cut(folder: Path) -> Path:
    """The log before its rotation, signed by the old key, and a note of what came after it."""
    told = rotated()
    lines = told.world.lines
    notes = {told.early: told.first_key, told.second - 1: told.first_key}
    write_signed(folder, told.world, lines[: told.second - 1], notes)
    root = Tree(map(leaf_hash, lines[: told.second])).root()
    note = sign_checkpoint(Checkpoint(told.world.origin, told.second, root), SECOND)
    (folder / "checkpoints" / str(told.second)).write_text(note)
    return folder


def _first(told: Rotated, **changes: object) -> LogKeyRotated:
    """The first rotation with other words, signed by the hotkey all the same."""
    fields = {"number": 1, "first": told.second, "until": told.second - 1, "reason": "rotated"}
    return rotation(told.world, **{"key": SECOND, **fields, **changes})


KEY_KINDS: dict[str, tuple[Callable[[Path], Path], str, str]] = {
    "the rotated key at the end": (_signed_by("end", None), "end", "by a key replaced after"),
    "the revoked key at the end": (_signed_by("end", SECOND), "end", "by a key revoked after"),
    "the revoked key above its limit": (
        _signed_by("withdrawn", SECOND),
        "end",
        "by a key revoked after",
    ),
    "a new key before its time": (_signed_by("early", SECOND), "end", "by a key that signs from"),
    "the newest key in the gap": (_signed_by("withdrawn", THIRD), "end", "that signs from"),
    "a stranger's key": (_signed_by("end", STRANGER), "end", "not signed by key"),
    "a stranger's key in the gap": (_signed_by("withdrawn", STRANGER), "end", "no key of the log"),
    "another hotkey": (
        _replaced("second", lambda t: _first(t, signer=next(iter(t.world.miners.values())))),
        "second",
        "the hotkey did not sign this rotation",
    ),
    "another key than was signed": (
        _replaced(
            "second",
            lambda t: msgspec.structs.replace(_first(t), log_key=STRANGER.public_key.hex()),
        ),
        "second",
        "the hotkey did not sign this rotation",
    ),
    "a rotation from elsewhere": (
        _replaced("second", lambda t: _first(t, first=t.second + 1, until=t.second)),
        "second",
        "the hotkey signed this rotation for event",
    ),
    "a number left out": (
        _replaced("second", lambda t: _first(t, number=2)),
        "second",
        "without gaps",
    ),
    "a rotation that revokes": (
        _replaced("second", lambda t: _first(t, until=t.second - 2)),
        "second",
        "counts up to the rotation",
    ),
    "a limit above the rotation": (
        _replaced("second", lambda t: _first(t, until=t.second, reason="revoked")),
        "second",
        "cannot end at",
    ),
    "the same key again": (
        _replaced("second", lambda t: _first(t, key=t.first_key)),
        "second",
        "must not come back",
    ),
    "the old key in an event": (_old_key_in_an_event, "second", "by a key replaced after"),
    "cut before the rotation": (_cut, "second", "missing: checkpoints/"),
}
"""How to make it, the event that is bad, and why."""

UNSEEN_BY_NODE = {"another hotkey", "another key than was signed"}
"""What a hotkey signed is in sr25519."""
UNSEEN_BY_VERIFY = {"the old key in an event"}
"""Notes inside events are for `quasar audit`."""
