"""An audit of a long log: what is left out is said, memory is bounded, processes change nothing."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import anyio
import msgspec
import pytest

from quasar.errors import LogError, UsageError
from quasar.events import AnswerReceived, AnswerScored, TaskAccepted
from quasar.events.envelope import decode
from quasar.events.merkle import Tree, leaf_hash
from quasar.log.blobs import MemoryBlobs
from quasar.replay.audit import ALONE, Audit, audit
from quasar.replay.finding import Level, Report
from quasar.replay.leaves import LeafTree
from quasar.replay.quotes import Quotes
from quasar.replay.slots import Slots
from quasar.replay.spilled import Records
from quasar.replay.work import Signatures
from quasar.replay.workers import Workers
from tests.builders import LineLog, World
from tests.forging import few_tasks, played

PLAIN = (str, bytes, int, float, type, Slots, Quotes, LeafTree, MemoryBlobs)
Edit = Callable[[list[bytes]], list[bytes]]


def lines_of() -> list[bytes]:
    """The played log without its last checkpoint, which would name any edit at once."""
    return played().lines[:-1]


def report_of(lines: list[bytes], **how: Any) -> Report:
    """An audit of lines with the blobs of the played log."""
    return anyio.run(partial(audit, LineLog(lines, played().log.blobs), **how))


def replaced(lines: list[bytes], kind: type, **fields: Any) -> list[bytes]:
    """The lines with other fields in the last event of a type, and nothing else changed."""
    at = max(i for i, line in enumerate(lines) if isinstance(decode(line).event, kind))
    envelope = decode(lines[at])
    event = msgspec.structs.replace(envelope.event, **fields)
    forged = msgspec.json.encode(msgspec.structs.replace(envelope, event=event))
    return [*lines[:at], forged, *lines[at + 1 :]]


FORGERIES: dict[str, Edit] = {
    "none": lambda lines: lines,
    "accuracy": lambda lines: replaced(lines, AnswerScored, accuracy=0.5),
    "answer": lambda lines: replaced(lines, AnswerReceived, text="ANSWER: 7"),
    "signature": lambda lines: replaced(lines, TaskAccepted, signature="0" * 128),
    "cut": lambda lines: lines[:70] + lines[71:],
}


@pytest.fixture(scope="module")
def in_two() -> dict[str, Report]:
    """Every forgery's report, by two processes."""
    return {name: report_of(edit(lines_of()), processes=2) for name, edit in FORGERIES.items()}


@pytest.mark.parametrize("name", FORGERIES)
def test_the_number_of_processes_changes_nothing(name: str, in_two: dict[str, Report]) -> None:
    """One process and two give the same bytes, of clean logs and of forged ones."""
    one = report_of(FORGERIES[name](lines_of()), processes=1)
    assert msgspec.json.encode(one) == msgspec.json.encode(in_two[name])
    assert (one.result == "clean") == (name == "none")


@pytest.mark.parametrize(
    ("name", "levels", "left_out"),
    [
        ("accuracy", ("scores",), ("receipts", "tasks", "weights", "lifecycle")),
        ("answer", ("receipts",), ("lifecycle", "weights")),
        ("signature", ("receipts",), ("lifecycle", "scores", "weights", "tasks")),
    ],
)
def test_a_level_that_is_left_out_is_not_judged(
    name: str, levels: Sequence[Level], left_out: Sequence[Level]
) -> None:
    """Its forgery is named where it is checked; else the report says that it was not."""
    lines = FORGERIES[name](lines_of())
    found, passed = report_of(lines, levels=levels), report_of(lines, levels=left_out)
    assert found.first_divergence is not None
    assert found.first_divergence.level == levels[0]
    assert passed.result == "clean"
    assert f"{levels[0]}: left out, as you asked" in passed.not_checked


def test_every_level_but_the_chain_is_checked_unless_named() -> None:
    """A report without ``levels`` leaves nothing out, and one of none is of structure."""
    assert not any("left out" in note for note in report_of(played().lines).not_checked)
    report = report_of(played().lines, levels=())
    assert (report.decisions.checked, report.receipts.checked) == (0, 0)
    assert len([note for note in report.not_checked if "left out" in note]) == len(ALONE) - 1


def test_an_unknown_level_is_refused() -> None:
    """A slip of the pen must not pass for a check."""
    with pytest.raises(UsageError, match="there is no level 'score': name some of structure"):
        report_of([], levels=("score",))


def test_one_level_finds_what_all_find() -> None:
    """Scores alone are recomputed from the same state as with every level."""
    alone, both = report_of(played().lines, levels=("scores",)), report_of(played().lines)
    assert alone.scores == both.scores
    assert alone.scores.checked > 20


def grown(rounds: int) -> dict[str, int]:
    """Elements in each check's containers after so many rounds."""
    world = World(miners=2, policy=few_tasks())

    async def play() -> None:
        for number in range(1, rounds + 1):
            await world.play_round(number)

    anyio.run(play)
    audited = Audit(LineLog(world.lines, world.log.blobs))
    assert anyio.run(audited.run).result == "clean"
    checks = ("_receipts", "_decisions", "_closing", "_lifecycle", "_effects")
    return {name: elements(getattr(audited, name), set()) for name in checks}


