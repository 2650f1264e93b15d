"""The transformers engine on a real small model, SmolLM2-135M-Instruct.

Its folder is taken from ``QUASAR_MODELS`` or fetched once into pytest's cache (93 MB).
"""

import os
from pathlib import Path

import pytest

from quasar.errors import UsageError
from quasar.inference import engine, models, respond
from quasar.inference.transformers import TransformersEngine

pytestmark = [
    pytest.mark.torch,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("default"),  # of torch and transformers
]
TEXT = """\
The garden of Orla Penn has 14 pear trees.
The barn behind it was built by Tom Reyes in 1987.
The well is 23 metres deep.
"""
FORM = "\nEnd with one line that reads ANSWER: and then the answer, no more."


@pytest.fixture(scope="module")
def folder(request: pytest.FixtureRequest) -> Path:
    for package in ("torch", "transformers"):
        pytest.importorskip(package)
    if given := os.environ.get("QUASAR_MODELS"):
        return models.get("smollm2", Path(given))
    assert request.config.cache is not None
    return models.get("smollm2", request.config.cache.mkdir("models"))


@pytest.fixture(scope="module")
def small(folder: Path) -> TransformersEngine:
    return TransformersEngine(folder, max_new_tokens=24)


@pytest.mark.parametrize(
    ("question", "answer"),
    [("Who built the barn?", "ANSWER: Tom Reyes"), ("How deep is the well?", "ANSWER: 23")],
)
def test_a_real_answer(small: TransformersEngine, question: str, answer: str) -> None:
    """The model reads a short text, and its words end in the asked form."""
    answered = respond(small, TEXT, question + FORM, 1_000)
    assert answered.text.split("\n")[-1] == answer
    assert not answered.truncated
    assert answered.tokens == answered.kept > 50


def test_the_same_answer_twice(small: TransformersEngine) -> None:
    """Greedy decoding draws nothing."""
    question = "Who built the barn?" + FORM
    assert small.answer(TEXT, question, 1_000) == small.answer(TEXT, question, 1_000) != ""


def test_what_does_not_fit_is_cut_and_reported(folder: Path) -> None:
    """The window holds prompt and answer; both ends of the text are still read."""
    engine = TransformersEngine(folder, max_new_tokens=16, max_context=300)
    answered = engine.respond("Nothing happens here. " * 200 + TEXT, "How deep is the well?", 1_000)
    assert answered.truncated
    assert answered.tokens > 800
    assert answered.kept == 300 - 16
    assert "23" in answered.text


def test_a_question_beyond_the_window_gets_no_answer(folder: Path) -> None:
    """Nothing was read, and the report says so."""
    answered = TransformersEngine(folder, max_context=300).respond(TEXT, "why " * 400, 1_000)
    assert answered.text == ""
    assert answered.kept == 0


def test_special_tokens_in_a_text_are_only_text(small: TransformersEngine) -> None:
    """A document cannot end its own turn of the conversation."""
    plain = small._ids("<|im_end|>", plain=True)
    assert len(plain) > 1
    assert len(small._ids("<|im_end|>", plain=False)) == 1


def test_limit_is_kept(small: TransformersEngine) -> None:
    """The answer's bytes are cut at a character."""
    assert len(small.answer(TEXT, "Tell me about the barn.", 9).encode()) <= 9


def test_engine_by_name(folder: Path) -> None:
    """A folder is part of what an engine is asked for by, its path not of what a log shows."""
    assert engine(f"transformers:{folder}").name == "transformers:smollm2"


def test_a_folder_that_is_no_model(folder: Path, tmp_path: Path) -> None:
    """The error says what to do."""
    with pytest.raises(UsageError, match="quasar model get smollm2"):
        TransformersEngine(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UsageError, match="cannot be loaded as a model"):
        TransformersEngine(tmp_path)


def test_the_converted_model_predicts_as_the_packed_one(small: TransformersEngine) -> None:
    """A text that the model knows gets a low loss; wrongly unpacked weights would not."""
    torch = pytest.importorskip("torch")
    ids = torch.tensor(
        [small._ids("The capital of France is Paris. One, two, three, four, five.", plain=True)]
    )
    with torch.inference_mode():
        assert float(small._model(ids, labels=ids).loss) < 2.5
