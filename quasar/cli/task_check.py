"""``quasar task check``: does a family keep its promises, and what do cheap tricks earn?"""

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated

from cyclopts import Parameter

from quasar.benchmarks import FAMILIES
from quasar.benchmarks.about import SUPERSEDED, find, parameters
from quasar.benchmarks.checking import AGAIN, Checked, attacked, broken, parsed, too_strong
from quasar.benchmarks.family import Family
from quasar.benchmarks.parsers import parser_of
from quasar.benchmarks.pins import levels_of, pin, smallest
from quasar.cli.output import err, out, say_json
from quasar.cli.slow_bar import slow_bar
from quasar.cli.task import print_rows
from quasar.cli.task_judge import judge_of
from quasar.cli.task_make import tokens_of
from quasar.errors import QuasarError, UsageError
from quasar.metrics import PROGRAM_METRICS

PIN = "import sys; from quasar.benchmarks.pins import pin; sys.stdout.write(pin(sys.argv[1]))"
STRUCTURE = 5
"""Tasks of each level that are looked at for all but attackers."""


def check(
    *,
    family: str,
    tasks: int = 200,
    tokens: str = "",
    level: int | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Check a family, or all: exact lengths, variants, references, other processes, attackers.

    Parameters
    ----------
    family
        Its name, with or without its version; or ``all``, without those that are superseded.
    tasks
        How many the attackers try, and the parser of the family's wordings.
    tokens
        Length of the contexts, such as 32k; the family's smallest without it.
    level
        Of difficulty, from 1; the usual one without it.
    json
        Print one JSON object a family.
    """
    if tasks < 1:
        raise UsageError("--tasks must be at least 1")
    size = tokens_of(tokens) if tokens else 0
    found = []
    for one in _chosen(family):
        found.append(_checked(one, tasks, size, level))
        if json:
            say_json(found[-1])
        else:
            _show(found[-1])
    return int(any(one.problems for one in found))


def _chosen(name: str) -> Iterator[Family]:
    if name != "all":
        yield _checkable(find(name))
        return
    for one in FAMILIES:
        try:
            smallest(one)
        except QuasarError:
            err.print(f"{one} needs a source: not checked", markup=False)
            continue
        if one not in SUPERSEDED:
            yield FAMILIES[one]


def _checkable(family: Family) -> Family:
    if getattr(family, "needs_source", False):
        raise UsageError(
            f"{family.name} needs a source, which check cannot take: look at single tasks with "
            f"`quasar task make --family {family.name} --source ...`"
        )
    return family


def _checked(family: Family, tasks: int, size: int, level: int | None) -> Checked:
    tokens = size or smallest(family.name)
    judge = judge_of(family.metric, runs_code=family.metric in PROGRAM_METRICS)
    chosen = parameters(family, level, {})
    problems = list(_elsewhere(family))
    for its in levels_of(family):
        for number in range(STRUCTURE):
            problems += broken(family, tokens, number, its, judge)
    with slow_bar(family.name) as seen:
        count = _counter(seen, tasks)
        found = attacked(family, tasks, tokens, judge, chosen, count)
    parser = parser_of(family.name)
    return Checked(
        family=family.name,
        metric=family.metric,
        guess_rate=family.guess_rate,
        tokens=tokens,
        problems=list(dict.fromkeys(problems)) + too_strong(family, found),
        attacked=found,
        parser=parser and parsed(family, tasks, tokens, judge, parser, chosen),
        no_parser="" if parser else _unparsed(family.name),
    )


def _unparsed(name: str) -> str:
    """Why nobody wrote a parser for a family."""
    return "it is superseded" if name in SUPERSEDED else "it is no family of this package"


def _counter(seen: Callable[[int, int], None], tasks: int) -> Callable[[], None]:
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        seen(done, tasks if done <= tasks else tasks * (1 + AGAIN))

    return count


def _elsewhere(family: Family) -> Iterator[str]:
    """Whether another process makes the same tasks."""
    command: Sequence[str] = [sys.executable, "-c", PIN, family.name]
    there = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if there.stdout != pin(family.name):
        yield "another process makes other tasks of the same seeds"


def _show(found: Checked) -> None:
    head = (
        f"{found.family}: {found.metric}, guess rate {found.guess_rate:.3f}, {found.tokens} tokens"
    )
    out.print(head, markup=False)
    rows = [(kind, f"{score:.3f}", str(n), name) for kind, name, score, n in found.attacked]
    print_rows([("attackers", "score", "tasks", "strongest of them"), *rows])
    limit = f"no parser written: {found.no_parser}"
    if found.parser is not None:
        limit = f"a parser of its public wordings earns {100 * found.parser:.1f} %"
    out.print(f"known limit: {limit}", markup=False)
    for problem in found.problems:
        out.print(f"FAILED {problem}", markup=False)
    out.print("" if found.problems else "passed\n")
