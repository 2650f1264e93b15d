"""Bytes: nothing missing, nothing altered, signed by whom it says."""

from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar, overload

import msgspec

from quasar.errors import CannotJudge, Damaged
from quasar.events import (
    Blob,
    CheckpointSigned,
    CodeExecuted,
    LogKeyRotated,
    LogOpened,
    MetagraphObserved,
    PolicyAdopted,
)
from quasar.events.answer import AnswerReceived
from quasar.events.blobs import Blobs
from quasar.events.envelope import MAX_EVENT_BYTES, decode, is_canonical
from quasar.events.log import PreviousVolume
from quasar.events.merkle import Tree, leaf_hash
from quasar.events.note import BadSignature, LogKeys, is_signed, parse_checkpoint
from quasar.events.opening import Opening
from quasar.events.rotation import rotate_keys
from quasar.events.signing import log_key_statement, origin_of, verify_hotkey
from quasar.replay.slots import Slots
from quasar.rules.carried import inherited
from quasar.rules.machine import Recorded


class Growing(Protocol):
    """A tree of leaf hashes: ``Tree``, or one that gives no proofs and holds less."""

    @property
    def size(self) -> int: ...

    def append(self, leaf: bytes) -> None: ...

    def root(self, size: int | None = None) -> bytes: ...


T = TypeVar("T", bound=Growing)


