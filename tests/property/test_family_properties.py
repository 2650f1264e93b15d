"""What holds for every seed and size of the families that hide chains."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quasar.benchmarks import FAMILIES, tokenizer
from quasar.metrics import METRICS, PROGRAM_METRICS
from quasar.metrics.program import extract_code

SEEDS = st.binary(min_size=32, max_size=32)
SIZES = st.integers(4_000, 12_000)
SLOW = settings(deadline=None, max_examples=20)
NAMES = pytest.mark.parametrize("name", ["hops@1", "code@1"])


@NAMES
@SLOW
@given(SEEDS, SEEDS, SIZES)
def test_exact_length(name: str, seed: bytes, variant: bytes, size: int) -> None:
    """The stated length is the tokenizer's count and fills 0.98 to 1.0 of the bucket."""
    instance = FAMILIES[name].template(seed, size).instance(variant)
    assert tokenizer.count(instance.context()) == instance.tokens
    assert 0.98 * size <= instance.tokens <= size


@NAMES
@SLOW
@given(SEEDS, SEEDS, SEEDS, SIZES)
def test_variants_differ_in_planted_lines_only(
    name: str, seed: bytes, one: bytes, two: bytes, size: int
) -> None:
    """Two variants have the same proof in the same places, and most lines in common."""
    template = FAMILIES[name].template(seed, size)
    a, b = template.instance(one), template.instance(two)
    lines = list(zip(a.context().split("\n"), b.context().split("\n"), strict=True))
    changed = [pair for pair in lines if pair[0] != pair[1]]
    assert a.proof == b.proof
    assert a.tokens == b.tokens
    assert len(changed) <= 12 * 7
    assert bool(changed) == (one != two)
    assert one == two or a.answer != b.answer
    assert template.digest == FAMILIES[name].template(seed, size).digest


@NAMES
@SLOW
@given(SEEDS, SEEDS)
def test_other_seeds_make_other_tasks(name: str, one: bytes, two: bytes) -> None:
    """The digest tells templates apart, and sizes too."""
    template = FAMILIES[name].template
    digests = {template(seed, size).digest for seed in (one, two) for size in (4000, 4001)}
    assert len(digests) == (4 if one != two else 2)


@SLOW
@given(SEEDS, SEEDS)
def test_reference_scores_one(seed: bytes, variant: bytes) -> None:
    """Each family's reference passes its own metric."""
    hops = FAMILIES["hops@1"].template(seed, 4_000).instance(variant)
    assert METRICS["answer_exact@1"](f"ANSWER: {hops.answer}", [hops.answer]) == 1.0
    code = FAMILIES["code@1"].template(seed, 4_000).instance(variant)
    assert code.program is not None
    outputs = [msgspec.json.encode(value) for value in code.program.expected]
    assert PROGRAM_METRICS["code_pass@1"](outputs, code.program.expected) == 1.0
    assert msgspec.json.decode(code.answer) == code.program.expected


@given(st.lists(st.none() | st.binary(max_size=20)), st.integers() | st.text())
def test_the_metric_is_total(outputs: list[bytes | None], value: object) -> None:
    """Any bytes get a share."""
    assert 0.0 <= PROGRAM_METRICS["code_pass@1"](outputs, [value] * len(outputs)) <= 1.0


@given(st.binary())
def test_any_answer_is_some_code(answer: bytes) -> None:
    """And a fenced one is what stands inside."""
    code = extract_code(answer)
    if "```" not in code:
        assert extract_code(f"```\n{code}\n```".encode()) == code
