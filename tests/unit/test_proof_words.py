"""What ``quasar proof verify`` says of every way in which an answer can end."""

from pathlib import Path

import pytest

from quasar.cli import app
from quasar.cli.run import run
from quasar.events import AnswerNotScored, AnswerReceived, AnswerScored
from quasar.events.envelope import decode
from quasar.events.exhibits import open_file
from quasar.events.score_proof import check_score
from quasar.log.archive import ArchiveLog
from quasar.log.prove import Prover
from tests.forging import played, write_archive

WORDS = {
    "right": ["this miner got reward 1 for", "ANSWER: ", "signed by the miner"],
    "wrong": ["this miner got reward 0 for", "ANSWER: 1", "signed by the miner"],
    "late": ["reward 0", "signed by the miner", "failure=late"],
    "refused": ["nothing: accept, refusal; the refusal is signed by the miner"],
    "silent": ["nothing: answer, timeout", "on the validator's word alone; it signed that it took"],
    "unreachable": ["nothing: ", "on the validator's word alone"],
    "blob": ["5000 bytes, sha256 ", "signed by the miner"],
    "left out": ["this task was left out of this miner's mean", "AnswerNotScored"],
}


@pytest.fixture(scope="module")
def proofs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A proof file for each."""
    folder = tmp_path_factory.mktemp("proofs")
    log = ArchiveLog(write_archive(folder / "archive", played(), played().lines))
    prover, files = Prover(log), {}
    for seq, line in log.lines():
        event = decode(line).event
        if isinstance(event, AnswerScored | AnswerNotScored):
            text = prover.score(event.hotkey, event.round, event.task)
            name = _name(event, text)
            files[name] = folder / f"{seq}.tlog-proof"
            files[name].write_text(text)
    return files


def _name(event: AnswerScored | AnswerNotScored, text: str) -> str:
    if isinstance(event, AnswerNotScored):
        return "left out"
    outcome = check_score(open_file(text)).outcome
    if isinstance(outcome, AnswerReceived) and outcome.blob:
        return "blob"
    return event.failure or ("right" if event.reward else "wrong")


@pytest.mark.parametrize("name", WORDS)
def test_words(proofs: dict[str, Path], capsys: pytest.CaptureFixture[str], name: str) -> None:
    """Whose word stands for the outcome is always said."""
    assert run(app, ["proof", "verify", str(proofs[name])]) == 0
    shown = capsys.readouterr().out
    for part in WORDS[name]:
        assert part in shown
