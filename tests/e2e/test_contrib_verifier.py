"""The second verifier, on Node: it accepts what is whole, and names what was tampered with.

It is in contrib/ and shares no code with the package: where the two disagree, one of them or the
description of the format is wrong.
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from quasar.config import sample_archive
from quasar.events import AnswerNotScored, AnswerScored
from quasar.events.envelope import decode
from quasar.log.archive import ArchiveLog
from quasar.log.prove import Prover
from tests.e2e.programs import PATIENCE_S
from tests.forging import played, write_archive
from tests.rotating import KEY_KINDS, SECOND, THIRD, UNSEEN_BY_NODE, rotated, write_rotated
from tests.tampering import (
    ARCHIVE_KINDS,
    LOG_KEY,
    OTHER_KEY,
    SCORE_KINDS,
    Tamper,
    exhibits,
    make_archive,
    replaced_key,
)

PROGRAM = Path(__file__).parents[2] / "contrib" / "verify" / "verify.mjs"


class Ran(NamedTuple):
    """How the verifier ended."""

    code: int
    out: str
    err: str


Verifier = Callable[..., Ran]


@pytest.fixture(scope="module")
def verifier() -> Verifier:
    """Runs it. On CI a machine without Node fails."""
    node = shutil.which("node")
    if node is None and not os.environ.get("CI"):
        pytest.skip("node is not installed")

    def run(*arguments: object) -> Ran:
        command = [str(node), str(PROGRAM), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, timeout=PATIENCE_S)
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive that is whole. Not to be changed."""
    return make_archive(tmp_path_factory.mktemp("good") / "archive")


@pytest.fixture(scope="module")
def played_log(tmp_path_factory: pytest.TempPathFactory) -> ArchiveLog:
    """A played archive, with answers that ended in every way. Not to be changed."""
    folder = tmp_path_factory.mktemp("played") / "archive"
    return ArchiveLog(write_archive(folder, played(), played().lines))


def score_proofs(log: ArchiveLog) -> dict[str, str]:
    """A proof of a score for each way in which an answer ended."""
    prover, proofs = Prover(log), {}
    for _, line in log.lines():
        event = decode(line).event
        if isinstance(event, AnswerScored | AnswerNotScored):
            ended = event.failure or ("right" if event.reward else "wrong")  # type: ignore[union-attr]
            proofs[ended] = prover.score(event.hotkey, event.round, event.task)
    return proofs


def test_it_accepts_the_recorded_log(verifier: Verifier) -> None:
    """The log that ships with the package, and it says what it cannot check."""
    ran = verifier(sample_archive())
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("GOOD")
    assert ran.out.count("not checked") == 2


def test_it_accepts_fresh_archives(verifier: Verifier, good: Path, played_log: ArchiveLog) -> None:
    """Segments, tiles and checkpoints as they are written today; the log key may be named."""
    ran = verifier("--log-key", LOG_KEY.public_key.hex(), good)
    assert (ran.code, ran.out.count("not checked")) == (0, 1)
    assert verifier(good, played_log.folder).out.count("GOOD") == 2


def test_it_accepts_proofs(
    verifier: Verifier, good: Path, played_log: ArchiveLog, tmp_path: Path
) -> None:
    """Of events, of growth, and of a score for each way in which an answer ended."""
    prover = Prover(ArchiveLog(good))
    texts = {f"event {n}": prover.inclusion(n) for n in (1, 2, 256, 257, 300, 600)}
    texts |= {f"growth {n}": prover.consistency(n) for n in (260, 530, 540, 600)}
    texts |= {"growth to 540": Prover(ArchiveLog(good), 540).consistency(530)}
    texts |= score_proofs(played_log)
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    ran = verifier(*(tmp_path / name for name in texts))
    assert ran.code == 0, ran.out
    assert ran.out.count("GOOD") == len(texts) >= 16
    assert "reward 1 of" in ran.out


@pytest.mark.parametrize("tamper", [t for t, _ in ARCHIVE_KINDS.values()], ids=ARCHIVE_KINDS)
def test_it_names_what_was_done_to_an_archive(
    verifier: Verifier, good: Path, tmp_path: Path, tamper: Tamper
) -> None:
    """One line for each problem, and exit code 1."""
    copy = Path(shutil.copytree(good, tmp_path / "archive"))
    tamper(copy)
    ran = verifier(copy)
    assert (ran.code, ran.err) == (1, "")
    assert all(line.startswith("PROBLEM") for line in ran.out.splitlines())


@pytest.fixture(scope="module")
def wrong(played_log: ArchiveLog) -> str:
    """The proof of a score of 0."""
    return score_proofs(played_log)["wrong"]


