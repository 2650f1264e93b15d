"""Proof files: what they carry, what is proved by them, and what no longer is when it was altered.

The archive is a played one, so every way in which an answer can end has its proof.
"""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quasar.errors import CannotJudge, Damaged, QuasarError, UsageError
from quasar.events import AnswerNotScored, AnswerScored
from quasar.events.envelope import decode
from quasar.events.exhibits import open_file
from quasar.events.merkle import EMPTY
from quasar.events.note import BadSignature, Checkpoint, sign_checkpoint
from quasar.events.proof import parse_consistency, parse_proof, write_consistency
from quasar.events.score_proof import ScoreProof, check_score
from quasar.log.archive import ArchiveLog
from quasar.log.prove import Prover
from tests.forging import played, write_archive
from tests.tampering import (
    ARCHIVE_KINDS,
    LOG_KEY,
    OTHER_KEY,
    SCORE_KINDS,
    SIZES,
    exhibits,
    make_archive,
    replaced_key,
)

ALICE = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> ArchiveLog:
    """A played archive. Not to be changed."""
    folder = tmp_path_factory.mktemp("played") / "archive"
    return ArchiveLog(write_archive(folder, played(), played().lines))


@pytest.fixture(scope="module")
def prover(log: ArchiveLog) -> Prover:
    """Proofs under its newest checkpoint."""
    return Prover(log)


Scores = list[AnswerScored | AnswerNotScored]


def scores(log: ArchiveLog) -> Scores:
    """All scores of the log."""
    events = [decode(line).event for _, line in log.lines()]
    return [e for e in events if isinstance(e, AnswerScored | AnswerNotScored)]


def proof_of(prover: Prover, score: AnswerScored | AnswerNotScored) -> str:
    """The proof of a score."""
    return prover.score(score.hotkey, score.round, score.task)


@pytest.fixture(scope="module")
def wrong(log: ArchiveLog, prover: Prover) -> str:
    """The proof of a score of 0 for an answer that came."""
    zero = (s for s in scores(log) if isinstance(s, AnswerScored) and s.reward == 0.0)
    return proof_of(prover, next(s for s in zero if s.failure is None))


def test_every_event_has_a_proof(log: ArchiveLog, prover: Prover) -> None:
    """The file alone shows the line, whose log it is, and under which checkpoint."""
    for seq, line in log.lines():
        proved = open_file(prover.inclusion(seq), played().hotkey.ss58_address)
        assert (proved.kind, proved.main) == ("inclusion", seq)
        assert proved.lines[seq] == line
        assert proved.opening.event.hotkey == played().hotkey.ss58_address
        assert proved.checkpoint == Checkpoint(played().origin, 150, log.tree().root())


def test_every_score_has_a_proof(log: ArchiveLog, prover: Prover) -> None:
    """Right, wrong, late, long, refused, silent and unreachable: each is shown as it was."""
    seen: dict[str | None, ScoreProof] = {}
    for score in scores(log):
        shown = check_score(open_file(proof_of(prover, score)))
        assert shown.score == score
        assert shown.assigned.hotkey == score.hotkey
        seen[score.failure] = shown
    assert set(seen) >= {None, "late", "refused", "silent"}
    assert seen[None].signed
    assert seen["refused"].signed
    assert not seen["silent"].signed
    assert seen["silent"].accepted is not None


def test_a_proof_is_a_c2sp_proof(log: ArchiveLog, wrong: str) -> None:
    """Other programs read index, hashes and checkpoint where they expect them."""
    proof = parse_proof(wrong)
    assert proof.note == log.checkpoint_note()
    assert list(proof.hashes) == log.tree().inclusion(proof.index, 150)


def test_the_signer_can_be_named(wrong: str) -> None:
    """A proof from another validator's log is refused, with exit code 1."""
    with pytest.raises(BadSignature, match="this is the log of") as caught:
        open_file(wrong, ALICE)
    assert caught.value.exit_code == 1


@pytest.mark.parametrize("tamper", SCORE_KINDS.values(), ids=SCORE_KINDS)
def test_an_altered_score_proof(wrong: str, tamper: Callable[[str], str]) -> None:
    """Whatever was altered, it proves nothing any more."""
    altered = tamper(wrong)
    assert altered != wrong
    with pytest.raises((Damaged, BadSignature, CannotJudge)):
        check_score(open_file(altered))


