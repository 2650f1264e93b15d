"""Rounds with tasks in code: a policy, and what miners answer."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from quasar.benchmarks.families.code import CodeInstance
from quasar.events import AnswerReceived, CaseOutcome, CodeExecuted, CodeExecuted1
from quasar.events.execution import CaseOutcome1
from quasar.metrics.program import extract_code
from quasar.rules.delivery import Key
from quasar.rules.executed import code_digest, digest_of, runs_twice
from quasar.rules.plan import PlannedTask, plan_tasks
from quasar.rules.policy import parse
from quasar.rules.secrets import round_seed
from tests.builders import BEACON_DELAY, EVERY, World, small_policy

WRONG = "```python\ndef anything(x):\n    return x\n```"


def code_policy() -> bytes:
    """One task in code of 4,000 tokens, and one factbook task of 1,000."""
    head, _, rest = small_policy().decode().partition("[[mix]]")
    _, _, tail = rest.partition("[answers]")
    head = head.replace("tokens = 2_000\n", "tokens = 4_000\n")
    head = head.replace("tokens = 3_000\n", "tokens = 4_500\n")
    head = head.replace('name = "1.5m"\ntokens = 4_000\n', 'name = "1.5m"\ntokens = 4_800\n')
    mix = '[[mix]]\nfamily = "factbook@1"\nbucket = "32k"\ntasks = 1\n\n'
    mix += '[[mix]]\nfamily = "code@1"\nbucket = "124k"\ntasks = 1\n\n'
    return (head + mix + "[answers]" + tail).encode()


def planned(world: World, number: int, task: int) -> PlannedTask:
    """A task as its generator makes it."""
    return list(plan_tasks(seed_of(world, number), parse(world.policy)))[task]


def seed_of(world: World, number: int) -> bytes:
    """The seed of a round."""
    beacon = world.block_hash(number * EVERY + BEACON_DELAY)
    return round_seed(world.secrets.secret(number), beacon)


def code_instance(world: World, key: Key) -> CodeInstance | None:
    """The variant of an assignment, if it asks for code."""
    number, task, hotkey = key
    instance = planned(world, number, task).variant(hotkey).instance
    return instance if isinstance(instance, CodeInstance) else None


def executed(world: World, key: Key, outputs: Sequence[bytes | None]) -> CodeExecuted:
    """The record of a program that returned these values as JSON; None for a case that raised."""
    number, task, hotkey = key
    instance = code_instance(world, key)
    assert instance is not None
    answers = world.events(AnswerReceived)
    text = next(a.text for a in answers if (a.round, a.task, a.hotkey) == key)
    cases = [
        CaseOutcome(
            status="error" if output is None else "ok",
            input=digest_of(arguments),
            output=None if output is None else world.log.blobs.put(output),
            execution_time_ms=2,
            cpu_time_ms=1,
        )
        for arguments, output in zip(instance.program.cases, outputs, strict=True)
    ]
    return CodeExecuted(
        round=number,
        task=task,
        hotkey=hotkey,
        code=code_digest(extract_code((text or "").encode())),
        cases=cases,
        again=cases if runs_twice(seed_of(world, number), task, hotkey) else None,
        driver="docker",
        image="a" * 64,
        layers=["b" * 64],
        python="3.11.7",
    )


def first_case(which: str = "cases", **changes: Any) -> Callable[[CodeExecuted], CodeExecuted]:
    """Makes another record: its first case is another, in the first run or in the second."""

    def replace(run: CodeExecuted) -> CodeExecuted:
        first, *rest = getattr(run, which)
        return msgspec.structs.replace(
            run, **{which: [msgspec.structs.replace(first, **changes), *rest]}
        )

    return replace


def older(run: CodeExecuted) -> CodeExecuted1:
    """The same record in the first schema."""
    cases = [
        CaseOutcome1(
            status=case.status, output=case.output, execution_time_ms=case.execution_time_ms
        )
        for case in run.cases
    ]
    return CodeExecuted1(
        round=run.round,
        task=run.task,
        hotkey=run.hotkey,
        cases=cases,
        image=run.image,
        layers=run.layers,
    )