def elements(of: object, seen: set[int]) -> int:
    """How many things hang on an object; what is meant to grow, in a file, aside."""
    if id(of) in seen or isinstance(of, PLAIN):
        return 0
    seen.add(id(of))
    if isinstance(of, dict):
        return len(of) + sum(elements(one, seen) for one in of.values())
    if isinstance(of, list | tuple | set | frozenset):
        return len(of) + sum(elements(one, seen) for one in of)
    return sum(elements(one, seen) for one in getattr(of, "__dict__", {}).values())


def test_checks_forget_rounds_that_are_over() -> None:
    """Ten rounds leave no more behind than four, but for a secret and a row for each."""
    few, many = grown(4), grown(10)
    receipts = 2 * 16 - 2 * 4 * 3  # the newest 16 of each miner are handed on
    allowed = {"_decisions": 6, "_effects": 6, "_closing": 6 + receipts}
    assert {k: n for k, n in many.items() if n > few[k] + allowed.get(k, 0)} == {}
    assert few["_decisions"] > 20


@pytest.mark.parametrize("apart", [1, 2, 3, 40])
def test_a_doubled_slot_is_named_however_far_apart(apart: int) -> None:
    """Near by at once, far off from the file, with the number of the second event."""
    slots = Slots(pending=3)
    keys = [f"task.1.{i}" for i in range(50)]
    keys.insert(5 + apart, keys[5])
    filled = [slots.fill(key, seq) for seq, key in enumerate(keys, 1)]
    assert filled.count(False) <= 1
    assert slots.doubled() == (5 + apart + 1 if all(filled) else None)
    assert len(slots) < 3


def test_an_audit_names_a_slot_that_is_doubled_far_off() -> None:
    """The event's number, its slot, and nothing before it, though other checks see it too."""
    lines = played().lines
    again = lines[6]
    audited = Audit(LineLog([*lines, again], played().log.blobs))
    audited._structure._slots = Slots(pending=8)
    first = anyio.run(audited.run).first_divergence
    assert first is not None
    assert (first.seq, first.level) == (len(lines) + 1, "structure")
    assert first.reason == f"a second event in the slot {decode(again).key}"


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 511, 512, 1024, 1300])
def test_any_root_that_a_tree_ever_had(size: int) -> None:
    """The tree of an audit has the roots of the tree with everything in it."""
    leaves = [leaf_hash(b"%d" % i) for i in range(1300)]
    tree, whole = LeafTree(), Tree(leaves)
    for leaf in leaves:
        tree.append(leaf)
    assert (tree.size, tree.root(size)) == (whole.size, whole.root(size))
    with pytest.raises(ValueError, match="has no root over 1301"):
        tree.root(1301)


def test_receipts_that_are_named_and_missing() -> None:
    """Whatever was received counts, before or after it was named; open rounds do not yet."""
    quotes = Quotes(pending=4)
    names = [hashlib.sha256(b"%d" % i).hexdigest() for i in range(40)]
    for i, name in enumerate(names[:30]):
        quotes.receive(name)
        quotes.name(names[max(0, i - 20)], 1)
    quotes.name(names[30], 1)
    quotes.name(names[30], 2)
    quotes.name(names[31], 2)
    quotes.name(names[32], 3)
    quotes.receive(names[32])
    assert (quotes.missing({2}), quotes.missing(())) == (1, 2)
    assert len(quotes) < 10


def test_records_come_out_as_they_went_in() -> None:
    """All records of a digest, in order, with and without a file."""
    small, large = Records(pending=1000), Records(pending=7)
    for i in range(500):
        for records in (small, large):
            records.add(hashlib.sha256(b"%d" % (i % 90)).digest(), i)
    one, two = (sorted((d, n) for bucket in r.buckets() for d, n in bucket) for r in (small, large))
    assert one == two
    assert len(one) == 500
    assert all(
        [n for d, n in bucket if d == digest] == sorted(n for d, n in bucket if d == digest)
        for bucket in large.buckets()
        for digest, _ in bucket
    )


def test_a_process_that_dies_is_an_error() -> None:
    """Nothing is taken for checked that nobody checked."""
    work = Signatures(["x"], [b"m"], ["00"])
    results: list[Sequence[bool]] = []
    with Workers(2) as workers:
        workers.submit(work, results.append)
        workers.finish()
        assert results == [[False]]
        workers._others[0]._process.kill()
        workers._others[0]._process.wait()
        with pytest.raises(LogError, match="a process of the audit ended with -9"):
            workers.share([work])


def test_processes_end_with_the_audit() -> None:
    """Also when it is interrupted."""
    workers = Workers(2)
    with suppress(KeyboardInterrupt), workers:
        workers.share([Signatures(["x"], [b"m"], ["00"])])
        process = workers._others[0]._process
        raise KeyboardInterrupt
    assert process.returncode is not None
