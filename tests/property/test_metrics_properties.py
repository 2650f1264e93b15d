"""Metrics are total, form never changes a score, and the published ones are what was published."""

import re
import string
from collections import Counter
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from quasar.metrics import METRICS
from quasar.metrics.unicode14 import is_assigned, restrict


def restricted(name: str, answer: bytes, expected: str) -> float:
    """What a scorer makes of an answer."""
    said = restrict(answer.decode("utf-8", "replace"))
    return METRICS[name](said, [restrict(expected)])


score = partial(restricted, "answer_exact@1")
NUMBERS = st.integers(0, 10**12)


@given(st.binary(max_size=300), st.text(max_size=20))
def test_every_byte_string_gets_a_number(answer: bytes, expected: str) -> None:
    """Any bytes against any reference give 0.0 or 1.0, marked or not."""
    for given_answer in (answer, b"ANSWER:" + answer, answer + b"\nANSWER: x"):
        assert score(given_answer, expected) in (0.0, 1.0)


@given(NUMBERS, st.sampled_from(",_ "), st.binary(max_size=50).filter(lambda b: b"\n" not in b))
def test_grouped_numbers_equal_plain_ones(number: int, separator: str, before: bytes) -> None:
    """Separators between groups of three do not matter, nor does what stands on earlier lines."""
    grouped = f"{number:,}".replace(",", separator)
    assert score(before + f"\nANSWER: {grouped}.".encode(), str(number)) == 1.0


@given(NUMBERS, NUMBERS)
def test_only_the_right_number_scores(stated: int, expected: int) -> None:
    """Different numbers score nothing, equal ones score one."""
    assert score(f"ANSWER: {stated:,}".encode(), str(expected)) == float(stated == expected)


@given(
    st.lists(NUMBERS, min_size=2, max_size=6), st.sampled_from([", ", "; ", " / ", " or ", "\t"])
)
def test_lists_score_nothing(numbers: list[int], joint: str) -> None:
    """A line that offers several candidates is no answer to any of them."""
    line = f"ANSWER: {joint.join(map(str, numbers))}".encode()
    assert not any(score(line, str(number)) for number in numbers)


@given(st.text(max_size=50))
def test_restrict_is_idempotent_and_keeps_length(text: str) -> None:
    """The result has only characters of Unicode 14, one for each of the text."""
    once = restrict(text)
    assert restrict(once) == once
    assert len(once) == len(text)
    assert all(is_assigned(ord(c)) for c in once)


ODD = "a A the An Cat cat-x dog. U.S. 7,5 it's x1 _ É “the” Σ \u212ael ẞ ﬁ 猫 \u00ad \x01an \u2028"
WORDS = st.sampled_from(ODD.split(" "))
TEXTS = st.lists(WORDS, max_size=40).map(" ".join)


def longbench_words(text: str) -> list[str]:
    """As LongBench normalises an answer, step by step."""
    kept = "".join(c for c in text.lower() if c not in set(string.punctuation))
    return re.sub(r"\b(a|an|the)\b", " ", kept).split()


@given(TEXTS, TEXTS)
def test_qa_f1_is_that_of_longbench(answer: str, expected: str) -> None:
    """The same float, by bags of words."""
    said, wanted = Counter(longbench_words(answer)), Counter(longbench_words(expected))
    shared = (said & wanted).total()
    f1 = 0.0
    if shared:
        precision, recall = shared / said.total(), shared / wanted.total()
        f1 = (2 * precision * recall) / (precision + recall)
    assert restricted("qa_f1@1", answer.encode(), expected) == f1


def table(one: list[str], two: list[str]) -> int:
    """The longest common subsequence by the textbook's table."""
    row = [0] * (len(two) + 1)
    for word in one:
        before = row
        row = [0]
        for i, other in enumerate(two):
            row.append(before[i] + 1 if word == other else max(row[i], before[i + 1]))
    return row[-1]


@given(TEXTS, TEXTS)
def test_rouge_l_is_that_of_the_textbook(answer: str, expected: str) -> None:
    """The same float as rouge-score without stemming: words of ASCII, and their order."""
    said, wanted = (re.findall("[a-z0-9]+", text.lower()) for text in (answer, expected))
    f1 = 0.0
    if common := table(wanted, said):
        precision, recall = common / len(said), common / len(wanted)
        f1 = 2 * precision * recall / (precision + recall)
    assert restricted("rouge_l@1", answer.encode(), expected) == f1


@given(st.binary(max_size=200), st.text(max_size=50))
def test_overlap_is_total_too(answer: bytes, expected: str) -> None:
    """Any bytes get a number from 0 to 1, and the reference itself the highest there is."""
    for name in ("qa_f1@1", "rouge_l@1"):
        assert 0.0 <= restricted(name, answer, expected) <= 1.0
        assert restricted(name, expected.encode("utf-8", "replace"), expected) in (0.0, 1.0)
