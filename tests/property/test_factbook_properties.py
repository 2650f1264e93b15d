"""What holds for every seed and size of the factbook family."""

from hypothesis import given, settings
from hypothesis import strategies as st

from quasar.benchmarks import tokenizer
from quasar.benchmarks.families.factbook import PLACES, Factbook
from quasar.metrics import METRICS

FAMILY = Factbook()
SEEDS = st.binary(min_size=32, max_size=32)
SIZES = st.integers(1_000, 20_000)
SLOW = settings(deadline=None, max_examples=30)


@SLOW
@given(SEEDS, SEEDS, SIZES)
def test_exact_length(seed: bytes, variant: bytes, size: int) -> None:
    """The stated length is the tokenizer's count and fills 0.98 to 1.0 of the bucket."""
    instance = FAMILY.template(seed, size).instance(variant)
    assert tokenizer.count(instance.context()) == instance.tokens
    assert 0.98 * size <= instance.tokens <= size


@SLOW
@given(SEEDS, SEEDS, SEEDS, SIZES)
def test_variants_differ_in_planted_lines_only(
    seed: bytes, one: bytes, two: bytes, size: int
) -> None:
    """Two variants have the same lines in the same places, but for names and numbers."""
    template = FAMILY.template(seed, size)
    a, b = template.instance(one), template.instance(two)
    lines = list(zip(a.context().splitlines(), b.context().splitlines(), strict=True))
    changed = [(x, y) for x, y in lines if x != y]
    assert len(changed) == (2 * PLACES if one != two else 0)
    assert {x for x, _ in changed} <= {line.rstrip("\n") for line in a.lines()}
    assert all(tokenizer.count(x) == tokenizer.count(y) for x, y in changed)
    assert template.digest == FAMILY.template(seed, size).digest


@SLOW
@given(SEEDS, SEEDS)
def test_numbers_are_fresh(seed: bytes, variant: bytes) -> None:
    """A planted number has the original's length, differs in every digit, and is unique."""
    template = FAMILY.template(seed, 1_000)
    instance = template.instance(variant)
    assert len(set(instance.values)) == len(instance.values)
    for fact, value in zip(template.shapes, instance.values, strict=True):
        pairs = zip(str(fact.value), str(value), strict=True)
        assert all(old != new for old, new in pairs)


@SLOW
@given(SEEDS, SEEDS)
def test_reference_answer_scores_one(seed: bytes, variant: bytes) -> None:
    """The metric accepts the reference in the asked form, and no other planted name or number."""
    instance = FAMILY.template(seed, 1_000).instance(variant)
    score = METRICS[FAMILY.metric]
    candidates = [*instance.names, *map(str, instance.values)]
    scores = {c: score(f"ANSWER: {c}", [instance.answer]) for c in candidates}
    assert [c for c in candidates if scores[c]] == [instance.answer]


@SLOW
@given(SEEDS, SEEDS, SEEDS)
def test_copied_answers_are_wrong(seed: bytes, one: bytes, two: bytes) -> None:
    """An answer that is right for one miner is wrong for another, but for rare chance."""
    template = FAMILY.template(seed, 1_000)
    a, b = template.instance(one), template.instance(two)
    assert one == two or a.names != b.names
    assert one == two or a.values != b.values


@SLOW
@given(SEEDS, SEEDS, SEEDS)
def test_other_seeds_make_other_tasks(one: bytes, two: bytes, variant: bytes) -> None:
    """The digest tells templates apart, and sizes too."""
    digests = {FAMILY.template(seed, size).digest for seed in (one, two) for size in (1000, 1001)}
    assert len(digests) == (4 if one != two else 2)
