"""``quasar score``: the scorer as a person meets it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from quasar.cli import app, oracle
from quasar.cli.run import run

Score = Callable[..., Any]


@pytest.fixture
def score(capsys: pytest.CaptureFixture[str]) -> Score:
    """Runs the command; gives its exit code and its JSON object, or its one line of error."""

    def call(*arguments: str) -> tuple[int, Any]:
        code = run(app, ["score", "--json", *arguments])
        shown = capsys.readouterr()
        if code == 2 and not shown.out:
            assert (shown.out, shown.err.count("\n")) == ("", 1)
        return code, json.loads(shown.out) if shown.out else shown.err

    return call


def test_a_data_set_brings_its_metric_and_rule(score: Score) -> None:
    """The first line counts; of several answers the best."""
    arguments = ["--dataset", "triviaqa", "--prediction", "\nParis\nRome"]
    code, report = score(*arguments, "--answer", "Oslo", "--answer", "Paris")
    assert (code, report) == (0, {"metric": "qa_f1@1", "score": 1.0})


def test_explain_shows_what_was_matched(score: Score) -> None:
    """Words, precision and recall of each answer, and exact match beside F1."""
    arguments = ["--dataset", "qasper", "--prediction", "The cat sat", "--explain"]
    _, report = score(*arguments, "--answer", "a cat", "--answer", "dog")
    first, second = report["answers"]
    assert (first["said"], first["wanted"], first["shared"]) == (["cat", "sat"], ["cat"], ["cat"])
    assert (first["precision"], first["recall"]) == (0.5, 1.0)
    assert (report["exact_match"], second["score"], second["shared"]) == (0.0, 0.0, [])


@pytest.mark.parametrize(
    ("metric", "said", "shared"),
    [
        ("rouge", "b a. c", ["b", "c"]),
        ("rouge_1", "b a. c", ["b", "a", "c"]),
        ("rouge_2", "x a b", ["a b"]),
        ("rouge_l", "b a. c", ["a", "c"]),
        ("rouge_lsum", "b a. c", ["a", "c"]),
        ("set_f1", "ANSWER: A B C, x", ["a b c"]),
    ],
)
def test_explain_shows_the_path(score: Score, metric: str, said: str, shared: list[str]) -> None:
    """The very words that the metric counts, so that precision and recall give its score."""
    arguments = ["--metric", metric, "--prediction", said, "--answer", "a b c", "--explain"]
    report = score(*arguments)[1]
    (answer,) = report["answers"]
    assert answer["shared"] == shared
    precision, recall = answer["precision"], answer["recall"]
    assert report["score"] == pytest.approx(2 * precision * recall / (precision + recall))


def test_explain_shows_classes_and_code(score: Score) -> None:
    """Which classes share the point, and which line is compared."""
    names = [option for name in ("a", "ab", "abc") for option in ("--class", name)]
    arguments = ["--dataset", "trec", "--prediction", "abc", "--answer", "abc", "--explain"]
    report = score(*arguments, *names)[1]
    assert (report["score"], report["answers"][0]["said"]) == (0.5, ["ab", "abc"])
    arguments = ["--dataset", "lcc", "--prediction", "# x\ny", "--answer", "y", "--explain"]
    assert score(*arguments)[1]["answers"][0]["said"] == "y"


def test_texts_come_from_files_and_are_mapped_and_cut(score: Score, tmp_path: Path) -> None:
    """Bytes that are no text and characters of later versions are replaced, as a scorer does."""
    file = tmp_path / "answer"
    file.write_bytes(b"ANSWER: a\xf0\x9f\xab\xa8\nANSWER: \xff")
    arguments = ["--metric", "answer_exact", "--answer", "a\ufffd", "--prediction", f"@{file}"]
    assert score(*arguments)[1]["score"] == 0.0
    assert score(*arguments, "--cap", "13")[1]["score"] == 1.0


@pytest.mark.parametrize(("end", "worth"), [("", 1.0), ("\n", 1.0), ("\n\n", 6 / 7)])
def test_the_last_line_end_of_a_file_does_not_count(
    score: Score, tmp_path: Path, end: str, worth: float
) -> None:
    """One of them; another is a sentence to rouge."""
    file = tmp_path / "answer"
    file.write_text("A cat sat." + end)
    arguments = ["--metric", "rouge", "--answer", "A cat sat.", "--prediction", f"@{file}"]
    assert score(*arguments)[1]["score"] == pytest.approx(worth)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--dataset"),
        (["--metric", "nope"], "qa_f1@1"),
        (["--dataset", "nope"], "qasper"),
        (["--dataset", "longbench_v2"], "--metric choice"),
        (["--dataset", ""], "is empty"),
        (["--dataset", "", "--metric", "choice"], "is empty"),
        (["--dataset", "trec"], "--class"),
        (["--metric", "longbench"], "--dataset"),
        (["--metric", "qa_f1", "--stemmer"], "no stemmer"),
        (["--metric", "qa_f1", "--cap", "-1"], "0 or more"),
        (["--metric", "qa_f1", "--answer", "@no-such-file"], "no-such-file"),
    ],
    ids=lambda value: "-".join(value).strip("-") if isinstance(value, list) else None,
)
def test_wrong_usage(score: Score, arguments: list[str], said: str) -> None:
    """One line that says what to do, exit 2."""
    code, error = score("--prediction", "x", "--answer", "y", *arguments)
    assert code == 2
    assert said in error


@pytest.mark.parametrize("metric", ["qa_f1", "exact_match", "code_sim"])
def test_the_oracle_agrees(score: Score, metric: str) -> None:
    """Formulas that need no package are always there."""
    arguments = ["--prediction", "the cat sat", "--answer", "a cat", "--oracle"]
    code, report = score("--metric", metric, *arguments)
    assert code == 0
    assert report["oracle"]["score"] == report["score"]


def test_the_oracle_says_what_it_cannot_ask(score: Score, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that is not installed, or that no one has made: nothing was compared, exit 2."""
    monkeypatch.setattr(oracle, "version", lambda _: "1.0")
    monkeypatch.setitem(sys.modules, "rapidfuzz.fuzz", None)
    arguments = ["--prediction", "x", "--answer", "x", "--oracle"]
    code, report = score("--metric", "code_sim_indel", *arguments)
    assert (code, report["score"], report["oracle"]["score"]) == (2, 1.0, None)
    assert "not compared" in report["oracle"]["note"]
    assert "pip install" in report["oracle"]["note"]
    code, report = score("--metric", "count", *arguments)
    assert (code, report["oracle"]["package"]) == (2, None)
    assert "not compared" in report["oracle"]["note"]


