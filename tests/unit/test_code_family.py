"""The code family: pinned tasks, exact lengths, and what cheap tricks earn.

Attackers here paste parts of our own hidden functions, so running them is harmless.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from math import fsum
from typing import Any

import msgspec
import pytest

from quasar.benchmarks import FAMILIES, tokenizer
from quasar.benchmarks.families.code import LENGTHS, Code, CodeInstance
from quasar.benchmarks.families.code_cases import CASES
from quasar.benchmarks.families.code_steps import KINDS, LAST, PLAIN, STEPS, Function
from quasar.benchmarks.identifiers import IDENTIFIERS
from quasar.benchmarks.sources import numbers, sources
from quasar.errors import UsageError
from quasar.metrics import PROGRAM_METRICS
from quasar.metrics.program import extract_code

FAMILY = Code()
pass_rate = PROGRAM_METRICS[FAMILY.metric]


def variants(n: int, tokens: int = 4_000) -> list[CodeInstance]:
    """One variant of each of n tasks."""
    return [FAMILY.template(b"code %d" % i, tokens).instance(b"miner") for i in range(n)]


TASKS = variants(200)


def asked(variant: CodeInstance) -> str:
    return "\n".join(part.text for part in variant.question)


def outcomes(variant: CodeInstance, answer: str) -> list[bytes | None]:
    """What the answer's function returns in each case; None where it cannot."""
    program, space = variant.program, dict[str, Any]()
    try:
        exec(extract_code(answer.encode()), space)
        function = space[program.function_name]
        return [msgspec.json.encode(function(*case)) for case in program.cases]
    except Exception:
        return [None] * len(program.cases)


def earned(variant: CodeInstance, answer: str) -> float:
    return pass_rate(outcomes(variant, answer), variant.program.expected)


def test_registered_by_name() -> None:
    """The registry finds the family, and its metric is one of programs."""
    assert FAMILIES["code@1"].name == "code@1"
    assert FAMILIES["code@1"].metric in PROGRAM_METRICS


def test_tasks_are_pinned() -> None:
    """A released family makes the same task for ever: digest, question, answer and context."""
    template = FAMILY.template(b"pinned", 8_000)
    variant = template.instance(b"miner")
    assert template.digest == "ba324115a06034019f337f69b7872bb2a641a3c9c150bb24e7779ac7a2b690e3"
    calls = "cast_table(x) that returns assess_panel(trace_signal(fill_mass(scale_meter(x))))."
    assert calls in asked(variant)
    answer = hashlib.sha256(variant.answer.encode()).hexdigest()
    assert answer == "73ef20794ca7e3874083afaafa51d9d821c8b3736e0f7545fe3b9654f916f7f5"
    context = hashlib.sha256(variant.context().encode()).hexdigest()
    assert context == "35e58d30b90dc451d8a240a28d181558f7d75a1a32ccfcba167299ec94a6ecae"


@pytest.mark.parametrize("tokens", [4_000, 4_001, 32_000, 124_000, 512_000])
def test_context_fills_its_bucket(tokens: int) -> None:
    """The exact count is what the instance says, within 2 % below the bucket."""
    variant = FAMILY.template(b"length", tokens).instance(b"miner")
    assert tokenizer.count(variant.context()) == variant.tokens
    assert 0.98 * tokens <= variant.tokens <= tokens


@pytest.mark.parametrize("tokens", [0, 3_999, 512_001])
def test_other_sizes_are_refused(tokens: int) -> None:
    """The error names the range."""
    with pytest.raises(UsageError, match="4000 to 512000"):
        FAMILY.template(b"seed", tokens)


def test_no_unit_stands_twice() -> None:
    """Even in the largest bucket nothing repeats, and modules stay together."""
    haystack = FAMILY.template(b"full", 512_000).haystack
    assert len(set(haystack)) == len(haystack)
    homes = [sources().homes[i] for i in haystack]
    assert len([1 for a, b in pairwise(homes) if a != b]) == len(set(homes)) - 1


