"""Rounds with tasks in code: a policy, and what miners answer."""

from quasar.benchmarks.families.code import CodeInstance
from quasar.rules.delivery import Key
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
    beacon = world.block_hash(number * EVERY + BEACON_DELAY)
    seed = round_seed(world.secrets.secret(number), beacon)
    return list(plan_tasks(seed, parse(world.policy)))[task]


def code_instance(world: World, key: Key) -> CodeInstance | None:
    """The variant of an assignment, if it asks for code."""
    number, task, hotkey = key
    instance = planned(world, number, task).variant(hotkey).instance
    return instance if isinstance(instance, CodeInstance) else None
