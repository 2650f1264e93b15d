"""``quasar audit --miner``: a miner's own log beside the validator's."""

import json
from pathlib import Path
from typing import NamedTuple

import anyio
import msgspec
import pytest

from quasar.cli import app
from quasar.cli.run import run
from quasar.events import AnswerProduced
from quasar.events.envelope import Envelope, decode
from quasar.events.receipt import statement_bytes
from tests.builders import World
from tests.own_log import own_log
from tests.unit.cli_archive import record


class Both(NamedTuple):
    """A validator's archive, and what its first miner kept."""

    world: World
    archive: Path
    lines: list[bytes]

    @property
    def hotkey(self) -> str:
        return next(iter(self.world.miners))


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Both:
    """One round."""
    folder = tmp_path_factory.mktemp("both") / "archive"

    async def play() -> Both:
        world = await record(folder)
        own = await own_log(world, next(iter(world.miners)))
        return Both(world, folder, list(own._lines))

    return anyio.run(play)


def audited(
    capsys: pytest.CaptureFixture[str], both: Both, own: Path, *more: str
) -> tuple[int, str, str]:
    """Exit code, and what was said."""
    code = run(app, ["audit", str(both.archive), "--miner", str(own), *more])
    return code, *capsys.readouterr()


def kept(folder: Path, lines: list[bytes]) -> Path:
    """As `quasar mine` keeps it in its state folder."""
    (folder / "miner.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
    return folder


def other_answer(both: Both, *, signed: bool) -> list[bytes]:
    """The miner's newest receipt is for another answer than the log holds."""
    *before, last = both.lines
    envelope = decode(last)
    event = envelope.event
    assert isinstance(event, AnswerProduced)
    receipt = msgspec.structs.replace(event.receipt, answer="0" * 64)
    signature = event.signature
    if signed:
        signature = both.world.miners[both.hotkey].sign(statement_bytes(receipt)).hex()
    changed = msgspec.structs.replace(event, receipt=receipt, signature=signature)
    line = msgspec.json.encode(msgspec.structs.replace(envelope, event=changed))
    assert isinstance(decode(line), Envelope)
    return [*before, line]


def test_both_logs_agree(both: Both, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 0; a state folder names the file in it, and steps of several events are read too."""
    folder = kept(tmp_path, [both.lines[0] + b" ", *both.lines[1:]])
    code, out, _ = audited(capsys, both, folder, "--json")
    found = json.loads(out)["miner"]
    assert (code, found["hotkey"], found["disputes"]) == (0, both.hotkey, [])
    assert found["requests"] == found["answers"] == found["outcomes"] > 0
    code, out, _ = audited(capsys, both, folder / "miner.jsonl")
    assert code == 0
    assert "contradicts none" in out


def test_another_answer_is_named(
    both: Both, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The verdict stays clean, the outcome is named, and the exit code is 1."""
    folder = kept(tmp_path, other_answer(both, signed=True))
    code, out, _ = audited(capsys, both, folder, "--json")
    report = json.loads(out)
    assert (code, report["result"], report["miner"]["signed"]) == (1, "clean", 1)
    (dispute,) = report["miner"]["disputes"]
    assert (dispute["what"], dispute["hotkey"]) == ("other", both.hotkey)
    code, out, _ = audited(capsys, both, folder)
    assert code == 1
    assert "CLEAN" in out
    assert f"event {dispute['seq']} round 1" in out


def files(both: Both) -> dict[str, list[bytes]]:
    """What is no log of a miner that this validator asked; why, in a word."""
    return {
        "no event": [both.lines[0], b"{}"],
        "not signed": other_answer(both, signed=False),
        "holds no request": both.world.lines[:1],
    }


@pytest.mark.parametrize("why", ["no event", "not signed", "holds no request", "is no file"])
def test_a_file_that_does_not_do_is_told(
    both: Both, tmp_path: Path, capsys: pytest.CaptureFixture[str], why: str
) -> None:
    """One line, exit 2."""
    if why in files(both):
        kept(tmp_path, files(both)[why])
    code, out, err = audited(capsys, both, tmp_path)
    assert (code, out) == (2, "")
    assert why in err
    assert "Traceback" not in err
