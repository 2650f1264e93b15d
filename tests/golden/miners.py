"""Engines of the recorded miners, beside those that ship: ``python -m tests.golden.miners mine``.

A recording should hold right answers too, so that levels rise, and programs that end in every way.
These know the public wordings of some families, as any miner may.
"""

import re
import sys
from collections.abc import Callable, Iterator
from hashlib import sha256

from quasar.benchmarks.families.code import CORRECTIONS
from quasar.benchmarks.families.code_steps import LAST, STEPS, Step
from quasar.benchmarks.parsers import histories
from quasar.cli import app
from quasar.cli.run import run
from quasar.inference import ENGINES, Engine
from quasar.inference.extractive import Extractive
from quasar.inference.text import statement

ASKED = re.compile(r"Write a function (\w+)\(x\) that returns ([\w()]+)\. ")
ENDS = """
    way = sum(map(ord, str(x)))
    while way % 30 == 0:
        pass
    way %= 10
    if way == 1:
        return len(bytearray(2**30))
    if way == 2:
        return "x" * 2**21
    if way == 3:
        raise ValueError(x)
    if way == 4:
        return {wanted: x}
    if way == 5:
        raise SystemExit
    if way == 6:
        return [wanted(x)]
    if way == 7:
        print("y" * 5000)
    if way == 8:
        return random() < 0.5
    return wanted(x)
"""
"""A program that ends, case by case, in all the ways that one can."""
ALL_STEPS = [step for steps in (*STEPS.values(), LAST.values()) for step in steps]


class Scholar:
    """Knows programs, variables and keys; else the line that fits best."""

    name = "scholar"

    def answer(self, context: str, question: str, limit: int) -> str:
        if asked := ASKED.search(question):
            return block(program(context, asked[2], asked[1]))
        if "Look up " in question:
            return statement(histories.latest(question, context), limit)
        if "register " in question:
            return statement(histories.variables(question, context), limit)
        return Extractive().answer(context, question, limit)


class Clumsy:
    """Programs that end badly: some are none, some ask for what they may not have."""

    name = "clumsy"

    def answer(self, context: str, question: str, limit: int) -> str:
        asked = ASKED.search(question)
        lot = sha256(question.encode()).digest()[0] % 4
        if asked is None or lot == 0:
            return Extractive().answer(context, question, limit)
        begin = "import socket\n" if lot == 1 else "from random import random\n"
        wanted = program(context, asked[2], "wanted")
        return block(f"{begin}\n\n{wanted}\n\ndef {asked[1]}(x):{ENDS}")


class Dice:
    """Copies functions as they stand, and draws lots in every program."""

    name = "dice"

    def answer(self, context: str, question: str, limit: int) -> str:
        asked = ASKED.search(question)
        if asked is None:
            return Extractive().answer(context, question, limit)
        copied = program(context, asked[2], "copied", corrected=False)
        lots = "return 1 if random() < 0.5 else len(str(copied(x)))"
        begin = f"from random import random\n\n\n{copied}"
        return block(f"{begin}\n\ndef {asked[1]}(x):\n    {lots}\n")


def block(code: str) -> str:
    """As an answer."""
    return f"```python\n{code}```"


def program(context: str, call: str, name: str, *, corrected: bool = True) -> str:
    """A function that returns the call, with the hidden functions that it needs."""
    lines = context.splitlines()
    hidden = re.findall(r"(\w+)\(", call)
    parts = ["\n".join(_function(lines, each, corrected)) + "\n\n\n" for each in hidden]
    return "".join(parts) + f"def {name}(x):\n    return {call}\n"


def _function(lines: list[str], name: str, corrected: bool) -> Iterator[str]:
    """A function's lines, with the number that its comment gives."""
    start = next(i for i, line in enumerate(lines) if line.startswith(f"def {name}("))
    end = next(i for i in range(start, len(lines)) if lines[i].startswith("    return "))
    role, number = _correction(lines, name)
    for line in lines[start : end + 1]:
        steps = [step for step in ALL_STEPS if step.role == role and _is(step, line)]
        yield f"    {steps[0].code.format(c=number)}" if steps and corrected else line


def _is(step: Step, line: str) -> bool:
    pattern = re.escape(step.code.format(c="@")).replace("@", r"\d+")
    return re.fullmatch(pattern, line.strip()) is not None


def _correction(lines: list[str], name: str) -> tuple[str, str]:
    """Role and number that the comment on a function gives."""
    for wording in CORRECTIONS:
        filled = wording.strip().format(name=name, role="@", c="~")
        pattern = re.escape(filled).replace("@", "(?P<role>.+)").replace("\\~", r"(?P<c>\d+)")
        for found in filter(None, map(re.compile(pattern).fullmatch, lines)):
            return found["role"], found["c"]
    raise LookupError(f"nothing corrects {name}")


OWN: dict[str, Callable[[], Engine]] = {"scholar": Scholar, "clumsy": Clumsy, "dice": Dice}


if __name__ == "__main__":
    ENGINES.update(OWN)
    sys.exit(run(app, sys.argv[1:]))
