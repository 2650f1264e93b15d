"""RULER's thirteen families: pinned tasks, exact lengths, what readers and cheap tricks earn."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from itertools import chain
from math import fsum
from typing import NamedTuple

import pytest
from msgspec import Struct

from quasar.benchmarks import FAMILIES, tokenizer
from quasar.benchmarks.family import Family, Instance
from quasar.benchmarks.planted import PlantedInstance
from quasar.errors import UsageError
from quasar.metrics import METRICS
from tests import families

NAMES = [name for name in families.NAMES if name.startswith("ruler.")]
SIZE = 8_000
TASKS = 100
LEVELS = [(name, level) for name in NAMES for level in range(3)]


def levels(name: str) -> Sequence[Struct]:
    return FAMILIES[name].levels


KINDS = (
    r"[0-9a-f]{8}-[0-9a-f-]{27}",
    r"\b[0-9]{5,7}\b",
    r"(?<=the )\w+ \w+",
    r"[A-Z][a-z]{5,}",
)
"""Identifiers, numbers, articles, names."""


class Task(NamedTuple):
    """A variant, read once."""

    question: str
    answer: str
    planted: list[str]
    """The family's own lines in any order, as one has them who knows the haystack."""
    proof: list[str]
    found: list[list[str]]
    """What looks like an item of the answer, on each line."""
    nearest: int
    """The line that shares most words with the question."""


def asked(instance: Instance) -> str:
    return "\n".join(part.text for part in instance.question)


def read(family: Family, number: int) -> Task:
    """Task ``number``, of one level after the other."""
    template = family.template(b"task %d" % number, SIZE, family.levels[number % 3])
    instance = template.instance(b"miner %d" % number)
    if isinstance(instance, PlantedInstance):
        pieces = [piece.rstrip("\n") for piece in instance.spelled.pieces]
        planted = sorted(pieces, key=lambda piece: hashlib.sha256(piece.encode()).digest())
        proof = [pieces[i] for i in instance.spelled.proof]
    else:
        planted = instance.context().split("\n")[:-1]
        proof = [planted[place.first] for place in instance.proof]
    item = "the " + instance.answer.split(", ")[0]
    kind = next(re.compile(kind) for kind in KINDS if re.search(f"{kind}$", item))
    found = [kind.findall(line) for line in planted]
    sought = re.findall("[a-z]{4,}", asked(instance))
    shared = [len([1 for word in sought if word in line]) for line in planted]
    nearest = shared.index(max(shared))
    return Task(asked(instance), instance.answer, planted, proof, found, nearest)


@cache
def tasks(name: str) -> Sequence[Task]:
    return [read(FAMILIES[name], i) for i in range(TASKS)]


def earned(name: str, attack: Callable[[Task], str]) -> float:
    """Mean over all tasks."""
    score = METRICS[FAMILIES[name].metric]
    return fsum(score(attack(task), [task.answer]) for task in tasks(name)) / TASKS


def test_all_thirteen_are_there() -> None:
    """Each task of the benchmark has a family of its name, and each family a metric."""
    assert [name for name in FAMILIES if name.startswith("ruler.")] == NAMES
    assert all(FAMILIES[name].metric in METRICS for name in NAMES)
    assert len(NAMES) == 13


PINNED = {
    "ruler.cwe@1": "3c1f9f184030c734 1ed61c93696466bb",
    "ruler.fwe@1": "8907a00ccffe6f59 42a6d66f9f104b96",
    "ruler.niah_multikey_1@1": "a484dd6246ba8547 9be8c319602363c5",
    "ruler.niah_multikey_2@1": "f81ced1810f1c53c 9fe3054ac01450a8",
    "ruler.niah_multikey_3@1": "d924ebc81a047ee9 411c924215ecb674",
    "ruler.niah_multiquery@1": "d27ec44d8785d7cf 6e28b5ff68140b2d",
    "ruler.niah_multivalue@1": "e2fb5dfbf162df89 87d7288d55814f35",
    "ruler.niah_single_1@1": "fc3ae5de10ab2bd4 ce6cb6f99cd735f3",
    "ruler.niah_single_2@1": "d8040dd74366a57e a8821ae61d3b745e",
    "ruler.niah_single_3@1": "ebf32a56b8d98f71 c0e8ff4b66c44b6c",
    "ruler.qa_1@1": "cf0e97a7525902e0 2378cac797fb87ea",
    "ruler.qa_2@1": "d5a7218278b4410f d64da0682e9e1f22",
    "ruler.vt@1": "02aff8b3ca544e2c 9428e205ca20f68c",
}
"""Digests of the task and of question, answer and context, both cut to 16 digits."""


@pytest.mark.parametrize("name", NAMES)
def test_tasks_are_pinned(name: str) -> None:
    """A released family makes the same task for ever."""
    template = FAMILIES[name].template(b"pinned", SIZE)
    one = template.instance(b"miner")
    said = hashlib.sha256("\n".join((asked(one), one.answer, one.context())).encode())
    assert f"{template.digest[:16]} {said.hexdigest()[:16]}" == PINNED[name]


@pytest.mark.parametrize(("name", "level"), LEVELS)
def test_a_context_fills_its_bucket_for_everyone(name: str, level: int) -> None:
    """The exact count is what the instance says, within 2 % below the bucket, for all hotkeys."""
    template = FAMILIES[name].template(b"length", SIZE, levels(name)[level])
    one, other = template.instance(b"one"), template.instance(b"other")
    assert tokenizer.count(one.context()) == tokenizer.count(other.context()) == one.tokens
    assert 0.98 * SIZE <= one.tokens <= SIZE
    assert (one.tokens, list(one.proof)) == (other.tokens, list(other.proof))
    assert one.answer != other.answer
    rows = zip(one.context().split("\n"), other.context().split("\n"), strict=True)
    assert len([1 for mine, theirs in rows if mine != theirs]) >= 50


