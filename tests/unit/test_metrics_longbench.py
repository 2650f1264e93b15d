"""LongBench's metrics, by examples: what each counts, and its oddities."""

from typing import Any

import pytest

from quasar.errors import UsageError
from quasar.metrics import METRICS, score
from quasar.metrics.longbench import DATASETS, find


def test_there_are_21_data_sets_and_13_of_them_even() -> None:
    """As LongBench lists them, each with a released metric."""
    assert len(DATASETS) == 21
    assert sum(rules.even for rules in DATASETS.values()) == 13
    assert all(rules.metric in METRICS for rules in DATASETS.values())


@pytest.mark.parametrize("name", ["", "nope", "narrativeqa_e", "Qasper", "qasper_e_e"])
def test_an_unknown_data_set_is_named_with_the_known_ones(name: str) -> None:
    """Also one that LongBench-E has not."""
    with pytest.raises(UsageError, match="repobench-p"):
        score(name, "x", ["x"])


def test_longbench_e_is_scored_alike() -> None:
    """``qasper_e`` is qasper."""
    assert find("qasper_e") is find("qasper")


def test_only_the_first_line_counts_where_longbench_says_so() -> None:
    """Leading line feeds are dropped, and nothing else: a blank or a return is a line."""
    assert score("triviaqa", "\n\nParis\nRome", ["Paris"]) == 1.0
    assert score("triviaqa", "\r\nParis", ["Paris"]) == 0.0
    assert score("triviaqa", " \nParis", ["Paris"]) == 0.0
    assert score("qasper", "Paris\nRome", ["Paris"]) == pytest.approx(2 / 3)


def test_the_best_answer_counts() -> None:
    """No answer at all is worth nothing."""
    assert score("qasper", "Paris", ["Rome", "Paris"]) == 1.0
    assert score("qasper", "Paris", []) == 0.0


def test_classification_walks_over_a_list_that_it_shortens() -> None:
    """ "a" is removed, so "ab" is passed over and shares the point with "abc"."""
    names = ["a", "ab", "abc"]
    assert score("trec", "abc", ["abc"], all_classes=names) == 0.5
    assert score("trec", "abc", ["abc"], all_classes=["a", "abc"]) == 1.0
    assert score("trec", "abc and x", ["abc"], all_classes=["abc", "x"]) == 0.5
    assert score("trec", "ab", ["abc"], all_classes=names) == 0.0
    with pytest.raises(UsageError, match="all_classes"):
        score("trec", "abc", ["abc"])


EQUAL = {
    "answer_exact": ("ANSWER: 42", "42"),
    "choice": ("The correct answer is B", "B"),
    "count": ("42", "42"),
    "numeric": ("ANSWER: 42", "42"),
    "retrieval": ("12", "Paragraph 12"),
    "retrieval_zh": ("12", "段落12"),
    "set_exact": ("ANSWER: ab, cd", "ab, cd"),
    "set_f1": ("ANSWER: ab, cd", "ab, cd"),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "classification": {"all_classes": ["42 cats", "dog"]},
    "longbench": {"dataset": "triviaqa"},
}


@pytest.mark.parametrize("key", METRICS)
def test_a_lone_text_is_one_answer(key: str) -> None:
    """Not a list of its letters, to any metric."""
    name = key.partition("@")[0]
    if name.endswith("_zh"):
        pytest.importorskip("jieba")
    said, wanted = EQUAL.get(name, ("42 cats", "42 cats"))
    options = OPTIONS.get(name, {})
    worth = METRICS[name](said, [wanted], **options)
    assert worth > 0.9
    assert METRICS[key](said, wanted, **options) == worth


def test_a_lone_text_for_a_data_set() -> None:
    """One answer; but one class is no list of classes."""
    assert score("triviaqa", "Paris", "Paris") == 1.0
    assert score("trec", "abc", "abc", all_classes=["abc"]) == 1.0
    with pytest.raises(UsageError, match="list of the names"):
        score("trec", "abc", ["abc"], all_classes="abc")


@pytest.mark.parametrize(
    ("prediction", "expected"),
    [("5", 1.0), ("5 of 10", 0.5), ("5 5", 1.0), ("05", 0.0), ("\uff15", 0.0), ("five", 0.0)],
)
def test_count_is_the_share_of_the_right_number(prediction: str, expected: float) -> None:
    """Numbers are compared as text; digits of other scripts are numbers."""
    assert METRICS["count@1"](prediction, ["5"]) == expected
    assert METRICS["retrieval@1"](prediction, ["It is Paragraph 5."]) == expected
    assert METRICS["retrieval_zh@1"](prediction, ["段落5"]) == expected


def test_a_reference_without_a_paragraph_is_worth_nothing() -> None:
    """The official code fails on it."""
    assert METRICS["retrieval@1"]("5", ["5"]) == 0.0
    assert METRICS["retrieval@1"]("5", ["5", "Paragraph 5"]) == 1.0


def test_code_sim_takes_the_first_line_that_looks_like_code() -> None:
    """A blank line does; where none does, an empty line is compared."""
    code_sim = METRICS["code_sim@1"]
    assert code_sim("```python\n# so\nreturn x\nreturn y", ["return x"]) == 1.0
    assert code_sim("# so\n\nreturn x", ["return x"]) == 0.0
    assert code_sim("# so", [""]) == 1.0
    assert code_sim("ab", ["abcd"]) == 0.67


def test_the_variants_of_code_sim() -> None:
    """By name or as an option. Of 200 characters difflib drops frequent ones, Indel does not."""
    one, two = "b" + "a" * 198, "a" * 199
    assert METRICS["code_sim@1"](one, [two]) == 0.99
    one, two = "b" + "a" * 190 + "c" * 9, "a" * 191 + "d" * 9
    assert METRICS["code_sim@1"](one, [two]) == 0.0
    assert METRICS["code_sim@1"](one, [two], variant="rapidfuzz") == 0.95
    assert METRICS["code_sim_indel@1"](one, [two]) == 0.95
    with pytest.raises(UsageError, match="rapidfuzz"):
        METRICS["code_sim@1"](one, [two], variant="jaro")


def test_rouge_counts_sets_of_words() -> None:
    """Identical text falls short of 1 by the official epsilon; repeating is free; case counts."""
    rouge = METRICS["rouge@1"]
    assert rouge("a b c", ["a b c"]) == 0.999999995
    assert rouge("a a a b c", ["a b c"]) == 0.999999995
    assert rouge("Yes", ["yes"]) == 0.0
    assert rouge("", ["yes"]) == rouge("yes", [""]) == 0.0
    assert rouge(" . ", [" . "]) == 0.999999995


def test_long_sentences_have_their_true_rouge() -> None:
    """The package ends in a recursion error there, which LongBench counts as 0."""
    text = " ".join(f"w{i}" for i in range(5000))
    assert METRICS["rouge@1"](text, [text]) == 0.999999995


def test_longbench_is_a_metric_with_an_option() -> None:
    """For a task that names one metric for all data sets."""
    assert METRICS["longbench@1"]("\nParis\n", ["Paris"], dataset="triviaqa") == 1.0
    names = ["a", "ab"]
    assert METRICS["longbench@1"]("ab", ["ab"], dataset="lsht", all_classes=names) == 1.0
