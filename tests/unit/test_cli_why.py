"""`quasar why` as people type it: whom they mean, which row, what they read, proof files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from quasar.cli import app, logs
from quasar.cli.run import run
from quasar.events import AnswerScored, RoundScored, Weight, WeightsComputed
from quasar.replay import index_events
from tests.builders import World
from tests.forging import Forging, played, write_archive
from tests.unit.volume_folder import worlds, write_folder


class Ran(NamedTuple):
    code: int
    out: str
    err: str


Quasar = Callable[..., Ran]
MINERS = list(played().miners)


@pytest.fixture
def quasar(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Quasar:
    """Runs a command in this process."""
    monkeypatch.setattr(logs, "set_up", lambda **_: None)

    def call(*arguments: object) -> Ran:
        code = run(app, [str(a) for a in arguments])
        shown = capsys.readouterr()
        return Ran(code, shown.out, shown.err)

    return call


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three rounds of three miners; in the second, every way to fail."""
    folder = tmp_path_factory.mktemp("why") / "archive"
    return write_archive(folder, played(), played().lines)


@pytest.fixture(scope="module")
def volumes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four volumes of one round each."""
    return write_folder(tmp_path_factory.mktemp("why") / "volumes")


def weights(world: World) -> dict[int, Weight]:
    """The newest row by uid."""
    return {w.uid: w for w in world.events(WeightsComputed)[-1].weights}


@pytest.mark.parametrize("uid", [1, 2, 3])
def test_a_uid_names_who_holds_it_in_the_row(quasar: Quasar, archive: Path, uid: int) -> None:
    """The same answer as by hotkey; a uid that is not in the row is taken as a hotkey's start."""
    hotkey = weights(played())[uid].hotkey
    by_uid, by_hotkey = quasar("why", archive, uid), quasar("why", archive, hotkey)
    assert by_uid == by_hotkey
    assert by_uid.code == 0
    assert by_uid.out.startswith(f"{hotkey}  uid {uid}\n")
    assert quasar("why", archive, 9).code == 2
    assert "more than one" in quasar("why", archive, 5).err


def test_every_number_is_filled_in(quasar: Quasar, archive: Path) -> None:
    """u16, average and rewards as formulas; what was asked, answered and expected."""
    weight = weights(played())[1]
    out = quasar("why", archive, 1).out
    row = played().events(WeightsComputed)[-1]
    highest = max(w.score for w in row.weights)
    share = 100 * weight.u16 / sum(w.u16 for w in row.weights)
    place = f"{share:.2f} % of the row of epoch {row.epoch}, block {row.block}"
    assert f"u16 {weight.u16}, {place}" in out
    assert out.count("  accuracy 1 by answer_exact@1") == 3
    assert f"round({weight.score:.6g} / {highest:.6g} x 65535)" in out
    assert "after = 0.1 x mean + 0.9 x before" in out
    assert "reward 1 = min(1 x 1, 1)" in out
    assert out.count("    expected  ") == 3
    assert "FOLLOWS" in out


def test_failures_are_told(quasar: Quasar, archive: Path) -> None:
    """Late, refused, silent, unreachable and left out, and that their owner is not judged here."""
    out = "".join(quasar("why", archive, uid, "--round", 2).out for uid in (1, 2, 3))
    for word in ("late", "refused", "silent", "unreachable", "not recomputed"):
        assert word in out
    assert "answers of rounds 1 to 3" in out


def test_an_older_row_by_its_block(quasar: Quasar, archive: Path) -> None:
    """And a block before the first row has no weight to explain."""
    rows = played().events(WeightsComputed)
    out = quasar("why", archive, 1, "--block", rows[0].block).out
    assert f"epoch {rows[0].epoch}, block {rows[0].block}" in out
    early = quasar("why", archive, 1, "--block", 75)
    assert early.code == 0
    assert "no weight: no row yet" in early.out


@pytest.mark.parametrize("number", [2, 3, 4])
def test_a_block_finds_its_volume(quasar: Quasar, volumes: Path, number: int) -> None:
    """The row is that of the volume which held the block; the average goes on from the seal."""
    rows = worlds()[number - 1].events(WeightsComputed)
    shown = json.loads(quasar("why", volumes, 1, "--block", rows[-1].block, "--json").out)
    assert shown["origin"].endswith(f"/{number}")
    assert shown["block"] == rows[-1].block
    assert shown["differences"] == []
    assert shown["base"]["seq"] == 1
    assert shown["base"]["score"] is not None


