"""The plan of a round: one pure function of seed, participants and policy."""

import hmac
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec

from quasar.benchmarks import FAMILIES
from quasar.benchmarks.family import Family, Instance, Template
from quasar.draw import derive
from quasar.errors import CannotJudge
from quasar.metrics import PROGRAM_METRICS
from quasar.rules.policy import Mix, Policy


class PlannedTask(NamedTuple):
    """A task and everything its variants share."""

    task: int
    mix: Mix
    seed: bytes
    template: Template

    @property
    def metric(self) -> str:
        """Name and version of the metric that scores it."""
        return self.mix.metric or FAMILIES[self.mix.family].metric

    def variant(self, hotkey: str) -> "Variant":
        """The task as one miner gets it."""
        seed = derive(self.seed, "anchor" if self.mix.anchor else f"variant/{hotkey}")
        return Variant(hotkey, self.template.instance(seed), derive(seed, "salt"))


class Variant(NamedTuple):
    """One miner's surface values."""

    hotkey: str
    instance: Instance
    salt: bytes

    @property
    def commitment(self) -> str:
        """HMAC-SHA256(salt, expected answer), hex."""
        return hmac.digest(self.salt, self.instance.answer.encode(), "sha256").hex()


def offered(policy: Policy, sandbox: str | None) -> Policy:
    """The policy without what this validator cannot judge: no sandbox, no tasks in code."""
    if sandbox is not None:
        return policy
    mix = [entry for entry in policy.mix if not runs_code(entry.family)]
    return msgspec.structs.replace(policy, mix=mix)


def runs_code(family: str) -> bool:
    """Whether answers of this family are programs."""
    return family in FAMILIES and FAMILIES[family].metric in PROGRAM_METRICS


def plan_tasks(seed: bytes, policy: Policy) -> Iterator[PlannedTask]:
    """The tasks of a round, in order."""
    return (plan_task(seed, policy, number) for number in range(len(policy.tasks)))


def plan_task(seed: bytes, policy: Policy, number: int) -> PlannedTask:
    """One task of a round. Raises IndexError where it has fewer."""
    mix, task_seed = policy.tasks[number], derive(seed, f"task/{number}")
    return task_of(number, mix, task_seed, policy.bucket(mix.bucket).tokens)


def task_of(number: int, mix: Mix, task_seed: bytes, tokens: int) -> PlannedTask:
    """A task from its own seed and the tokens of its bucket."""
    template = _template(mix.family, task_seed, tokens, mix.level, mix.source)
    return PlannedTask(number, mix, task_seed, template)


def assignments(policy: Policy, participants: Sequence[str]) -> int:
    """How many assignments a round has."""
    return len(policy.tasks) * len(participants)


@lru_cache(maxsize=16)
def _template(
    name: str, seed: bytes, tokens: int, level: int | None, source: str | None
) -> Template:
    if name not in FAMILIES:
        raise CannotJudge(
            f"task family {name!r} is not installed; install the quasar-subnet version "
            "that RunStarted names"
        )
    family = FAMILIES[name]
    if level is None and source is None:
        return family.template(seed, tokens)
    return family.template(seed, tokens, _parameters(family, level), source or "")


def _parameters(family: Family, level: int | None) -> msgspec.Struct | None:
    if level is None:
        return None
    if level > len(family.levels):
        raise CannotJudge(f"{family.name} has {len(family.levels)} levels, not {level}")
    return family.levels[level - 1]