@pytest.mark.parametrize("tamper", SCORE_KINDS.values(), ids=SCORE_KINDS)
def test_it_names_what_was_done_to_a_proof(
    verifier: Verifier, tmp_path: Path, wrong: str, tamper: Callable[[str], str]
) -> None:
    """One line, and exit code 1."""
    file = tmp_path / "altered.tlog-proof"
    file.write_text(tamper(wrong))
    ran = verifier(file)
    assert (ran.code, ran.err) == (1, "")
    assert ran.out.startswith("PROBLEM")
    assert ran.out.count("\n") == 1


@pytest.mark.parametrize(
    "alter",
    [
        lambda t: t.replace("\nold 260\n", "\nold 259\n"),
        lambda t: t.replace("\nnew 600\n", "\nnew 600\n" + "A" * 43 + "=\n"),
        lambda t: t.replace("\n260\n", "\n259\n"),
        lambda t: t.replace("/24/", "/25/"),
        lambda t: t.rpartition("\n\n")[0] + "\n",
        lambda t: exhibits(t, lambda told: told["others"].clear()),
    ],
)
def test_it_names_what_was_done_to_a_proof_of_growth(
    verifier: Verifier, good: Path, tmp_path: Path, alter: Callable[[str], str]
) -> None:
    """Sizes, hashes, both checkpoints, and the key that signed them."""
    text = Prover(ArchiveLog(good)).consistency(260)
    file = tmp_path / "altered.tlog-proof"
    file.write_text(alter(text))
    assert alter(text) != text
    ran = verifier(file)
    assert (ran.code, ran.err) == (1, "")


def test_what_it_cannot_see_it_says(verifier: Verifier, tmp_path: Path) -> None:
    """An archive under another log key is whole for it, unless the right key is named."""
    folder = replaced_key(tmp_path / "archive")
    ran = verifier(folder)
    assert ran.code == 0
    assert OTHER_KEY.public_key.hex() in ran.out
    ran = verifier("--log-key", LOG_KEY.public_key.hex(), folder)
    assert (ran.code, ran.out.count("its log key is")) == (1, 1)


def test_it_accepts_each_log_key_for_its_range(verifier: Verifier, tmp_path: Path) -> None:
    """Archive and proofs of a log whose key was rotated and revoked; keys that are named or not."""
    told, folder = rotated(), write_rotated(tmp_path / "archive")
    paths = [folder]
    for size in told.notes:
        prover = Prover(ArchiveLog(folder), size)
        for name, text in (
            ("event", prover.inclusion(2)),
            ("growth", prover.consistency(told.early)),
        ):
            paths.append(tmp_path / f"{name} {size}")
            paths[-1].write_text(text)
    ran = verifier(*paths)
    assert (ran.code, ran.out.count("GOOD")) == (0, len(paths)), ran.out
    keys = [key.public_key.hex() for key in (told.first_key, SECOND, THIRD)]
    for count in range(4):
        named = [word for key in keys[:count] for word in ("--log-key", key)]
        ran = verifier(*named, folder)
        assert (ran.code, ran.out.count("signed log key")) == (0, 3 - count)
    assert "its log key is" in verifier("--log-key", keys[0], "--log-key", keys[2], folder).out


@pytest.mark.parametrize(
    ("make", "reason"),
    [(make, reason) for n, (make, _, reason) in KEY_KINDS.items() if n not in UNSEEN_BY_NODE],
    ids=[name for name in KEY_KINDS if name not in UNSEEN_BY_NODE],
)
def test_it_rejects_forged_log_keys(
    verifier: Verifier, tmp_path: Path, make: Callable[[Path], Path], reason: str
) -> None:
    """What an audit rejects; a key out of its range is called so in the same words."""
    ran = verifier(make(tmp_path / "archive"))
    assert (ran.code, ran.err) == (1, "")
    assert reason in ran.out or not reason.startswith("by a key")


@pytest.mark.parametrize("arguments", [[], ["--what"], ["nowhere"], [Path(__file__).parent]])
def test_what_it_cannot_read(verifier: Verifier, arguments: list[object]) -> None:
    """Neither archive nor proof: one line and exit code 2."""
    ran = verifier(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.count("\n") == 1


def test_a_hostile_file_writes_no_lines(verifier: Verifier, good: Path, tmp_path: Path) -> None:
    """What a stranger wrote into a file is shown, not obeyed."""
    text = Prover(ArchiveLog(good)).inclusion(5)
    file = tmp_path / "hostile.tlog-proof"
    file.write_text(exhibits(text, lambda told: told.update(kind="\x1b[2J\nGOOD")))
    ran = verifier(file)
    assert ran.code == 1
    assert ran.out.count("\n") == 1
    assert "\x1b" not in ran.out
