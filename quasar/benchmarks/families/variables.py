"""Family ``variables@1``: what a variable holds at the end of many assignments.

Invented registers take numbers from each other, plus or minus something, line after line. The
asked one took its value at the end of a chain; every register of a chain was set before and is set
again after it was read, so its first value, its last value and values looked up from the end are
all wrong. Other chains of the same shape run in between, and some lines only propose. The answer
is computed and stands nowhere in the text.

It measures carrying a state through ordered text, as RULER's variable tracking does with more to
confuse. A program that knows the wordings computes it.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

from quasar.benchmarks import names
from quasar.benchmarks.families.updates import interleaved
from quasar.benchmarks.planted import Planted, Spelled
from quasar.draw import Draw

Action = Literal["set", "add", "subtract", "proposed"]

WORDINGS: dict[Action, tuple[str, ...]] = {
    "set": (
        "Register {a} is set to {n}.\n",
        "Whatever was in {a} before, it now shows {n}.\n",
        "{n} goes into {a}.\n",
    ),
    "add": (
        "{a} takes what {b} shows at this moment and {m} more.\n",
        "Add {m} to the number in {b}, leave {b} alone and write the result into {a}.\n",
        "{b} is read, and {a} is made greater than it by {m}.\n",
    ),
    "subtract": (
        "{a} takes what {b} shows at this moment less {m}.\n",
        "Subtract {m} from the number in {b}, leave {b} alone and write the result into {a}.\n",
        "{b} is read, and {a} is made smaller than it by {m}.\n",
    ),
    "proposed": (
        "Setting {a} to {n} was proposed and turned down.\n",
        "{n} was to go into {a}, had the lamp not failed; all stays as it was.\n",
        "Tomorrow {a} may be set to {n}, today nothing is done.\n",
    ),
}
"""``a`` changes; ``b`` is read; ``n`` has five digits and ``m`` three."""


class Parameters(Struct, frozen=True):
    """Difficulty."""

    hops: Annotated[int, Meta(ge=2, le=10)]
    """How often a value is carried from register to register."""
    chains: Annotated[int, Meta(ge=6, le=24)]
    """Alike, one of which is asked for."""


class Line(Struct, frozen=True):
    """One line but for its numbers."""

    action: Action
    target: int
    read: int
    """The register that is read; the target itself where none is."""
    wording: int


class Plan(Struct, frozen=True):
    """What variants share. Registers are numbered through the chains."""

    registers: int
    asked: int
    proof: list[int]
    """The asked chain's lines that its last value follows from, and later ones about it."""
    lines: list[Line]


class Variables(Planted[Parameters, Plan]):
    """The family. Nobody guesses a computed number of five digits."""

    name = "variables@1"
    guess_rate = 0.0
    levels: Sequence[Parameters] = (Parameters(2, 8), Parameters(4, 8), Parameters(8, 8))
    min_tokens = 8_000
    ordered = True

    def plan(self, draw: Draw, parameters: Parameters) -> Plan:
        width = parameters.hops + 1
        chains = [_chain(draw, width * i, parameters.hops) for i in range(parameters.chains)]
        left, lines, proof = [iter(chain) for chain in chains], list[Line](), list[int]()
        asked = draw.below(parameters.chains)
        for chain in interleaved(draw, [len(chain) for chain in chains]):
            line, matters = next(left[chain])
            if chain == asked and matters:
                proof.append(len(lines))
            lines.append(line)
        return Plan(width * parameters.chains, width * asked + parameters.hops, proof, lines)

    def spell(self, plan: Plan, draw: Draw) -> Spelled:
        registers = names.many(draw, plan.registers)
        values = [0] * plan.registers
        pieces = list[str]()
        for line in plan.lines:
            n, m = 10_000 + draw.below(90_000), 100 + draw.below(900)
            text = WORDINGS[line.action][line.wording]
            pieces.append(text.format(a=registers[line.target], b=registers[line.read], n=n, m=m))
            if line.action != "proposed":
                by = {"set": n, "add": values[line.read] + m, "subtract": values[line.read] - m}
                values[line.target] = by[line.action]
        question = (
            "The document tells in order how registers get their numbers; a later change of one "
            "never changes another. What number is in register "
            f"{registers[plan.asked]} at the end?"
        )
        answer = str(values[plan.asked])
        return Spelled(pieces, question, "the number in digits", answer, plan.proof)


def _line(draw: Draw, action: Action, target: int, read: int) -> Line:
    return Line(action, target, read, draw.below(len(WORDINGS[action])))


def _chain(draw: Draw, first: int, hops: int) -> list[tuple[Line, bool]]:
    """The lines of one chain in order, and whether its end follows from them.

    Each register is set early, gets its value in the chain, and changes again after it was read;
    but the last one's later change is only proposed.
    """
    chain = range(first, first + hops + 1)
    found = [(_line(draw, "set", register, register), False) for register in draw.shuffled(chain)]
    found.append((_line(draw, "set", first, first), True))
    for register in chain[1:]:
        found.append((_line(draw, _sign(draw), register, register - 1), True))
        if draw.below(2):
            again = _line(draw, "set", register - 1, register - 1)
        else:
            again = _line(draw, _sign(draw), register - 1, register - 1)
        found.append((again, False))
    found.append((_line(draw, "proposed", chain[-1], chain[-1]), True))
    return found


def _sign(draw: Draw) -> Action:
    return draw.choice(("add", "subtract"))