def test_question_answer_and_cases_build_no_context(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scorer reads what it needs without drawing the haystack."""
    monkeypatch.setattr("quasar.benchmarks.families.code.fill", None)
    variant = FAMILY.template(b"cheap", 512_000).instance(b"m")
    assert variant.answer
    assert variant.question
    assert variant.program.cases
    with pytest.raises(TypeError):
        variant.context()


def test_kinds_and_lengths_are_about_even() -> None:
    """Chains are of each kind a third of the time, and of each length half of it."""
    plans = [FAMILY.template(b"k%d" % i, 4_000).plan for i in range(300)]
    kinds = Counter(plan.shapes[plan.chain[0]].kind for plan in plans)
    lengths = Counter(len(plan.chain) for plan in plans)
    assert all(70 <= kinds[kind] <= 130 for kind in KINDS)
    assert all(120 <= lengths[length] <= 180 for length in LENGTHS)


def test_answer_is_the_expected_values() -> None:
    """What is committed to is the compact JSON of what the calls must return."""
    program = TASKS[0].program
    assert msgspec.json.decode(TASKS[0].answer) == program.expected
    assert len(program.cases) == len(program.expected) == CASES
    assert all(len(case) == 1 for case in program.cases)


def test_expected_values_are_nowhere_to_be_read() -> None:
    """Neither context nor question nor another case shows what a call returns."""
    for variant in TASKS:
        program = variant.program
        shown = variant.context() + asked(variant)
        for value in program.expected:
            text = msgspec.json.encode(value).decode().strip('"')
            assert not re.search(rf"(?<![0-9]){re.escape(text)}(?![0-9])", shown)
            assert [value] not in program.cases
        assert all(program.expected.count(value) == 1 for value in program.expected)


VALUES: dict[str, list[Any]] = {
    "number": [0, 9, 8231],
    "list": [[], [7], [1, 9, 3]],
    "text": ["a", "xyzw"],
}


def test_steps_mean_what_their_text_says() -> None:
    """Python runs each hidden function to the same value as the reference."""
    for variant in TASKS[:60]:
        shapes, rows = variant._template.plan.shapes, variant.drawn.old
        for i, shape in enumerate(shapes):
            space = dict[str, Any]()
            exec(variant.pieces()[i], space)
            reference = Function(shape.kind, shape.all_steps(), rows[i])
            for value in VALUES[shape.kind]:
                assert space[variant.names[i]](value) == reference.run(value)


def test_every_step_of_the_language_is_drawn() -> None:
    """Two hundred tasks use each of them."""
    used = {s.code for v in TASKS for shape in v._template.plan.shapes for s in shape.all_steps()}
    known = {s.code for t in (STEPS, PLAIN) for steps in t.values() for s in steps}
    assert used == known | {step.code for step in LAST.values()}


def definition(context: str, name: str) -> str:
    """The text of a function, by its indentation."""
    found = re.search(rf"^def {name}\(.*\n(?:    .*\n)+", context, re.MULTILINE)
    return found[0] if found else ""


def pasted(variant: CodeInstance, mend: Callable[[str, str], str] = lambda body, _: body) -> str:
    """The functions that the question names, as printed or mended, and their composition."""
    context, question = variant.context(), asked(variant)
    function, call = re.findall(r"function (\w+)\(x\) that returns (.*?\))\.", question)[0]
    bodies = []
    for name in re.findall(r"(\w+)\(", call):
        comment = re.findall(rf"^# .*\b{name}\b.*$", context, re.MULTILINE)[0]
        bodies.append(mend(definition(context, name), comment))
    return "```python\n" + "\n".join(bodies) + f"\ndef {function}(x):\n    return {call}\n```"


def replaced(at: int) -> Callable[[str, str], str]:
    """Puts the comment's number in place of the long number at a position."""

    def mend(body: str, comment: str) -> str:
        number = re.findall("[0-9]{3,}", comment)[0]
        old = list(dict.fromkeys(re.findall("[0-9]{3,}", body)))[at]
        return body.replace(old, number)

    return mend


def same_length(body: str, comment: str) -> str:
    """Puts the comment's number in place of the first number of its length."""
    number = re.findall("[0-9]{3,}", comment)[0]
    old = re.findall(rf"(?<![0-9])[0-9]{{{len(number)}}}(?![0-9])", body)[0]
    return body.replace(old, number)


def most_frequent_number(variant: CodeInstance) -> str:
    number = Counter(re.findall("[0-9]+", variant.context())).most_common(1)[0][0]
    return f"def {variant.program.function_name}(x):\n    return {number}"


def dumped(variant: CodeInstance) -> str:
    """As much of the document as an answer may hold, cut where a definition ends."""
    hidden = [p for p in variant.pieces() if p[:4] == "def "]
    context = variant.context()[:15_000]
    held = "".join(piece for piece in hidden if piece in context)  # the rest only adds names
    return f"```\n{held}\n{pasted(variant).split(chr(10), 1)[1]}"


ATTACKS: dict[str, Callable[[CodeInstance], str]] = {
    "paste the named functions": pasted,
    "paste, correct the first number": lambda v: pasted(v, replaced(0)),
    "paste, correct the second number": lambda v: pasted(v, replaced(1)),
    "paste, correct the third number": lambda v: pasted(v, replaced(2)),
    "paste, correct the last number": lambda v: pasted(v, replaced(-1)),
    "paste, correct a number of that length": lambda v: pasted(v, same_length),
    "dump the document": dumped,
    "most frequent number": most_frequent_number,
    "return the argument": lambda v: f"def {v.program.function_name}(x):\n    return x",
    "return what is expected of another": lambda v: (
        f"def {v.program.function_name}(x):\n    return {TASKS[0].program.expected[0]!r}"
        if v is not TASKS[0]
        else ""
    ),
    "nothing": lambda v: "",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_without_a_model_earns_no_more_than_a_guess(attack: str) -> None:
    """Over 200 tasks, patterns, dumps and counts stay within 3 points of the guess rate."""
    scores = [earned(v, ATTACKS[attack](v)) for v in TASKS]
    assert abs(fsum(scores) / len(scores) - FAMILY.guess_rate) <= 0.03


def test_pasting_what_is_printed_is_wrong_in_every_case() -> None:
    """Not one case forgives a correction that was not read."""
    assert all(earned(v, pasted(v)) == 0.0 for v in TASKS)


def follow(variant: CodeInstance) -> str:
    """Reads the proof: each definition with its correction, put where its words say."""
    context, steps = variant.context(), [*LAST.values(), *(s for k in STEPS.values() for s in k)]
    places = variant.proof
    bodies = []
    for place, correction in zip(places[::2], places[1::2], strict=True):
        body, comment = place.of(context), correction.of(context)
        number = re.findall("[0-9]{3,}", comment)[0]
        words = re.sub("[.,:]| has", " ", comment.lower())
        for step in (s for s in steps if f"the {s.role} " in words):
            pattern = re.escape(step.code.format(c=77777)).replace("77777", "[0-9]+")
            body = re.sub(pattern, step.code.format(c=number), body)
        bodies.append(body)
    function, call = re.findall(r"function (\w+)\(x\) that returns (.*?\))\.", asked(variant))[0]
    return "\n".join(bodies) + f"\ndef {function}(x):\n    return {call}\n"


def test_an_oracle_that_reads_the_proof_scores_one() -> None:
    """The places of the proof, in order, are enough."""
    assert all(earned(v, follow(v)) == 1.0 for v in TASKS)


def test_sources_are_clean_units() -> None:
    """Each unit begins at the margin and ends with one empty line; counts add up exactly."""
    pack = sources()
    for unit in pack.units:
        assert unit.isascii()
        assert not unit[0].isspace()
        assert unit.endswith("\n\n")
        assert not unit.endswith("\n\n\n")
        assert not {"\t", "\r", "\f"} & set(unit)
    assert len(pack.units) == len(pack.tokens) == len(pack.homes) == len(set(pack.units))
    assert list(pack.homes) == sorted(pack.homes)
    assert [tokenizer.count(u) for u in pack.units[::7]] == list(pack.tokens[::7])
    assert tokenizer.count("".join(pack.units)) == sum(pack.tokens) > 512_000


def test_no_invented_name_is_in_the_sources() -> None:
    """All of them are two tokens after a blank, and no word of the text."""
    words = set(re.findall(r"\w+", "".join(sources().units)))
    assert words.isdisjoint(IDENTIFIERS)
    assert len(set(IDENTIFIERS)) == len(IDENTIFIERS)
    assert {tokenizer.count(f" {name}(") for name in IDENTIFIERS} == {3}
    assert 1024 in numbers()