@pytest.mark.parametrize("name", ["ruler.cwe@1", "ruler.fwe@1", "ruler.niah_multikey_3@1"])
def test_a_long_context_is_as_exact(name: str) -> None:
    """Lists of lines have no haystack to make good for an error of theirs."""
    one = FAMILIES[name].template(b"long", 150_000).instance(b"one")
    assert tokenizer.count(one.context()) == one.tokens
    assert 0.98 * 150_000 <= one.tokens <= 150_000


@pytest.mark.parametrize("name", NAMES)
def test_what_cannot_be_made_is_refused(name: str) -> None:
    """A size out of range, and parameters of another family."""
    family = FAMILIES[name]
    with pytest.raises(UsageError, match="to 2000000 tokens"):
        family.template(b"seed", 3_999)
    stranger = next(n for n in NAMES if type(levels(n)[0]) is not type(levels(name)[0]))
    with pytest.raises(UsageError, match="parameters of its own"):
        family.template(b"seed", SIZE, levels(stranger)[0])


@pytest.mark.parametrize("name", ["ruler.vt@1", "ruler.niah_single_1@1", "ruler.cwe@1"])
def test_a_task_without_real_text_takes_no_source(name: str) -> None:
    """Noise and lists are the family's own."""
    with pytest.raises(UsageError, match="leave the source out"):
        FAMILIES[name].template(b"seed", SIZE, None, "0" * 64)


@pytest.mark.parametrize("name", NAMES)
def test_a_reader_of_the_proof_scores_one(name: str) -> None:
    """Over 200 tasks of all levels, the answer follows from the proof."""
    assert (
        earned(name, lambda t: f"ANSWER: {families.from_proof(name, t.question, t.proof)}") == 1.0
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_proof_stands_where_the_place_says(name: str) -> None:
    """The places of an instance are those lines of its context."""
    instance = FAMILIES[name].template(b"task 0", SIZE, levels(name)[0]).instance(b"miner 0")
    context = instance.context()
    assert [place.of(context) for place in instance.proof] == tasks(name)[0].proof


COMMON = frozenset(
    ("and", "are", "for", "from", "has", "not", "one", "the", "these", "they", "was", "who", "with")
)
"""Words of questions that may stand on any line."""


@pytest.mark.parametrize("name", NAMES)
def test_a_question_shares_no_word_with_the_lines(name: str) -> None:
    """But for the smallest words: nobody finds a line by searching for what is asked."""
    for task in tasks(name)[:30]:
        question = task.question.partition("from memory. ")[2].partition("\n")[0]
        sought = set(re.findall("[a-z]{3,}", question.lower())) - COMMON
        assert sought & set(re.findall("[a-z]+", "\n".join(task.planted).lower())) == set()


@pytest.mark.parametrize("name", [n for n in NAMES if "niah_single" in n or "vt" in n])
def test_everything_is_named_as_often(name: str) -> None:
    """No count tells the right name or value from a wrong one."""
    for task in tasks(name)[:6]:
        text = "\n".join(task.planted)
        kinds = (
            r"\b[A-Z][a-z]+(?:dova|gund|lesk|maur|nesh|quil|rund|vanth|vosk|zamar)\b",
            "[0-9]{5,}",
        )
        for kind in kinds:
            assert len(set(Counter(re.findall(kind, text)).values())) <= 1


def joined(found: Sequence[str], task: Task) -> str:
    """As many as are asked for."""
    return "ANSWER: " + ", ".join(list(dict.fromkeys(found))[: task.answer.count(",") + 1])


def everything(task: Task) -> list[str]:
    return list(chain.from_iterable(task.found))


def by_count(task: Task, *, rarest: bool = False) -> str:
    counts = Counter(everything(task))
    ranked = [found for found, _ in counts.most_common()]
    return joined(ranked[::-1] if rarest else ranked, task)


def beside(task: Task, steps: int) -> str:
    """From the line that shares most words with the question, by common names from line to line."""
    lines, at = task.planted, task.nearest
    for _ in range(steps):
        name = re.compile("|".join(re.findall(r"[A-Z][a-z]{5,}", lines[at])) or "$.")
        at = next((i for i, line in enumerate(lines) if i != at and name.search(line)), at)
    return joined(task.found[at], task)


ATTACKS: dict[str, Callable[[Task], str]] = {
    "the most frequent": by_count,
    "the least frequent": lambda t: by_count(t, rarest=True),
    "the first": lambda t: joined(everything(t), t),
    "the last": lambda t: joined(everything(t)[::-1], t),
    "beside the question's words": lambda t: beside(t, 0),
    "a step from there": lambda t: beside(t, 1),
    "two steps from there": lambda t: beside(t, 2),
    "the question": lambda t: t.question,
    "all lines": lambda t: "ANSWER: " + " ".join(t.planted)[:8_000],
    "several candidates": lambda t: "\n".join(f"ANSWER: {found}" for found in everything(t)[:20]),
}


@pytest.mark.parametrize("name", NAMES)
def test_tricks_without_a_model_earn_no_more_than_a_guess(name: str) -> None:
    """Over 200 tasks of all levels, for one who has deleted all real text; within 3 points."""
    for attack, answer in ATTACKS.items():
        assert abs(earned(name, answer) - FAMILIES[name].guess_rate) <= 0.03, attack