class StructureCheck(Generic[T]):
    """Decodes events and grows the tree. Raises Damaged at the first bad event."""

    @overload
    def __init__(self: "StructureCheck[Tree]", blobs: Blobs) -> None: ...
    @overload
    def __init__(self, blobs: Blobs, tree: T) -> None: ...
    def __init__(self, blobs: Blobs, tree: Growing | None = None) -> None:
        self._blobs = blobs
        self._slots = Slots()
        self.tree: T = Tree() if tree is None else tree  # type: ignore[assignment]
        self.opened: LogOpened | None = None
        self.origin = ""
        self.keys: LogKeys | None = None
        """Log keys up to here; None before LogOpened."""
        self.checkpoints: set[int] = set()
        """Sizes of the verified ones."""
        self.foreign_seal = False
        """Whether another key than this volume's first sealed the volume before: that volume tells
        whether it could."""

    def feed(self, seq: int, line: bytes, tile_hash: bytes | None) -> Recorded:
        """The event in a stored line. Raises Damaged, or CannotJudge for an unknown type."""
        if seq != self.tree.size + 1:
            raise Damaged(self.tree.size + 1, f"missing: event {seq} follows")
        if len(line) > MAX_EVENT_BYTES:
            raise Damaged(seq, "longer than an event may be")
        leaf = leaf_hash(line)
        if tile_hash is not None and leaf != tile_hash:
            raise Damaged(seq, "the stored bytes do not match the log's hash tile")
        seen = self._decode(seq, line)
        if not self._slots.fill(seen.envelope.key, seq):
            raise Damaged(seq, f"a second event in the slot {seen.envelope.key}")
        self._check(seen)
        self.tree.append(leaf)
        return seen

    def doubled(self) -> int | None:
        """After the last event: the first whose slot was filled long before, which ``feed`` lets
        pass. It takes a second for a million events."""
        return self._slots.doubled()

    def check_note(
        self, note: str, named: int | None = None, *, called: str = "the checkpoint"
    ) -> int:
        """The size that a signed note covers, which must be the one it is named by.

        Raises Damaged where the note is not this log's; ``called`` is how its text names the note.
        """
        if self.keys is None:
            raise Damaged(1, "no LogOpened, so no key to check the checkpoint with")
        try:
            checkpoint = self.keys.open(note, self.origin)
        except (CannotJudge, BadSignature) as problem:
            raise Damaged(self.tree.size, f"{called} does not verify: {problem}") from None
        if named not in (None, checkpoint.size):
            raise Damaged(checkpoint.size, f"its checkpoint stands under the size {named}")
        if checkpoint.size > self.tree.size:
            raise Damaged(
                self.tree.size + 1,
                f"missing: {called} is signed and covers {checkpoint.size} events",
            )
        if checkpoint.root != self.tree.root(checkpoint.size):
            raise Damaged(checkpoint.size, f"{called} is signed and has another root")
        self.checkpoints.add(checkpoint.size)
        return checkpoint.size

    def _decode(self, seq: int, line: bytes) -> Recorded:
        try:
            envelope = decode(line)
        except CannotJudge as unknown:
            raise CannotJudge(f"event {seq}: {unknown}") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            raise Damaged(seq, f"not an event: {problem}") from None
        if not is_canonical(line, envelope):
            raise Damaged(seq, "not canonical: the stored bytes are not what a log writes")
        return Recorded(seq, line, envelope)

    def _check(self, seen: Recorded) -> None:
        for blob in _named_blobs(seen):
            try:
                self._blobs.get(blob)
            except Damaged as damage:
                raise Damaged(seen.seq, damage.reason) from None
            except CannotJudge as missing:
                raise Damaged(seen.seq, f"its blob is missing: {missing}") from None
        match seen.event:
            case LogOpened() as opened:
                self._open(seen.seq, opened)
            case LogKeyRotated() as rotated:
                self._rotate(seen.seq, rotated)
            case CheckpointSigned() as signed:
                self._signed(seen.seq, signed)

    def _open(self, seq: int, opened: LogOpened) -> None:
        origin = origin_of(opened.netuid, opened.hotkey, opened.log_id, opened.volume)
        statement = log_key_statement(origin, opened.genesis, opened.log_key)
        if not verify_hotkey(opened.hotkey, statement, opened.log_key_signature):
            raise Damaged(seq, "the hotkey did not sign this log key")
        if (opened.volume == 1) != (opened.previous is None):
            raise Damaged(seq, "the first volume, and no other, has none before it")
        if opened.previous is not None:
            self._check_inheritance(seq, opened, opened.previous)
        self.opened, self.origin = opened, origin
        self.keys = LogKeys.of(bytes.fromhex(opened.log_key))

    def _rotate(self, seq: int, rotated: LogKeyRotated) -> None:
        """Another key from here on. What a revoked one signed before above its limit is undone."""
        if self.keys is None or self.opened is None:
            raise Damaged(seq, "no LogOpened, so no log key to replace")
        self.keys = rotate_keys(self.keys, Opening(self.opened, self.origin), seq, rotated)
        self.checkpoints = {n for n in self.checkpoints if not rotated.until < n < seq}

    def _check_inheritance(self, seq: int, opened: LogOpened, previous: PreviousVolume) -> None:
        """The note is the volume before's, and its state can be read.

        Its key is this volume's, unless the key was rotated between the two. Then only the volume
        before shows which key that was: ``audit_volumes`` compares them.
        """
        before = origin_of(opened.netuid, opened.hotkey, opened.log_id, opened.volume - 1)
        try:
            if parse_checkpoint(previous.checkpoint).origin != before:
                raise BadSignature(f"it is not a checkpoint of {before}")
            self.foreign_seal = not is_signed(
                previous.checkpoint, before, bytes.fromhex(opened.log_key)
            )
            inherited(opened, self._blobs)
        except (CannotJudge, BadSignature) as problem:
            raise Damaged(seq, f"the seal of the volume before: {problem}") from None
        except msgspec.MsgspecError as problem:
            raise Damaged(seq, f"the state of the volume before: {problem}") from None

    def _signed(self, seq: int, signed: CheckpointSigned) -> None:
        try:
            size = self.check_note(signed.note)
        except Damaged as damage:
            raise Damaged(seq, damage.reason) from None
        if (size, self.tree.root(size).hex()) != (signed.size, signed.root):
            raise Damaged(seq, "the checkpoint event and its signed note differ")


def _named_blobs(seen: Recorded) -> Iterator[Blob]:
    """The blobs that an event names."""
    match seen.event:
        case LogOpened(previous=PreviousVolume(state=blob)):
            yield blob
        case PolicyAdopted(toml=blob) | MetagraphObserved(neurons=blob):
            yield blob
        case AnswerReceived(blob=Blob() as blob):
            yield blob
        case CodeExecuted(cases=cases, again=again):
            yield from (case.output for case in (*cases, *(again or ())) if case.output)
