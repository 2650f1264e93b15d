"""Whole-context families: an oracle earns all, cheap tricks no more than a guess."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import fsum
from typing import NamedTuple

import pytest

from quasar.benchmarks import FAMILIES, tokenizer
from quasar.benchmarks.family import Instance
from quasar.benchmarks.parsers.wordings import find
from quasar.metrics import METRICS
from quasar.rules.judging import read
from tests.families import from_proof
from tests.unit.whole_attacks import attacks

NAMES = ["aggregate@1", "code_qa@1", "count@1", "difference@1", "instance@1", "verses@1"]
TASKS = 200
"""Variants, two of each template."""
TOKENS = 8_000


class Earned(NamedTuple):
    """Of all tasks of a family's first level."""

    oracle: list[float]
    attacks: Mapping[str, float]
    """Mean score of each."""


def judged(metric: str, variant: Instance, answer: str) -> float:
    return read(METRICS[metric], variant, answer.encode(), variant.options)


def said(variant: Instance) -> str:
    return "\n".join(part.text for part in variant.question)


def proved(variant: Instance, context: str) -> list[str]:
    """The lines of the proof, in its order."""
    lines = context.split("\n")
    return [line for at in variant.proof for line in lines[at.first : at.first + at.lines]]


def oracle_of(name: str, asked: str, proof: Sequence[str]) -> str:
    """What follows from the proof; of verses it has but the ends, so the last one's citation."""
    if name == "verses@1":
        return find(r"^(.+?:[0-9]+) ", proof[1])
    return from_proof(name, asked, proof)


@pytest.fixture(scope="module", params=NAMES)
def earned(request: pytest.FixtureRequest) -> Earned:
    """What the oracle and each attack earn on the same tasks."""
    family = FAMILIES[request.param]
    oracle, scores = [], defaultdict[str, list[float]](list)
    for number in range(TASKS):
        if number % 2 == 0:  # two hotkeys a template, which takes most of the time
            template = family.template(b"whole %d" % number, TOKENS, family.levels[0])
        variant = template.instance(b"miner %d" % number)
        context, asked = variant.context(), said(variant)
        answer = oracle_of(family.name, asked, proved(variant, context))
        oracle.append(judged(family.metric, variant, f"The last line is it.\nANSWER: {answer}"))
        for name, guess in attacks(family.name, asked, context):
            scores[name].append(judged(family.metric, variant, guess))
    means = {name: fsum(its) / TASKS for name, its in scores.items()}
    return Earned(oracle, {"guess rate": family.guess_rate, **means})


def test_an_oracle_that_reads_the_proof_scores_one(earned: Earned) -> None:
    """The lines of the proof are enough, in every one of 200 tasks."""
    assert earned.oracle == [1.0] * TASKS


def test_attacks_without_a_model_earn_no_more_than_a_guess(earned: Earned) -> None:
    """Patterns, dumps, counts, hedges and both diffs stay within 3 points of the guess rate."""
    assert len(earned.attacks) > 30
    limit = earned.attacks["guess rate"] + 0.03
    assert {name: mean for name, mean in earned.attacks.items() if mean > limit} == {}


def test_counting_is_exact() -> None:
    """A test of this file's own reading: the oracle fails where a line of the proof is missing."""
    variant = FAMILIES["count@1"].template(b"whole 0", TOKENS).instance(b"miner")
    proof = proved(variant, variant.context())
    assert from_proof("count@1", said(variant), proof) == variant.answer
    assert {from_proof("count@1", said(variant), proof[:n]) for n in range(0, 200, 20)} != {
        variant.answer
    }
    assert tokenizer.count(variant.context()) == variant.tokens