def test_another_number_is_exit_1(score: Score, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours and theirs stand beside each other."""
    monkeypatch.setattr(oracle, "version", lambda _: "9.9")
    fake = SimpleNamespace(ratio=lambda one, two: 25.0)
    monkeypatch.setitem(sys.modules, "rapidfuzz.fuzz", fake)
    arguments = ["--prediction", "x = 1", "--answer", "x = 2", "--oracle"]
    code, report = score("--metric", "code_sim_indel", *arguments)
    assert (code, report["score"]) == (1, 0.8)
    assert (report["oracle"]["score"], report["oracle"]["version"]) == (0.25, "9.9")


def test_words_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    """A stranger's escapes and markup are shown, not obeyed; no line ends in a blank."""
    texts = ["--prediction", "\x1b[2J [red]x[/] y", "--answer", "x y"]
    assert run(app, ["score", "--metric", "qa_f1", *texts, "--explain", "--oracle"]) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\\x1b" in shown
    assert "[red]x" in shown
    assert "precision" in shown
    assert shown.endswith("SQuAD's formula\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device")
@pytest.mark.parametrize("where", [">/dev/full", ">&-"])
@pytest.mark.parametrize("how", ["", "--json"])
def test_no_room_for_the_answer(where: str, how: str) -> None:
    """Standard output that is full or closed: one line and exit 2."""
    command = f"score --metric count --prediction 5 --answer 5 {how} {where}"
    shell = ["sh", "-c", f'"{sys.executable}" -m quasar {command}']
    done = subprocess.run(shell, capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "standard output" in done.stderr
