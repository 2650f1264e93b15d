"""``quasar simulate`` as people and scripts meet it."""

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from quasar.cli import app, slow_bar
from quasar.cli.run import run
from quasar.events import AnswerScored
from tests.forging import Forging, few_tasks, played, write_archive


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_archive(tmp_path_factory.mktemp("sim") / "a", played(), played().lines)


def test_the_command_in_words(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Tallies, what was not judged, both shares, gains in percent, distance and correlation."""
    assert run(app, ["simulate", str(folder), "--policy", "weighted-v1"]) == 0
    words = capsys.readouterr().out
    for part in ("weighted-v1", "other than recorded", "not judged", "L1", "tau-b", "%", "█"):
        assert part in words
    assert max(map(len, words.splitlines())) < 200
    assert run(app, ["simulate", str(folder)]) == 0
    assert "every miner keeps its share" in capsys.readouterr().out


def test_virtual_rounds_in_words(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """How many, by whose rules, what nobody was asked; copies stand in the table."""
    many = ["--rounds", "5", "--miners", "40", "--seed", "[red]\x1b"]
    assert run(app, ["simulate", str(folder), "--policy", "weighted-v1", *many]) == 0
    words = capsys.readouterr().out
    for part in (
        "5 virtual rounds under weighted-v1, 40 miners, seed [red]\\x1b",
        "factbook@1 at 2m: nobody in this log was asked",
        "24 more moved less",
    ):
        assert part in words
    assert "\x1b" not in words


def test_virtual_rounds_in_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The recorded rules alone once; with others both, and their rows compared. Seeds count."""
    rounds = ["--rounds", "3", "--json", "--seed"]

    def virtual(*arguments: str) -> list[dict[str, object]]:
        assert run(app, ["simulate", str(folder), *rounds, *arguments]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["virtual_weights"]["miners"]
        return list(found["virtual"])

    (alone,) = virtual("1")
    assert virtual("1", "--policy", "weighted-v1")[0] == alone
    assert virtual("1", "--policy", "readme-v1")[1]["policy"] == "readme-v1"
    assert virtual("2") != [alone]


def test_the_command_in_json(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One object; a metric of one's own is found in the working folder; a policy may be a file."""
    (tmp_path / "own_metric.py").write_text("def score(prediction, answers):\n    return 0.5\n")
    (tmp_path / "own.toml").write_bytes(few_tasks(**{"ema_alpha = 0.1": "ema_alpha = 0.3"}))
    monkeypatch.chdir(tmp_path)
    assert run(app, ["simulate", str(folder), "--metric", "own_metric:score", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["recorded"]["metric"] == "score"
    assert found["recorded"]["scores"]["equal"] < found["recorded"]["scores"]["checked"]
    assert run(app, ["simulate", str(folder), "--policy", "own.toml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["recorded"]["weights"]["l1"] >= 0.0


@pytest.mark.parametrize(
    "arguments",
    [
        ["--metric", "nothing@1"],
        ["--metric", "no_module_of_that_name:score"],
        ["--metric", "json:no_function"],
        ["--metric", ":score"],
        ["--policy", "nowhere.toml"],
        ["--rounds", "-1"],
        ["--rounds", "1", "--miners", "0"],
    ],
    ids=" ".join,
)
def test_wrong_usage(
    folder: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, exit 2."""
    assert run(app, ["simulate", str(folder), *arguments]) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)


@pytest.mark.parametrize("patience", [0.0, 60.0])
def test_a_bar_comes_when_it_takes_long(patience: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal, and not before; it is gone at the end, and scripts never see it."""
    screen = StringIO()
    terminal = Console(file=screen, force_terminal=True)
    monkeypatch.setattr(slow_bar, "PATIENCE_S", patience)
    monkeypatch.setattr(slow_bar, "err", terminal)
    with slow_bar.slow_bar("working") as seen:
        seen(1, 2)
    assert ("working" in screen.getvalue()) == (patience == 0.0)
    with slow_bar.slow_bar("for a script", shown=False) as seen:
        seen(1, 2)
    assert "script" not in screen.getvalue()


def test_recorded_rules_that_decide_otherwise_are_exit_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A signed forgery: the command says that an audit is due."""
    forged = Forging(played())
    zero = forged.one(AnswerScored, lambda s: s.reward == 0.0 and s.failure is None)
    forged.edit(zero, accuracy=1.0, reward=1.0)
    forged.decide_again()
    copy = write_archive(tmp_path / "a", played(), forged.lines())
    assert run(app, ["simulate", str(copy)]) == 1
    assert "quasar audit" in capsys.readouterr().err
