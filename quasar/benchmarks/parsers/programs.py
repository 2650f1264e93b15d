"""Parsers of families about source text: correct functions, and follow calls."""

import re
from collections.abc import Iterator

from quasar.benchmarks.families.code import CORRECTIONS
from quasar.benchmarks.families.code_qa import COUNTED
from quasar.benchmarks.families.code_steps import KINDS, LAST, STEPS, Step
from quasar.benchmarks.identifiers import IDENTIFIERS
from quasar.benchmarks.parsers.wordings import find, first, pattern

_INVENTED = frozenset(IDENTIFIERS)


def code(question: str, context: str) -> str:
    """Copies the functions of the chain, each with the number that its comment gives."""
    name, call = re.findall(r"Write a function (\w+)\(x\) that returns (.+)\. Each", question)[0]
    functions = [_corrected(function, context) for function in re.findall(r"(\w+)\(", call)]
    return "\n".join(["```python", *functions, f"def {name}(x):", f"    return {call}", "```"])


def _corrected(name: str, context: str) -> str:
    source = find(rf"(?m)^(def {name}\(.*\n(?:    .*\n)+)", context)
    for wording in CORRECTIONS:
        text = wording.replace("{name}", name).strip()
        if said := pattern(text, role=".+", c="[0-9]+").search(context):
            return _replaced(source, said["role"], said["c"])
    raise LookupError(f"no comment on {name}")


def _replaced(source: str, role: str, number: str) -> str:
    """The source with another number in the line of this role."""
    lines = source.split("\n")
    for i, line in enumerate(lines):
        for step in _steps():
            if step.role == role and _shape(step).fullmatch(line.strip()):
                lines[i] = "    " + step.code.format(c=number)
    return "\n".join(lines)


def _steps() -> Iterator[Step]:
    for kind in KINDS:
        yield from [*STEPS[kind], LAST[kind]]


def _shape(step: Step) -> re.Pattern[str]:
    """The line of a step with any number."""
    return re.compile(re.escape(step.code.format(c="#")).replace(re.escape("#"), "[0-9]+"))


def code_qa(question: str, context: str) -> str:
    """Follows the calls from one function with an invented name to the next."""
    functions = dict(re.findall(r"(?m)^def (\w+)(\(.*\):\n(?:(?:    .*)?\n)+)", context))
    at, counted = re.findall(r"Begin at (\w+) and follow (\w+) calls", question)[0]
    for _ in first(range(n) for n, word in COUNTED.items() if word == counted):
        at = first(called for called in re.findall(r"\w+", functions[at]) if called in _INVENTED)
    if "default value" in question:
        return find(r"=([0-9]+)\):", functions[at])
    owner = rf"(?m)^class (\w+):\n    \w+ = ([0-9]+)\n    \w+ = {at}$"
    name, number = re.findall(owner, context)[0]
    return str(name if "Which class" in question else number)
