"""What an archive adds to its lines, and must not contradict them: tiles, notes, the manifest."""

from typing import Any

from quasar.errors import CannotJudge, Damaged
from quasar.log.archive import ArchiveLog, refuse_unsigned
from quasar.replay.structure import StructureCheck


class ArchiveCheck:
    """Stands beside the pass over the events. Raises Damaged at the first contradiction."""

    def __init__(self, log: ArchiveLog, structure: StructureCheck[Any]) -> None:
        """Raises CannotJudge for an archive that nobody signed."""
        refuse_unsigned(log)
        self._log = log
        self._structure = structure
        self._hashes = log.leaf_hashes()

    def next_hash(self, seq: int) -> bytes:
        """What the hash tiles say of the next event."""
        found = next(self._hashes, None)
        if found is None:
            raise Damaged(seq, "no hash tile covers this event")
        return found

    def finish(self) -> None:
        """After the last event: whose archive it says it is, and every signed note."""
        self._check_identity()
        for size in self._log.checkpoint_sizes():
            self._structure.check_note(self._note(size), size, called=f"checkpoints/{size}")
        self._check_not_cut()
        newest = self._structure.check_note(self._note())
        if newest < self._structure.tree.size:
            raise Damaged(newest + 1, "no signed checkpoint covers this event and those after it")

    def _check_not_cut(self) -> None:
        """A note over more events than there are tells of a log that was longer."""
        if beyond := self._log.checkpoint_beyond():
            raise Damaged(self._structure.tree.size + 1, f"missing: checkpoints/{beyond} covers it")

    def _check_identity(self) -> None:
        opened, claimed = self._structure.opened, self._log.manifest.identity
        for name in claimed.__struct_fields__:
            if opened is not None and getattr(opened, name) != getattr(claimed, name):
                raise Damaged(1, f"the manifest names another {name} than LogOpened")

    def _note(self, size: int | None = None) -> str:
        last = self._structure.tree.size
        try:
            note = self._log.checkpoint_note(size)
        except CannotJudge as problem:
            raise Damaged(last, str(problem)) from None
        if note is None:
            name = "the checkpoint" if size is None else f"checkpoints/{size}"
            raise Damaged(last, f"{name} is missing; get another copy of the archive")
        return note
