"""The factbook family: pinned tasks, exact lengths, one answer."""

import hashlib
import re
from collections import Counter

import pytest

from quasar.benchmarks import FAMILIES, tokenizer
from quasar.benchmarks.corpus import corpus
from quasar.benchmarks.families.factbook import KINDS, PLACES, Factbook, FactbookTemplate
from quasar.benchmarks.haystack import fill
from quasar.draw import Draw
from quasar.errors import UsageError
from quasar.metrics import METRICS

FAMILY = Factbook()


def of_kind(kind: str, tokens: int = 2_000) -> FactbookTemplate:
    """The first template of a kind."""
    templates = (FAMILY.template(b"seed %d" % i, tokens) for i in range(100))
    return next(t for t in templates if t.plan.kind == kind)


def test_registered_by_name() -> None:
    """The registry finds the family, and its metric exists."""
    assert FAMILIES["factbook@1"].name == "factbook@1"
    assert FAMILIES["factbook@1"].metric in METRICS


def test_tasks_are_pinned() -> None:
    """A released family makes the same task for ever: digest, question, answer and context."""
    template = FAMILY.template(b"pinned", 4_000)
    variant = template.instance(b"miner")
    assert template.digest == "161688517d2ebfb6e95801be60d1fb56726959293ef5b78c3af008bee336635d"
    assert variant.question[0].text == (
        "Answer from the document alone, not from memory. "
        "Which place has 417,323 as its total number of mobile cellular telephones?"
    )
    assert variant.answer == "Vavegund"
    assert (
        hashlib.sha256(variant.context().encode()).hexdigest()
        == "afa767ed9788eaffa1c67673ba87e39f793bf9e1ad62431dbbead55ad2b4494a"
    )


@pytest.mark.parametrize("tokens", [1_000, 1_001, 32_000, 124_000, 2_000_000])
def test_context_fills_its_bucket(tokens: int) -> None:
    """The exact count is what the instance says, within 2 % below the bucket."""
    variant = FAMILY.template(b"length", tokens).instance(b"miner")
    assert tokenizer.count(variant.context()) == variant.tokens
    assert 0.98 * tokens <= variant.tokens <= tokens


@pytest.mark.parametrize("tokens", [0, 999, 2_000_001])
def test_other_sizes_are_refused(tokens: int) -> None:
    """The error names the range."""
    with pytest.raises(UsageError, match="1000 to 2000000"):
        FAMILY.template(b"seed", tokens)


def test_no_unit_stands_twice() -> None:
    """Even at two million tokens nothing repeats."""
    haystack = FAMILY.template(b"full", 2_000_000).haystack
    assert len(set(haystack)) == len(haystack)


def test_value_question() -> None:
    """The asked number stands on the one line of that place and field."""
    variant = of_kind("value").instance(b"m")
    asked = next(name for name in variant.names if name in variant.question[0].text)
    i = variant.names.index(asked)
    assert variant.answer == str(variant.values[i])
    assert variant.lines()[i].startswith(f"{asked} - ")
    assert f"{variant.values[i]:,}" in variant.lines()[i]


def test_holder_question() -> None:
    """The place of the number in the question; the number is on one line only."""
    variant = of_kind("holder").instance(b"m")
    number = re.search(r"[0-9,]*[0-9]", variant.question[0].text)
    assert number is not None
    holding = [line for line in variant.lines() if f" {number[0]}" in line]
    assert [line.split(" - ")[0] for line in holding] == [variant.answer]


def test_largest_question() -> None:
    """The place whose number is largest among those listed."""
    variant = of_kind("largest").instance(b"m")
    by_value = dict(zip(variant.values[:PLACES], variant.names, strict=False))
    assert variant.answer == by_value[max(by_value)]
    assert all(name in variant.question[0].text for name in variant.names)


def test_largest_varies_between_variants() -> None:
    """Another miner's largest place is not always in the same position."""
    template = of_kind("largest")
    variants = [template.instance(b"m%d" % i) for i in range(20)]
    assert len({v.names.index(v.answer) for v in variants}) > 3


def test_kinds_are_about_even() -> None:
    """Three hundred templates have each kind about a hundred times."""
    kinds = Counter(FAMILY.template(b"k%d" % i, 1_000).plan.kind for i in range(300))
    assert all(70 <= kinds[kind] <= 130 for kind in KINDS)


def test_question_and_answer_build_no_context(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scorer reads question and answer without drawing the haystack."""
    monkeypatch.setattr("quasar.benchmarks.families.factbook.fill", None)
    variant = FAMILY.template(b"cheap", 2_000_000).instance(b"m")
    assert variant.answer
    assert variant.question
    with pytest.raises(TypeError):
        variant.context()


def test_depths_spread_over_the_whole_context() -> None:
    """Planted lines stand in every quarter of some contexts, not in one region."""
    quarters = Counter(
        depth // 250_000
        for i in range(50)
        for depth in FAMILY.template(b"d%d" % i, 1_000).plan.depths
    )
    assert all(quarters[q] > 100 for q in range(4))


def test_lines_stand_at_their_depths() -> None:
    """A line of depth d follows that share of the haystack's units."""
    template = FAMILY.template(b"places", 8_000)
    variant = template.instance(b"m")
    units = variant.context().splitlines(keepends=True)
    for rank, i in enumerate(template.laid_out.order):
        at = len(template.haystack) * template.plan.depths[i] // 1_000_000 + rank
        assert units[at] == variant.lines()[i]


def test_guess_rate_is_of_listed_names() -> None:
    """Only the largest of listed places can be guessed from the question."""
    assert FAMILY.guess_rate == pytest.approx(1 / 24)


def test_fill_skips_what_does_not_fit() -> None:
    """A unit over the rest is passed by; smaller ones later still go in."""
    assert sorted(fill(Draw(b"s", "f"), [90, 5, 5, 200], 100)) == [0, 1, 2]


def test_real_values_are_never_planted() -> None:
    """A planted number is no real fact's, so remembering one never helps."""
    real = {fact.value for fact in corpus().facts}
    for i in range(50):
        assert real.isdisjoint(FAMILY.template(b"r%d" % i, 1_000).instance(b"m").values)
