"""What an archive adds to its lines, and must not contradict them: tiles, notes, the manifest."""

from quasar.errors import CannotJudge, Damaged
from quasar.events.merkle import HASH_BYTES
from quasar.log.archive_reader import ArchiveLog
from quasar.log.files import read_regular
from quasar.log.tiles import TILE_BYTES, TILE_HASHES, tile_name
from quasar.replay.structure import StructureCheck


class ArchiveCheck:
    """Stands beside the pass over the events. Raises Damaged at the first contradiction."""

    def __init__(self, log: ArchiveLog, structure: StructureCheck) -> None:
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
            self._structure.check_note(self._note(size), size)
            self._check_partial_tile(size)
        newest = self._structure.check_note(self._note())
        if newest < self._structure.tree.size:
            raise Damaged(newest + 1, "no signed checkpoint covers this event and those after it")

    def _check_identity(self) -> None:
        opened, claimed = self._structure.opened, self._log.manifest.identity
        for name in claimed.__struct_fields__:
            if opened is not None and getattr(opened, name) != getattr(claimed, name):
                raise Damaged(1, f"the manifest names another {name} than LogOpened")

    def _note(self, size: int | None = None) -> str:
        try:
            return self._log.checkpoint_note(size) or ""
        except CannotJudge as problem:
            raise Damaged(self._structure.tree.size, str(problem)) from None

    def _check_partial_tile(self, size: int) -> None:
        """The hashes under an older checkpoint; a full tile may have replaced them."""
        index, width = divmod(size, TILE_HASHES)
        name, start = tile_name(index, width), index * TILE_HASHES
        try:
            found = read_regular(self._log.folder, name, TILE_BYTES) if width else b""
        except FileNotFoundError:
            return
        except OSError as problem:
            raise Damaged(start + 1, f"{name} {problem.strerror}") from None
        made = self._structure.tree.leaves(start, start + width)
        if found != made:
            same = next((i for i in range(len(made)) if found[i : i + 1] != made[i : i + 1]), 0)
            raise Damaged(start + same // HASH_BYTES + 1, f"its hash in {name} differs")
