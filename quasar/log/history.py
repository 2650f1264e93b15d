"""What a source shows of one log: an archive, verified; or a checkpoint or a proof file."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from quasar.errors import CannotJudge, Damaged
from quasar.events.envelope import decode
from quasar.events.exhibits import Exhibit, Exhibits, open_file
from quasar.events.fork import Place
from quasar.events.log import ROTATION_MARK, LogKeyRotated, LogOpened
from quasar.events.merkle import Tree
from quasar.events.note import BadSignature, parse_checkpoint
from quasar.events.opening import read_opening
from quasar.events.proof import (
    CONSISTENCY_HEADER,
    HEADER,
    ConsistencyProof,
    Proof,
    parse_consistency,
    parse_proof,
)
from quasar.events.rotation import keys_after
from quasar.log.archive_reader import ArchiveLog
from quasar.log.whole import is_pruned

_ALONE = "compare a checkpoint of it alone, as a file, or get another copy"


@dataclass
class History:
    """One log as one source tells it. Its lines and roots agree; whose it is, is not checked."""

    name: str
    """Of the source, for messages."""
    origin: str
    genesis: str = ""
    """Empty where only a note is known."""
    keys: dict[bytes, str] = field(default_factory=dict)
    """Log key to the stored line by which the hotkey names it."""
    revoked: dict[bytes, int] = field(default_factory=dict)
    """Log key to the events under the largest checkpoint that still counts under it."""
    notes: dict[int, str] = field(default_factory=dict)
    """Checkpoints by size."""
    log: ArchiveLog | None = None
    tree: Tree | None = None
    """Over all lines; None where there are none."""
    shown: Mapping[int, Exhibit] = field(default_factory=dict)
    """Single events by number, proved under the newest note."""

    @property
    def size(self) -> int:
        """Events that it speaks of."""
        return self.tree.size if self.tree else max(self.notes, default=0)

    def note_over(self, seq: int) -> int | None:
        """Size of the note that proves what stands at ``seq``; the oldest of them."""
        if self.tree is None:
            return self.size if seq in self.shown else None
        return min((size for size in self.notes if size >= seq), default=None)

    def place(self, seq: int, size: int) -> Place | None:
        """What stands at ``seq``, proved under the note of that size; None if it is no text."""
        if self.tree is None or self.log is None:
            shown = self.shown[seq]
            return Place(event=shown.event, hashes=shown.hashes, shared=None)
        _, line = next(self.log.lines(seq - 1))
        try:
            text = line.decode()
        except UnicodeDecodeError:
            return None
        return Place(
            event=text,
            hashes=self.tree.inclusion(seq - 1, size),
            shared=self.tree.consistency(seq - 1, size),
        )


def read_archive(log: ArchiveLog) -> History:
    """An archive; every line is compared with its hash, and every note with the lines.

    Of a pruned volume there are only the notes. Raises CannotJudge where something is damaged.
    """
    identity = log.manifest.identity
    history = History(str(log.folder), identity.origin, identity.genesis, log=log)
    try:
        if not is_pruned(log):
            _take_keys(history, {n: line for n, line in log.verified() if _names_key(n, line)})
            history.tree = log.tree()
        _read_notes(history, log)
    except (Damaged, BadSignature) as problem:
        raise CannotJudge(f"{history.name} is damaged ({problem}); {_ALONE}") from None
    return history


def read_text(name: str, text: str) -> History:
    """A checkpoint or a proof file. Raises CannotJudge where it is neither, or is damaged."""
    if not text.startswith((HEADER, CONSISTENCY_HEADER)):
        checkpoint = parse_checkpoint(text)
        return History(name, checkpoint.origin, notes={checkpoint.size: text})
    try:
        proved = open_file(text)
    except (Damaged, BadSignature) as problem:
        raise CannotJudge(f"{name} is damaged: {problem}") from None
    history = History(name, proved.opening.origin, proved.opening.event.genesis)
    _take_keys(history, {n: v for n, v in sorted(proved.lines.items()) if _names_key(n, v)})
    _take(history, parse_proof(text) if text.startswith(HEADER) else parse_consistency(text))
    return history


def read_seal(log: ArchiveLog) -> list[History]:
    """What the first event of an archive says of the volume before: its last checkpoint."""
    try:
        _, line = next(log.lines(), (0, b""))
        event = decode(line).event
    except (Damaged, CannotJudge, msgspec.DecodeError):
        return []  # told when the archive itself is read
    if not isinstance(event, LogOpened) or event.previous is None:
        return []
    return [read_text(f"the seal in event 1 of {log.folder}", event.previous.checkpoint)]


def _names_key(seq: int, line: bytes) -> bool:
    return seq == 1 or ROTATION_MARK in line


def _take_keys(history: History, lines: Mapping[int, bytes]) -> None:
    """The log's keys in their order. Raises Damaged where the hotkey did not name them."""
    if 1 not in lines:
        return
    opening = read_opening(lines[1])
    if (opening.origin, opening.event.genesis) != (history.origin, history.genesis):
        raise Damaged(1, "the manifest names another log than LogOpened")
    rotations = {seq: line for seq, line in lines.items() if seq > 1}
    ranges = keys_after(opening, rotations.items()).ranges
    for line in lines.values():
        match decode(line).event:
            case LogOpened(log_key=key) | LogKeyRotated(log_key=key):
                history.keys[bytes.fromhex(key)] = line.decode()
    history.revoked = {r.public_key: r.last or 0 for r in ranges if r.revoked}


def _take(history: History, proof: Proof | ConsistencyProof) -> None:
    """Notes and events of a proof that was verified."""
    notes = [proof.note] if isinstance(proof, Proof) else [proof.old_note, proof.new_note]
    history.notes = {parse_checkpoint(note).size: note for note in notes}
    exhibits = msgspec.json.decode(proof.extra, type=Exhibits)
    shown = {exhibit.index + 1: exhibit for exhibit in exhibits.others}
    if isinstance(proof, Proof) and exhibits.event is not None:
        own = Exhibit(index=proof.index, hashes=list(proof.hashes), event=exhibits.event)
        shown[proof.seq] = own
    history.shown = shown


def _read_notes(history: History, log: ArchiveLog) -> None:
    for named in [*log.checkpoint_sizes(), None]:
        note = log.checkpoint_note(named)
        if note is None:
            continue
        checkpoint = parse_checkpoint(note)
        if history.tree is not None:
            _check_root(history.tree, checkpoint.size, checkpoint.root)
        history.notes[checkpoint.size] = note


def _check_root(tree: Tree, size: int, root: bytes) -> None:
    if size > tree.size:
        raise Damaged(tree.size + 1, f"missing: a checkpoint covers {size} events")
    if tree.root(size) != root:
        raise Damaged(size, "the lines up to it do not give their checkpoint's root")