@pytest.mark.parametrize("tag", ["TaskAssigned", "TaskAccepted", "AnswerReceived"])
def test_events_of_two_assignments(log: ArchiveLog, prover: Prover, wrong: str, tag: str) -> None:
    """An event that stands in the log, and belongs to another miner's answer, is refused."""
    other = next(s for s in scores(log) if s.failure is None and s != _score(wrong))
    lines = open_file(proof_of(prover, other)).lines
    foreign = next(seq for seq, line in lines.items() if f'"type":"{tag}"' in line.decode())

    def mix(told: dict[str, Any]) -> None:
        shown = next(e for e in told["others"] if f'"type":"{tag}"' in e["event"])
        shown |= _exhibit(log, foreign)

    altered = exhibits(wrong, mix)
    assert open_file(altered).lines[foreign] == lines[foreign]
    with pytest.raises(Damaged):
        check_score(open_file(altered))


def test_two_events_of_one_type(log: ArchiveLog, wrong: str) -> None:
    """A second answer in the file would leave open which one was scored."""

    def double(told: dict[str, Any]) -> None:
        own = next(e for e in told["others"] if "AnswerReceived" in e["event"])["index"] + 1
        more = next(s for s, line in log.lines() if b"AnswerReceived" in line and s != own)
        told["others"].append(_exhibit(log, more))

    with pytest.raises(CannotJudge, match="two events"):
        check_score(open_file(exhibits(wrong, double)))


def test_what_cannot_be_proved(log: ArchiveLog, prover: Prover) -> None:
    """A request that cannot be met says what would be."""
    for ask, reason in (
        (lambda: prover.inclusion(151), "covers 1 to 150"),
        (lambda: prover.inclusion(0), "covers 1 to 150"),
        (lambda: prover.score(ALICE, 1, 0), "was not given"),
        (lambda: prover.consistency(148), "the nearest are over"),
        (lambda: Prover(log, 148), "no checkpoint over 148 events is kept"),
    ):
        with pytest.raises(UsageError, match=reason):
            ask()


def test_a_score_that_is_not_covered_yet(log: ArchiveLog) -> None:
    """Under an older checkpoint, an answer may have no score."""
    small = Prover(log, log.checkpoint_sizes()[0])
    last = scores(log)[-1]
    with pytest.raises(UsageError, match=r"was not given|has no score"):
        small.score(last.hotkey, last.round, last.task)


def test_an_archive_without_a_checkpoint(tmp_path: Path) -> None:
    """Nothing can be proved of what nobody signed."""
    folder = make_archive(tmp_path / "archive", sizes=())
    with pytest.raises(UsageError, match="no signed checkpoint"):
        Prover(ArchiveLog(folder))


def test_a_line_that_was_exchanged(tmp_path: Path) -> None:
    """No proof is made of a line that is not the signed one."""
    folder = make_archive(tmp_path / "archive")
    ARCHIVE_KINDS["a byte of a line"][0](folder)
    prover = Prover(ArchiveLog(folder))
    assert open_file(prover.inclusion(249)).main == 249
    with pytest.raises(Damaged, match="event 250"):
        prover.inclusion(250)


@pytest.mark.parametrize("kind", ["the checkpoint's root", "a full tile", "a foreign checkpoint"])
def test_no_proofs_from_a_damaged_archive(tmp_path: Path, kind: str) -> None:
    """Tiles and checkpoint must agree before anything is proved under them."""
    folder = make_archive(tmp_path / "archive")
    ARCHIVE_KINDS[kind][0](folder)
    with pytest.raises((Damaged, BadSignature)) as caught:
        Prover(ArchiveLog(folder))
    assert caught.value.exit_code == 1


@pytest.mark.parametrize("old", [*SIZES, 0])
def test_growth(tmp_path: Path, old: int) -> None:
    """Between any two checkpoints, kept here or by a stranger."""
    log = ArchiveLog(make_archive(tmp_path / "archive", sizes=(*SIZES, 256)))
    prover = Prover(log)
    note = log.checkpoint_note(old) or _signed(Checkpoint(prover.opening.origin, 0, EMPTY))
    proved = open_file(prover.consistency(note))
    assert proved.older is not None
    assert (proved.older.size, proved.checkpoint.size) == (old, 600)
    assert proved.lines.keys() == {1}


