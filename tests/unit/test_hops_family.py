"""The hops family: pinned tasks, exact lengths, and what cheap tricks earn."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from math import fsum

import pytest

from quasar.benchmarks import FAMILIES, tokenizer
from quasar.benchmarks.families.hops import HOPS, PEOPLE, WORDINGS, Hops, HopsInstance
from quasar.errors import UsageError
from quasar.inference import engine
from quasar.inference.text import NAME
from quasar.metrics import METRICS

FAMILY = Hops()
score = METRICS[FAMILY.metric]


@cache
def variants(n: int, tokens: int = 3_000) -> list[HopsInstance]:
    """One variant of each of n tasks. Not to be changed."""
    return [FAMILY.template(b"hops %d" % i, tokens).instance(b"miner") for i in range(n)]


def asked(variant: HopsInstance) -> str:
    return "\n".join(part.text for part in variant.question)


def test_registered_by_name() -> None:
    """The registry finds the family, and its metric exists."""
    assert FAMILIES["hops@1"].name == "hops@1"
    assert FAMILIES["hops@1"].metric in METRICS


def test_tasks_are_pinned() -> None:
    """A released family makes the same task for ever: digest, question, answer and context."""
    template = FAMILY.template(b"pinned", 4_000)
    variant = template.instance(b"miner")
    assert template.digest == "929d87930dc76460cb197934886e9ad3a16395b4fc7e1268b508509c05d959b3"
    assert "A letter starts with Vokovanth. Who holds it after two handovers?" in asked(variant)
    assert variant.answer == "Fokigund"
    context = hashlib.sha256(variant.context().encode()).hexdigest()
    assert context == "93287d5a2d4869961ebe5ef6038c9958272ea16da2ba1dc436d3683c1bd49526"


@pytest.mark.parametrize("tokens", [2_000, 2_001, 32_000, 124_000, 2_000_000])
def test_context_fills_its_bucket(tokens: int) -> None:
    """The exact count is what the instance says, within 2 % below the bucket."""
    variant = FAMILY.template(b"length", tokens).instance(b"miner")
    assert tokenizer.count(variant.context()) == variant.tokens
    assert 0.98 * tokens <= variant.tokens <= tokens


@pytest.mark.parametrize("tokens", [0, 1_999, 2_000_001])
def test_other_sizes_are_refused(tokens: int) -> None:
    """The error names the range."""
    with pytest.raises(UsageError, match="2000 to 2000000"):
        FAMILY.template(b"seed", tokens)


def test_question_and_answer_build_no_context(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scorer reads question and answer without drawing the haystack."""
    monkeypatch.setattr("quasar.benchmarks.families.hops.fill", None)
    variant = FAMILY.template(b"cheap", 2_000_000).instance(b"m")
    assert variant.answer
    assert variant.question
    with pytest.raises(TypeError):
        variant.context()


def test_hops_are_about_even() -> None:
    """Three hundred templates ask for each number of handovers about a hundred times."""
    asked_for = Counter(FAMILY.template(b"k%d" % i, 2_000).plan.hops for i in range(300))
    assert all(70 <= asked_for[hops] <= 130 for hops in HOPS)


def test_depths_spread_over_the_whole_context() -> None:
    """Planted lines stand in every quarter."""
    plans = [FAMILY.template(b"d%d" % i, 2_000).plan for i in range(20)]
    quarters = Counter(depth // 250_000 for plan in plans for depth in plan.depths)
    assert all(quarters[q] > 100 for q in range(4))


def test_question_shares_no_content_word_with_the_lines() -> None:
    """But for the name of the first, the question's words lead to no planted line."""
    common = {
        "a",
        "about",
        "after",
        "and",
        "as",
        "at",
        "each",
        "from",
        "is",
        "it",
        "of",
        "the",
        "with",
    }
    question = set(re.findall(r"[a-z]+", re.sub("|".join(HOPS_NAMES), "", asked(SAMPLE)).lower()))
    lines = set(re.findall(r"[a-z]+", " ".join(WORDINGS).lower()))
    assert question & lines <= common


def test_the_first_name_stands_in_one_line_of_the_proof() -> None:
    """No single line has both ends, and each name is on two lines, one of each kind."""
    for variant in variants(20):
        first, *others = [place.of(variant.context()) for place in variant.proof]
        assert variant.names[0] in first
        assert not any(variant.names[0] in line for line in others)
        assert variant.answer not in first
        counts = Counter(name for line in variant.lines() for name in NAME.findall(line))
        assert set(counts.values()) == {2}


def follow(variant: HopsInstance) -> str:
    """Reads the proof and nothing else: the name that each line adds, then the last of them."""
    context, at = variant.context(), re.findall(r"starts with (\w+)\.", asked(variant))[0]
    for place in variant.proof:
        at = next(name for name in NAME.findall(place.of(context)) if name != at)
    return f"ANSWER: {at}"


def test_an_oracle_that_reads_the_proof_scores_one() -> None:
    """The lines of the proof, in order, lead to the answer."""
    assert all(score(follow(v), [v.answer]) == 1.0 for v in variants(200))


INVENTED = re.compile(r"\b[A-Z][a-z]+(?:dova|gund|lesk|maur|nesh|quil|rund|vanth|vosk|zamar)\b")


def neighbours(variant: HopsInstance) -> list[str]:
    """Names on the lines of the question's name, but not itself."""
    first = variant.names[0]
    lines = [line for line in variant.context().split("\n") if first in line]
    return [name for line in lines for name in INVENTED.findall(line) if name != first]


def most_frequent(found: list[str]) -> str:
    return f"ANSWER: {Counter(found).most_common(1)[0][0]}"


ATTACKS: dict[str, Callable[[HopsInstance], str]] = {
    "first name beside the question's": lambda v: f"ANSWER: {neighbours(v)[0]}",
    "last name beside the question's": lambda v: f"ANSWER: {neighbours(v)[-1]}",
    "most frequent name": lambda v: most_frequent(NAME.findall(v.context())),
    "most frequent number": lambda v: most_frequent(re.findall("[0-9]+", v.context())),
    "most frequent invented name": lambda v: most_frequent(INVENTED.findall(v.context())),
    "first invented name": lambda v: f"ANSWER: {INVENTED.findall(v.context())[0]}",
    "last invented name": lambda v: f"ANSWER: {INVENTED.findall(v.context())[-1]}",
    "all invented names": lambda v: f"ANSWER: {' '.join(INVENTED.findall(v.context()))}",
    "a line for each name": lambda v: "".join(
        f"ANSWER: {name}\n" for name in dict.fromkeys(INVENTED.findall(v.context()))
    ),
    "the document": lambda v: "ANSWER: " + v.context().replace("\n", " ")[:16_000],
    "its last part": lambda v: v.context()[-8_000:],
    "extractive": lambda v: engine("extractive").answer(v.context(), asked(v), 1_000),
    "random": lambda v: engine("random").answer(v.context(), asked(v), 1_000),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_without_a_model_earns_no_more_than_a_guess(attack: str) -> None:
    """Over 200 tasks, patterns, dumps and counts stay within 3 points of the guess rate."""
    scores = [score(ATTACKS[attack](v), [v.answer]) for v in variants(200)]
    assert abs(fsum(scores) / len(scores) - FAMILY.guess_rate) <= 0.03


SAMPLE = FAMILY.template(b"sample", 2_000).instance(b"m")
HOPS_NAMES = SAMPLE.names
assert len(HOPS_NAMES) == PEOPLE
