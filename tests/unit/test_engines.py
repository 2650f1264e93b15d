"""Baseline engines: what they find, and where they stand on real tasks."""

from collections import defaultdict
from math import fsum

import pytest

from quasar.benchmarks.families.factbook import Factbook
from quasar.errors import UsageError
from quasar.inference import ENGINES, check_engine, engine, label
from quasar.metrics import METRICS

STORY = """\
The ferry to Lowen Island leaves at 7 in the morning.
Marrow Bridge was opened in 1904 and is 312 metres long.
Tilden Bridge was opened in 1911 and is 455 metres long.
The lighthouse keeper of Lowen Island is Ada Quist.
"""


@pytest.mark.parametrize("name", ENGINES)
def test_registry_gives_engines_by_name(name: str) -> None:
    """Each engine carries the name that finds it."""
    assert engine(name).name == name


def test_unknown_engine_lists_the_choices() -> None:
    """The error names what can be chosen."""
    known = "extractive, truncated, random, empty, transformers:FOLDER, reader:FOLDER"
    for look in (engine, check_engine):
        with pytest.raises(UsageError, match=f"'gpt': choose one of {known}"):
            look("gpt")
        with pytest.raises(UsageError, match="'gpt:folder': choose"):
            look("gpt:folder")


@pytest.mark.parametrize("name", [*ENGINES, "reader:/nowhere", "transformers:/nowhere"])
def test_a_name_is_checked_without_loading_anything(name: str) -> None:
    """A model's folder is not looked at."""
    check_engine(name)


@pytest.mark.parametrize(
    ("name", "short"), [("empty", "empty"), ("reader:/home/me/models/small", "reader:small")]
)
def test_a_label_has_no_path(name: str, short: str) -> None:
    """As the engine calls itself in a log."""
    assert label(name) == short


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("When does the ferry leave?", "ANSWER: 7"),
        ("Who is the lighthouse keeper of Lowen Island?", "ANSWER: Ada Quist"),
        ("Which has the highest year opened: Marrow, Tilden?", "ANSWER: Tilden"),
        ("Which has the lowest year opened: Marrow, Tilden?", "ANSWER: Marrow"),
    ],
)
def test_extractive_reads_plain_english(question: str, answer: str) -> None:
    """It answers from other text than the benchmark's."""
    assert engine("extractive").answer(STORY, question, 100) == answer


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("context", ["", "\n\n", "zz"])
def test_nothing_to_find_is_no_error(name: str, context: str) -> None:
    """A text without an answer gives an empty answer."""
    assert engine(name).answer(context, "What is the number of Nowhere?", 100) == ""


@pytest.mark.parametrize("name", ["extractive", "random"])
def test_limit_is_kept(name: str) -> None:
    """What does not fit is not said at all."""
    assert engine(name).answer(STORY, "When does the ferry leave?", 8) == ""


def test_random_depends_on_the_question_only() -> None:
    """The same question gets the same pick, another one (here) another."""
    pick = engine("random").answer
    assert pick(STORY, "How many?", 100) == pick(STORY, "How many?", 100)
    assert len({pick(STORY, f"How many {i}?", 100) for i in range(20)}) > 2


def test_truncated_reads_the_beginning_only() -> None:
    """What stands in its window it finds, what stands behind it does not."""
    noise = "The mill turned slowly that day.\n" * 10_000
    asked = "When does the ferry leave? A number."
    assert engine("truncated").answer(STORY + noise, asked, 100) != ""
    assert engine("truncated").answer(noise + STORY, asked, 100) == ""


def test_accuracy_on_tasks() -> None:
    """Extractive answers most questions of each kind, random hardly any, empty none."""
    family, metric = Factbook(), METRICS["answer_exact@1"]
    scores: dict[tuple[str, str], list[float]] = defaultdict(list)
    for i in range(60):
        template = family.template(b"engines %d" % i, 4_000)
        variant = template.instance(b"miner")
        context = variant.context()
        question = "\n".join(part.text for part in variant.question)
        for name in ENGINES:
            answer = engine(name).answer(context, question, 1_000)
            scores[name, template.plan.kind].append(metric(answer, [variant.answer]))
    means = {key: fsum(s) / len(s) for key, s in scores.items()}
    for kind in ("value", "holder", "largest"):
        assert means["extractive", kind] > 0.8
        assert means["random", kind] < 0.2
        assert means["empty", kind] == 0.0
