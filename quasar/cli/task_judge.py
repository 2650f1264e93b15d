"""Scores answers to one task, by the scorer's own code; programs run in a child process.

The child has no sandbox: it runs functions of ours alone, as attackers copy them from a context.
"""

import subprocess
import sys
from collections.abc import Callable, Sequence

import msgspec

from quasar.benchmarks.family import Instance, Program
from quasar.metrics.program import extract_code
from quasar.rules.judging import metric, program_metric, read

RUNNER = """
import io, json, sys
told, results = json.load(sys.stdin), []
said, sys.stdout = sys.stdout, io.StringIO()
for code in told["codes"]:
    values, space = [], {}
    for case in told["cases"]:
        try:
            if not space:
                exec(code, space)
            values.append(json.dumps(space[told["name"]](*case)))
        except BaseException:
            values.append(None)
    results.append(values)
json.dump(results, said)
"""
TIME_S = 20.0


def judge_of(
    metric_name: str, *, runs_code: bool
) -> Callable[[Instance, Sequence[str]], list[float]]:
    """A judge for one family's answers, of that metric."""
    if not runs_code:
        found = metric(metric_name)
        return lambda instance, answers: [
            read(found, instance, answer.encode("utf-8", "replace"), instance.options)
            for answer in answers
        ]
    passed = program_metric(metric_name)

    def judge(instance: Instance, answers: Sequence[str]) -> list[float]:
        program = instance.program
        assert program is not None
        told = program.expected, program.tolerances
        return [passed(outputs, *told) for outputs in _run(program, answers)]

    return judge


def _run(program: Program, answers: Sequence[str]) -> list[list[bytes | None]]:
    """The JSON that each answer's function returns in each case; all None past TIME_S."""
    codes = [extract_code(answer.encode()) for answer in answers]
    told = {"codes": codes, "cases": program.cases, "name": program.function_name}
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", RUNNER],
            input=msgspec.json.encode(told),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
            timeout=TIME_S,
        )
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError):
        return [[None] * len(program.cases) for _ in answers]
    rows: list[list[str | None]] = msgspec.json.decode(done.stdout)
    return [[None if text is None else text.encode() for text in row] for row in rows]
