"""Whether two sources tell of one log that only grew; if not, the file that proves it.

Two validly signed notes contradict each other where they cover as many events and differ, where
another event stands in the same place, and where the larger does not begin with the smaller.
"""

from collections.abc import Mapping
from typing import NamedTuple

from quasar.errors import CannotJudge
from quasar.events.fork import FORMAT, Begins, Claim, Differs, Fork, check_claim, write_fork
from quasar.events.merkle import Tree
from quasar.events.note import BadSignature, parse_checkpoint
from quasar.log.history import History


class Side(NamedTuple):
    """A history, and its checkpoints with what makes them the validator's word."""

    history: History
    claims: Mapping[int, Claim]
    """By size."""

    def root(self, size: int) -> bytes:
        """As signed."""
        return parse_checkpoint(self.claims[size].note).root


def find_fork(one: History, two: History) -> bytes | None:
    """The file that proves a fork, or None where the shorter is shown to begin the longer.

    Raises CannotJudge where neither can be shown, or a checkpoint is not the validator's.
    """
    if one.origin != two.origin:
        raise CannotJudge(f"{one.name} is of {one.origin}, {two.name} of {two.origin}: two logs")
    if not one.keys and not two.keys:
        raise CannotJudge(
            "neither source holds the first event of the log, which names the key that signs it: "
            "give an archive or a proof file for one of them"
        )
    sides = [_side(one, two), _side(two, one)]
    fork = _search(*sorted(sides, key=lambda side: side.history.tree is None))
    return None if fork is None else write_fork(fork)


def first_difference(one: Tree, two: Tree) -> int | None:
    """The first number that holds different events; None where one tree begins the other."""
    equal, size = 0, min(one.size, two.size)
    if one.root(size) == two.root(size):
        return None
    differ = size
    while differ - equal > 1:
        middle = (equal + differ) // 2
        if one.root(middle) == two.root(middle):
            equal = middle
        else:
            differ = middle
    return differ


def _side(mine: History, other: History) -> Side:
    """A history with the checkpoints that count; its own log's keys go before the other's.

    Raises CannotJudge for a checkpoint that is not the validator's, and where none counts of a
    source that holds nothing else.
    """
    keys = other.keys | mine.keys
    revoked = other.revoked | mine.revoked
    claims, problem = {}, ""
    for size in list(mine.notes):
        key, claim = _claim(mine, mine.notes[size], keys, mine.genesis or other.genesis)
        if size <= revoked.get(key, size):
            claims[size] = claim
        else:
            del mine.notes[size]
            problem = f"its key was revoked, and counts up to {revoked[key]} events"
    if problem and not claims and mine.tree is None:
        raise CannotJudge(f"the checkpoint of {mine.name} counts no more: {problem}")
    return Side(mine, claims)


def _claim(
    history: History, note: str, keys: Mapping[bytes, str], genesis: str
) -> tuple[bytes, Claim]:
    """The key that signed, and the claim. Raises CannotJudge where no key did."""
    problem: BadSignature | None = None
    for key, line in keys.items():
        claim = Claim(note=note, names_key=line)
        try:
            check_claim(claim, history.origin, genesis)
        except BadSignature as other:
            problem = other
        else:
            return key, claim
    raise CannotJudge(f"a checkpoint of {history.name} is not the validator's word: {problem}")


def _search(one: Side, two: Side) -> Fork | None:
    """``one`` has all lines if either has."""
    if one.history.tree and two.history.tree:
        seq = first_difference(one.history.tree, two.history.tree)
        return None if seq is None else _differs(one, two, seq)
    found = _shown(one, two) or _same_size(one, two) or _begins(one, two)
    if found is None:
        _check_comparable(one, two)
    return found


def _differs(one: Side, two: Side, seq: int) -> Fork:
    """Another event at ``seq``, each under the oldest checkpoint that covers it."""
    sizes = [_covering(side, seq) for side in (one, two)]
    first, second = one.history.place(seq, sizes[0]), two.history.place(seq, sizes[1])
    if first is None or second is None:
        raise CannotJudge(f"event {seq} differs, and is no text: compare checkpoints as files")
    if sizes[0] > sizes[1]:
        one, two, first, second = two, one, second, first
    tree = one.history.tree if first.shared is not None and second.shared is not None else None
    shared = tree.root(seq - 1) if tree else None
    differs = Differs(seq=seq, shared_root=shared, first=first, second=second)
    return _fork(one, min(sizes), two, max(sizes), differs=differs)


def _covering(side: Side, seq: int) -> int:
    size = side.history.note_over(seq)
    if size is None:
        raise CannotJudge(
            f"they differ from event {seq} on, and {side.history.name} has no signed checkpoint "
            "over it: what nobody signed proves nothing"
        )
    return size


def _shown(one: Side, two: Side) -> Fork | None:
    """A proof file's event that stands elsewhere, or with other bytes, in the other source."""
    for seq in sorted(two.history.shown):
        size = one.history.note_over(seq)
        if size is not None:
            place = one.history.place(seq, size)
            if place is not None and place.event != two.history.shown[seq].event:
                return _differs(one, two, seq)
    return None


def _same_size(one: Side, two: Side) -> Fork | None:
    for size in sorted(one.claims.keys() & two.claims.keys()):
        if one.root(size) != two.root(size):
            return _fork(one, size, two, size)
    return None


def _begins(one: Side, two: Side) -> Fork | None:
    """A note of ``two`` that is no prefix of the lines of ``one``."""
    tree = one.history.tree
    for size in sorted(two.claims) if tree else ():
        if tree is None or size > tree.size or tree.root(size) == two.root(size):
            continue
        longer = _covering(one, size)
        begins = Begins(root=tree.root(size), hashes=tree.consistency(size, longer))
        return _fork(two, size, one, longer, begins=begins)
    return None


def _check_comparable(one: Side, two: Side) -> None:
    """Raises CannotJudge where some note was compared with nothing."""
    for side, other in ((two, one), (one, two)):
        tree = other.history.tree
        if side.history.tree:
            continue
        for size in side.claims:
            if size not in other.claims and (tree is None or size > tree.size):
                raise CannotJudge(
                    f"nothing in {other.history.name} can be compared with the checkpoint over "
                    f"{size} events of {side.history.name}: give an archive that holds as many"
                )


def _fork(
    first: Side,
    first_size: int,
    second: Side,
    second_size: int,
    *,
    differs: Differs | None = None,
    begins: Begins | None = None,
) -> Fork:
    return Fork(
        format=FORMAT,
        origin=first.history.origin,
        genesis=first.history.genesis or second.history.genesis,
        first=first.claims[first_size],
        second=second.claims[second_size],
        differs=differs,
        begins=begins,
    )