def test_proof_files_stand_alone(quasar: Quasar, archive: Path, tmp_path: Path) -> None:
    """One for each event named; each is proved to a stranger who holds nothing else."""
    ran = quasar("why", archive, 1, "--proofs", tmp_path / "proofs")
    files = sorted((tmp_path / "proofs").iterdir())
    named = json.loads(quasar("why", archive, 1, "--round", 3, "--json").out)["events"]
    assert f"{len(files)} proof files" in ran.out
    assert {f"event-{e['seq']}.tlog-proof" for e in named} == {file.name for file in files}
    for file in files[:3]:
        assert "PROVED" in quasar("proof", "verify", file).out
    (tmp_path / "taken").touch()
    assert quasar("why", archive, 1, "--proofs", tmp_path / "taken").code == 2


def forged(tmp_path: Path, kind: type, **changes: object) -> Path:
    """The log with one decision of its last round changed, everything signed again."""
    log = Forging(played())
    mine = [i for i in log.all(kind) if getattr(i.event, "hotkey", MINERS[0]) == MINERS[0]]
    item = mine[-1]
    if kind is RoundScored:
        rewards = [
            type(r)(**{f: getattr(r, f) for f in r.__struct_fields__} | changes)
            if r.hotkey == MINERS[0]
            else r
            for r in item.event.rewards
        ]
        log.edit(item, rewards=rewards)
    else:
        log.edit(item, **changes)
    return write_archive(tmp_path / "forged", log.world, log.lines())


@pytest.mark.parametrize(
    ("kind", "changes", "what"),
    [
        (AnswerScored, {"accuracy": 0.5}, "accuracy is 0.5, and 1.0 follows"),
        (AnswerScored, {"multiplier": 3.0}, "multiplier is 3.0, and 1.2 follows"),
        (AnswerScored, {"reward": 0.25}, "reward is 0.25, and 1.0 follows"),
        (RoundScored, {"mean": 0.75}, "mean reward is 0.75, and 1.0 follows"),
        (RoundScored, {"scored": 2}, "answers that count is 2, and 3 follows"),
        (WeightsComputed, {"rounds": 7}, "rounds is 7, and 3 follows"),
    ],
    ids=str,
)
def test_a_number_that_does_not_follow_is_named(
    quasar: Quasar, tmp_path: Path, kind: type, changes: dict[str, object], what: str
) -> None:
    """Signed again by the forger, who left the rest as it was: exit 1, with both numbers."""
    ran = quasar("why", forged(tmp_path, kind, **changes), MINERS[0])
    assert ran.code == 1
    assert "DIFFERS" in ran.out
    assert what in ran.out
    assert "FOLLOWS" not in ran.out


def test_steps_and_rounds_that_are_not_there(quasar: Quasar, archive: Path) -> None:
    """Exit 2 and one line."""
    for more in (["--round", 7], ["--steps", 0], ["--steps", "many"]):
        ran = quasar("why", archive, 1, *more)
        assert ran.code == 2
        assert ran.err.count("\n") == 1


def test_fewer_steps_start_from_an_older_row(quasar: Quasar, archive: Path) -> None:
    """The average's start is then a recorded row, proved like everything else."""
    rows = played().events(WeightsComputed)
    one = json.loads(quasar("why", archive, 1, "--steps", 1, "--json").out)
    assert one["base"]["epoch"] == rows[-2].epoch
    assert [r["round"] for r in one["rounds"]] == [3]
    assert one["differences"] == []
    reached = json.loads(quasar("why", archive, 1, "--steps", 1, "--round", 1, "--json").out)
    assert [r["round"] for r in reached["rounds"]] == [1, 2, 3]


def test_an_index_that_is_missing_is_made(
    quasar: Quasar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second run says the same without reading the log."""
    monkeypatch.setattr(index_events, "KEPT_FROM", 0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = write_archive(tmp_path / "archive", played(), played().lines)
    first = quasar("why", folder, 1)
    monkeypatch.setattr(index_events, "grow", None)
    assert quasar("why", folder, 1) == first
