"""The reader engine on a real small model, SmolLM2-135M-Instruct.

Its folder is taken from ``QUASAR_MODELS`` or fetched once into pytest's cache (93 MB).
"""

import os
from pathlib import Path

import pytest

from quasar.benchmarks.families.code import Code
from quasar.benchmarks.families.factbook import Factbook
from quasar.benchmarks.family import Instance
from quasar.inference import engine, models, respond
from quasar.inference.reader import ReaderEngine
from quasar.metrics import METRICS
from quasar.metrics.program import extract_code

pytestmark = [
    pytest.mark.torch,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("default"),  # of torch and transformers
]
TEXT = """\
The garden of Orla Penn has 14 pear trees.
The barn behind it was built by Tom Reyes in 1987.
The well is 23 metres deep.
Alder Hill is 310 metres high.
Birch Hill is 402 metres high.
Cedar Hill is 355 metres high.
"""
FORM = "\nEnd with one line that reads ANSWER: and then the answer, no more."
FILLER = "Nothing happens in this part of the country on most days of the year.\n" * 500


@pytest.fixture(scope="module")
def folder(request: pytest.FixtureRequest) -> Path:
    for package in ("torch", "transformers"):
        pytest.importorskip(package)
    if given := os.environ.get("QUASAR_MODELS"):
        return models.get("smollm2", Path(given))
    assert request.config.cache is not None
    return models.get("smollm2", request.config.cache.mkdir("models"))


@pytest.fixture(scope="module")
def reader(folder: Path) -> ReaderEngine:
    return ReaderEngine(folder)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How deep is the well?", "The well is 23 metres deep.\nANSWER: 23"),
        (
            "Who built the barn?",
            "The barn behind it was built by Tom Reyes in 1987.\nANSWER: Tom Reyes",
        ),
    ],
)
def test_it_quotes_a_line_and_takes_the_answer_from_it(
    reader: ReaderEngine, question: str, answer: str
) -> None:
    """The line is one of the text, however much stands around it."""
    assert respond(reader, FILLER + TEXT + FILLER, question + FORM, 1_000).text == answer


def test_what_was_left_out_is_reported(reader: ReaderEngine) -> None:
    """The count of the whole is that of the text; the rest was not read."""
    answered = respond(reader, FILLER + TEXT, "How deep is the well?" + FORM, 1_000)
    assert answered.truncated
    assert 20 < answered.kept < 200
    assert answered.tokens > 500 * 13


def test_things_to_compare_are_asked_for_one_by_one(reader: ReaderEngine) -> None:
    """The answer is the name whose quote has the extreme number; all quotes are shown."""
    question = "Which of these has the largest height: Alder Hill, Birch Hill, Cedar Hill?"
    most = reader.answer(TEXT, question + FORM, 1_000).split("\n")
    assert most[-1] == "ANSWER: Birch Hill"
    assert len(most) == 4
    least = reader.answer(TEXT, question.replace("largest", "smallest") + FORM, 1_000)
    assert least.split("\n")[-1] == "ANSWER: Alder Hill"


def test_the_same_answer_twice(reader: ReaderEngine) -> None:
    """Nothing is drawn."""
    question = "What is behind the garden?" + FORM
    assert reader.answer(TEXT, question, 1_000) == reader.answer(TEXT, question, 1_000) != ""


def test_nothing_to_read_gives_no_answer(reader: ReaderEngine) -> None:
    """No line has to do with the question, so the model is not asked."""
    assert respond(reader, "Rain fell.\n", "Who keeps bees?" + FORM, 100).text == ""
    assert respond(reader, "", "Who keeps bees?" + FORM, 100).kept == 0


def test_limit_is_kept(reader: ReaderEngine) -> None:
    """The quote gives way to the answer line."""
    assert reader.answer(TEXT, "How deep is the well?" + FORM, 14) == "The\nANSWER: 23"


def test_a_window_that_is_too_small_gives_no_answer(folder: Path) -> None:
    """Nothing was read, and the report says so."""
    small = ReaderEngine(folder, max_context=64)
    answered = small.respond(TEXT, "How deep is the well?" + FORM, 1_000)
    assert (answered.text, answered.kept) == ("", 0)
    assert answered.tokens > 50


def asked(variant: Instance) -> str:
    return "\n".join(part.text for part in variant.question)


def test_it_answers_tasks_of_32k(reader: ReaderEngine) -> None:
    """Most questions of the first family are answered right: 9 in 10 were, over many."""
    metric, right = METRICS["answer_exact@1"], 0
    for i in range(2):
        variant = Factbook().template(b"reader %d" % i, 32_000).instance(b"miner")
        answer = reader.answer(variant.context(), asked(variant), 16_384)
        right += metric(answer, [variant.answer]) == 1.0
    assert right == 2


def test_a_task_in_code_gets_code(reader: ReaderEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the model writes is Python, and ends at its limit with a whole paragraph."""
    monkeypatch.setattr(reader, "max_new_tokens", 48)  # of the 96 that it takes for code
    variant = Code().template(b"reader", 16_000).instance(b"miner")
    answered = reader.respond(variant.context(), asked(variant), 16_384)
    assert "def " in extract_code(answered.text.encode())
    assert answered.truncated


def test_engine_by_name(folder: Path) -> None:
    """A folder is part of what an engine is asked for by, its path not of what a log shows."""
    assert engine(f"reader:{folder}").name == "reader:smollm2"
