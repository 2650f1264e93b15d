"""Makes proofs from an archive. Each is verified as a stranger would before it is given out."""

from collections.abc import Mapping

from quasar.errors import Damaged, UsageError
from quasar.events.envelope import decode
from quasar.events.exhibits import FORMAT, Exhibit, Exhibits, Kind, encode_exhibits, open_file
from quasar.events.merkle import leaf_hash
from quasar.events.opening import read_opening
from quasar.events.proof import write_consistency, write_proof
from quasar.events.receipt import build_request, request_body
from quasar.events.rotation import keys_after
from quasar.events.score_proof import check_score, score_slots
from quasar.events.task import TaskAssigned, TaskSampled
from quasar.log.archive_reader import ArchiveLog
from quasar.log.log_keys import rotation_lines

_KEY = b'{"key":"'


class Prover:
    """Proofs under one signed checkpoint of an archive. Holds 64 bytes an event."""

    def __init__(self, log: ArchiveLog, size: int | None = None) -> None:
        """Under the kept checkpoint of this size, or the newest.

        Raises UsageError where the archive keeps no such checkpoint, and Damaged, BadSignature or
        CannotJudge where it is not what its log key signed.
        """
        self._log = log
        self.note = _note(log, size)
        self._first = next((line for _, line in log.lines()), b"")
        self.opening = read_opening(self._first)
        rotations = dict(rotation_lines(log))
        self._keys = keys_after(self.opening, rotations.items())
        head = self._keys.open(self.note, self.opening.origin)
        self._tree = log.tree()
        if head.size > self._tree.size:
            raise Damaged(self._tree.size + 1, f"missing: a checkpoint covers {head.size} events")
        if head.root != self._tree.root(head.size):
            raise Damaged(head.size, "its checkpoint is signed and has another root")
        self.size = head.size
        self._names_keys = {1: self._first} | {s: v for s, v in rotations.items() if s <= self.size}
        """Lines that every proof shows: they say whose keys sign."""

    def inclusion(self, seq: int) -> str:
        """The proof file of one event. Raises UsageError for one that is not there."""
        if not 1 <= seq <= self.size:
            raise UsageError(f"no event {seq} under this checkpoint: it covers 1 to {self.size}")
        _, line = next(self._log.lines(seq - 1))
        return self._file("inclusion", {seq: line}, seq, None)

    def score(self, hotkey: str, round_: int, task: int) -> str:
        """The proof file of one score: question, signed answer, score.

        Raises UsageError where the log holds no such score, and as ``check_score``.
        """
        found = self._find(score_slots(round_, task, hotkey))
        events = {type(event): event for event in (decode(line).event for line in found.values())}
        sampled, assigned = events.get(TaskSampled), events.get(TaskAssigned)
        score = max(found, default=0)
        if not isinstance(sampled, TaskSampled) or not isinstance(assigned, TaskAssigned):
            raise UsageError(f"task {round_}.{task} was not given to {hotkey} in this log")
        if not found[score].startswith(_KEY + b"score."):
            raise UsageError(
                f"the answer of {hotkey} to task {round_}.{task} has no score under the checkpoint "
                f"of {self.size} events"
            )
        request = request_body(build_request(self.opening.event.log_id, sampled, assigned))
        text = self._file("score", found, score, request.decode())
        check_score(open_file(text))
        return text

    def consistency(self, old: int | str) -> str:
        """The proof file that the log only grew since an older checkpoint: a size, or a note.

        Raises Damaged for a note of this log with another root: it shows that the log was
        rewritten. Raises BadSignature for a note that this log's keys did not sign.
        """
        note = _note(self._log, old) if isinstance(old, int) else old
        head = self._keys.open(note, self.opening.origin)
        if head.size > self.size:
            raise UsageError(
                f"the older checkpoint covers {head.size} events, the newer one {self.size}"
            )
        if head.root != self._tree.root(head.size):
            raise Damaged(
                head.size,
                "the older checkpoint is signed and has another root: the log was rewritten. "
                "Keep that note and this archive, they prove it",
            )
        exhibits = self._exhibits("consistency", None, self._names_keys, None)
        hashes = self._tree.consistency(head.size, self.size)
        text = write_consistency(note, self.note, hashes, encode_exhibits(exhibits))
        open_file(text)
        return text

    def _file(self, kind: Kind, lines: Mapping[int, bytes], main: int, request: str | None) -> str:
        shown = {**self._names_keys, **lines}
        others = {seq: line for seq, line in shown.items() if seq != main}
        exhibits = self._exhibits(kind, _text(main, lines[main]), others, request)
        hashes = self._tree.inclusion(main - 1, self.size)
        text = write_proof(main - 1, hashes, self.note, encode_exhibits(exhibits))
        open_file(text)
        return text

    def _exhibits(
        self, kind: Kind, event: str | None, others: Mapping[int, bytes], request: str | None
    ) -> Exhibits:
        shown = [
            Exhibit(
                index=seq - 1,
                hashes=self._tree.inclusion(seq - 1, self.size),
                event=_text(seq, line),
            )
            for seq, line in sorted(others.items())
        ]
        return Exhibits(format=FORMAT, kind=kind, event=event, others=shown, request=request)

    def _find(self, slots: list[str]) -> dict[int, bytes]:
        """The lines in these slots, by number, each compared with its hash."""
        wanted = {slot.encode() for slot in slots}
        found: dict[int, bytes] = {}
        for seq, line in self._log.lines():
            if seq > self.size or len(found) == len(wanted):
                break
            end = line.find(b'"', len(_KEY))
            if line.startswith(_KEY) and line[len(_KEY) : end] in wanted:
                if leaf_hash(line) != self._tree.leaves(seq - 1, seq):
                    raise Damaged(seq, "the stored line differs from its hash in tile/0")
                found[seq] = line
        return found


def _note(log: ArchiveLog, size: int | None) -> str:
    note = log.checkpoint_note(size)
    if note is None and size is None:
        raise UsageError(f"{log.folder} has no signed checkpoint, so nothing in it can be proved")
    if note is None:
        known = log.checkpoint_sizes()
        near = sorted(sorted(known, key=lambda s: abs(s - (size or 0)))[:6])
        raise UsageError(
            f"no checkpoint over {size} events is kept; the nearest are over "
            f"{', '.join(map(str, near)) or 'none'}"
        )
    return note


def _text(seq: int, line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        raise Damaged(seq, "not an event: it is not UTF-8") from None
