"""An archive through any life: whatever was signed once is a prefix for ever, and can be proved.

Hypothesis drives one writer by appends, flushes, checkpoints, new log keys, crashes that leave torn
bytes, and restarts, and asks for copies and proofs in between. Beside it stands a list of what was
durable.
"""

import os
import shutil
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from quasar.chain.keys import log_key_from_seed
from quasar.errors import Damaged
from quasar.events import AnyEvent, Draft, LogKeyRotated, RunEnded
from quasar.events.envelope import encode
from quasar.events.exhibits import open_file
from quasar.events.merkle import Tree, leaf_hash
from quasar.events.note import Checkpoint, LogKeys, sign_checkpoint
from quasar.events.rotation import rotation_statement
from quasar.events.signing import Signer
from quasar.log.archive import ArchiveLog, ArchiveWriter, copy_archive
from quasar.log.frames import pack
from quasar.log.prove import Prover
from quasar.log.verify import verify_archive
from quasar.log.withdraw import withdraw_notes
from tests.tampering import GENESIS, HOTKEY, IDENTITY, LOG_KEY, opening

SEGMENT = 7
"""Events a segment, so that every few steps begin a new one."""


class LogMachine(RuleBasedStateMachine):
    """One archive, and what it must hold."""

    def __init__(self) -> None:
        super().__init__()
        self.work = Path(tempfile.mkdtemp())
        self.folder = self.work / "archive"
        self.durable: list[bytes] = []
        self.pending: list[bytes] = []
        self.signed: dict[int, bytes] = {}
        """Size to root of every checkpoint that was published and not withdrawn."""
        self.key: Signer = LOG_KEY
        self.keys = LogKeys.of(LOG_KEY.public_key)
        self.made = 0
        self.copies = 0
        self.writer = self._open()

    def _open(self) -> ArchiveWriter:
        return ArchiveWriter.open(self.folder, IDENTITY, segment_events=SEGMENT)

    def _line(self, event: AnyEvent) -> bytes:
        self.made += 1
        return encode(Draft(actor="test", cause=0, event=event), self.made)

    @initialize()
    def begin(self) -> None:
        """Event 1 names the log key."""
        self.pending.append(self._line(opening()))
        self.writer.append(self.pending)
        self.flush()

    @rule(n=st.integers(1, 12), then=st.sampled_from(["wait", "flush", "sign"]))
    def append(self, n: int, then: str) -> None:
        """Some events, durable or not yet. After a crash other events take their places."""
        lines = [self._line(RunEnded(run=self.made, reason="done")) for _ in range(n)]
        self.writer.append(lines)
        self.pending += lines
        if then != "wait":
            self.flush()
        if then == "sign":
            self.checkpoint()

    @rule()
    def flush(self) -> None:
        """What was collected is durable when this returns."""
        self.durable += self.pending
        self.pending = []
        assert self.writer.flush() == len(self.durable)

    @rule()
    def checkpoint(self) -> None:
        """Sign what is durable, and no more."""
        size, root = self.writer.size, self.writer.tree.root()
        head = Checkpoint(IDENTITY.origin, size, root)
        self.writer.publish(sign_checkpoint(head, self.key), size)
        self.signed[size] = root

    @rule(data=st.data(), revoke=st.booleans())
    def rotate(self, data: st.DataObject, revoke: bool) -> None:
        """Another log key, as a validator that starts does it: sign, append, withdraw, sign."""
        self.flush()
        if not revoke:
            self.checkpoint()
        first, current = len(self.durable) + 1, self.keys.current
        until = (
            data.draw(st.integers(max(current.first - 1, 0), first - 1)) if revoke else first - 1
        )
        key = log_key_from_seed(b"%d" % first)
        event = LogKeyRotated(
            number=len(self.keys.ranges),
            log_key=key.public_key.hex(),
            first=first,
            until=until,
            reason="revoked" if revoke else "rotated",
            log_key_signature="0" * 128,
        )
        signature = HOTKEY.sign(rotation_statement(IDENTITY.origin, GENESIS, event)).hex()
        event = msgspec.structs.replace(event, log_key_signature=signature)
        if revoke:
            self.keys = self.keys.revoked(key.public_key, first, until)
        else:
            self.keys = self.keys.rotated(key.public_key, first)
        self.key = key
        withdraw_notes(self.folder, self.keys)
        self.signed = {n: root for n, root in self.signed.items() if n <= until}
        self.pending = [self._line(event)]
        self.writer.append(self.pending)
        self.flush()
        self.checkpoint()

    @rule(n=st.integers(0, 9), share=st.floats(0, 1), leftover=st.booleans())
    def crash(self, n: int, share: float, leftover: bool) -> None:
        """The writer dies within a flush: a part of the next bytes is on the disk, or all.

        What no longer got an answer may be there or not; what was durable is there.
        """
        self.append(n, "wait")
        self.writer.close()
        frames = [pack([line]) for line in self.pending[: -len(self.durable) % SEGMENT or SEGMENT]]
        cut = round(share * len(b"".join(frames)))
        first = len(self.durable) // SEGMENT * SEGMENT + 1
        with (self.folder / "segments" / f"{first:020}.jsonl.zst").open("ab") as file:
            file.write(b"".join(frames)[:cut])
        if leftover:
            (self.folder / ".manifest.json.1.2.tmp").write_bytes(b"half")
        whole = 0
        while whole < len(frames) and len(b"".join(frames[: whole + 1])) <= cut:
            whole += 1
        self.durable += self.pending[:whole]
        self.pending = []
        self.writer = self._open()
        assert self.writer.size == len(self.durable)

    @rule()
    def reopen(self) -> None:
        """A restart in order; what was not flushed is gone, as after a crash."""
        self.writer.close()
        self.pending = []
        self.writer = self._open()

    @rule()
    def export(self) -> None:
        """A copy holds the same lines, and is whole up to its newest checkpoint."""
        self.copies += 1
        copy = copy_archive(self.folder, self.work / f"copy-{self.copies}")
        assert [line for _, line in copy.lines()] == self.durable
        newest = max(self.signed, default=0)
        if newest == len(self.durable):
            assert verify_archive(copy.folder, processes=1).checkpoints == len(self.signed)
        else:
            with pytest.raises(Damaged) as caught:
                verify_archive(copy.folder, processes=1)
            assert caught.value.seq == (newest + 1 if newest else len(self.durable))

    @precondition(lambda self: self.signed)
    @rule(data=st.data())
    def prove(self, data: st.DataObject) -> None:
        """Any event under any checkpoint that covers it, and growth between any two."""
        sizes = st.sampled_from(sorted(self.signed))
        old, new = sorted((data.draw(sizes), data.draw(sizes)))
        seq = data.draw(st.integers(1, new))
        prover = Prover(ArchiveLog(self.folder), new)
        proved = open_file(prover.inclusion(seq))
        assert proved.lines[seq] == self.durable[seq - 1]
        assert proved.checkpoint.root == self.signed[new]
        grown = open_file(prover.consistency(old))
        assert grown.older is not None
        assert (grown.older.root, grown.checkpoint.root) == (self.signed[old], self.signed[new])

    @invariant()
    def every_checkpoint_is_a_prefix(self) -> None:
        """Every checkpoint ever published is kept, signed, and of the lines as they are now."""
        tree, log = Tree(map(leaf_hash, self.durable)), ArchiveLog(self.folder)
        assert log.checkpoint_sizes() == sorted(self.signed)
        for size, root in self.signed.items():
            note = log.checkpoint_note(size) or ""
            head = self.keys.open(note, IDENTITY.origin)
            assert head == (IDENTITY.origin, size, root)
            assert tree.root(size) == root
        assert self.writer.tree.root() == tree.root()

    @precondition(lambda self: self.signed)
    @invariant()
    def readers_see_it_whole(self) -> None:
        """While the writer holds it, what is durable verifies, and the rest is not there yet."""
        found = verify_archive(self.folder, processes=1)
        assert found.events == len(self.durable)
        assert found.unsigned == len(self.durable) - max(self.signed)

    def teardown(self) -> None:
        """Leave nothing behind."""
        self.writer.close()
        shutil.rmtree(self.work)


def test_any_life_of_an_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    """Appends, checkpoints, crashes, restarts, copies and proofs in any order."""
    monkeypatch.setattr(os, "fsync", lambda _: None)  # this machine's power stays on
    run_state_machine_as_test(
        LogMachine,
        settings=settings(
            max_examples=30,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