def test_growth_of_a_rewritten_log(tmp_path: Path) -> None:
    """A note that somebody kept shows that the log was rewritten: exit code 1."""
    kept = ArchiveLog(make_archive(tmp_path / "before")).checkpoint_note(260) or ""
    prover = Prover(ArchiveLog(make_archive(tmp_path / "after", reason="better")))
    with pytest.raises(Damaged, match="the log was rewritten"):
        prover.consistency(kept)
    with pytest.raises(UsageError, match="the newer one"):
        Prover(ArchiveLog(tmp_path / "before"), 260).consistency(530)


def growth(folder: Path) -> str:
    """A proof between two checkpoints."""
    return Prover(ArchiveLog(make_archive(folder))).consistency(260)


@pytest.mark.parametrize(
    "alter",
    [
        lambda t: t.replace("\nold 260\n", "\nold 259\n"),
        lambda t: t.replace("\nnew 600\n", "\nnew 601\n"),
        lambda t: t.replace("\n260\n", "\n259\n"),
        lambda t: t.replace("\nnew 600\n", "\nnew 600\n" + "A" * 43 + "=\n"),
        lambda t: t.replace("consistency-proof@v1", "consistency-proof@v2"),
        lambda t: t + "\n\n",
        lambda t: t.rpartition("\n\n")[0] + "\n",
        lambda t: t.replace("/24/", "/25/"),
        lambda t: exhibits(t, lambda told: told.update(kind="inclusion")),
        lambda t: exhibits(t, lambda told: told.update(format="quasar-proof/2")),
        lambda t: exhibits(t, lambda told: told["others"].clear()),
        lambda t: exhibits(t, lambda told: told.update(more=1)),
        lambda t: "\n".join(line for line in t.split("\n") if not line.startswith("extra")),
    ],
)
def test_an_altered_growth_proof(tmp_path: Path, alter: Callable[[str], str]) -> None:
    """Whatever was altered, it proves nothing any more."""
    text = growth(tmp_path / "archive")
    assert alter(text) != text
    with pytest.raises(QuasarError) as caught:
        open_file(alter(text))
    assert caught.value.exit_code in (1, 2)


def test_a_dropped_hash_of_growth(tmp_path: Path) -> None:
    """The hashes are needed, every one of them, in their order."""
    proof = parse_consistency(growth(tmp_path / "archive"))
    for hashes in (proof.hashes[:-1], proof.hashes[1:], proof.hashes[::-1]):
        text = write_consistency(proof.old_note, proof.new_note, hashes, proof.extra)
        with pytest.raises(Damaged, match="not shown to begin with"):
            open_file(text)


def test_a_proof_by_somebody_without_a_hotkey(tmp_path: Path) -> None:
    """A log that is whole under another key proves nothing of the validator."""
    with pytest.raises(Damaged, match="did not sign this log key"):
        Prover(ArchiveLog(replaced_key(tmp_path / "archive")))


def test_a_plain_c2sp_proof_is_not_enough() -> None:
    """Without its events a proof cannot be judged here: exit code 2, and what to do."""
    note = sign_checkpoint(Checkpoint("example.com/log", 1, bytes(32)), OTHER_KEY)
    with pytest.raises(CannotJudge, match="make it with `quasar proof`"):
        open_file(f"c2sp.org/tlog-proof@v1\nindex 0\n\n{note}")


def _signed(head: Checkpoint) -> str:
    return sign_checkpoint(head, LOG_KEY)


def _score(text: str) -> AnswerScored | AnswerNotScored:
    return check_score(open_file(text)).score


def _exhibit(log: ArchiveLog, seq: int) -> dict[str, Any]:
    hashes = [base64.b64encode(h).decode() for h in log.tree().inclusion(seq - 1, 150)]
    return {"index": seq - 1, "hashes": hashes, "event": next(log.lines(seq - 1))[1].decode()}
