"""What tasks cost to make, and how long level ``tasks`` of an audit takes, which makes all anew.

``python bench/tasks.py [--policy NAME] [--miners N] [--sample K] [--part limits|audit] [--json]``.

Part ``limits``: the longest task of each family in a fresh process, and counting as many tokens
beside plain tiktoken; exit 1 where a limit is missed (``task_limits``). Part ``audit``: each family
and bucket of a policy that ships: variants a second on one core, beside the limit, SHA-256 over the
same contexts (an audit must hash them to compare). Then the hours that one day of a validator
takes: all rounds, and K of them drawn at random (``quasar audit --sample K``). A day is 7200 blocks
of 12 s. Times are CPU seconds, since a shared machine's wall clock tells of others too.
"""

import argparse
import hashlib
import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec
import task_limits
from rich.console import Console
from rich.table import Table

from quasar.config import load_policy
from quasar.rules.plan import PlannedTask, plan_tasks
from quasar.rules.policy import Policy, parse

BLOCKS_A_DAY = 7200
AT_LEAST_S = 0.5
"""Of measuring each family and bucket."""


class Measured(NamedTuple):
    """Tasks of one family and bucket."""

    family: str
    bucket: str
    tasks: int
    """Of a round."""
    tokens: int
    template_s: float
    """What all variants share, once a task."""
    variant_s: float
    hash_s: float
    """SHA-256 of a context alone."""

    def round_s(self, miners: int) -> float:
        """One round's tasks of this kind."""
        return self.tasks * (self.template_s + miners * self.variant_s)


def rounds_a_day(policy: Policy) -> int:
    """How many rounds open."""
    return BLOCKS_A_DAY // policy.cadence.round_every_blocks


def measure(policy: Policy) -> Iterator[Measured]:
    """Each family and bucket of the mix."""
    for mix in policy.mix:
        one = msgspec.structs.replace(policy, mix=[mix])
        seeds = (hashlib.sha256(b"bench/tasks %d" % i).digest() for i in range(1_000_000))
        shared, made = 0.0, list[tuple[float, float, int]]()
        templates = 0
        while sum(sum(m[:2]) for m in made) < AT_LEAST_S or templates < 3:
            begun = time.process_time()
            task = next(plan_tasks(next(seeds), one))
            made.append(_variant(task, 0))  # the first makes what the others share
            shared += time.process_time() - begun - sum(made.pop()[:2])
            templates += 1
            made += [_variant(task, i) for i in range(1, 6)]
        yield Measured(
            mix.family,
            mix.bucket,
            mix.tasks,
            made[0][2],
            shared / templates,
            math.fsum(m[0] for m in made) / len(made),
            math.fsum(m[1] for m in made) / len(made),
        )


def _variant(task: PlannedTask, number: int) -> tuple[float, float, int]:
    """Seconds in all, seconds of hashing, and canonical tokens."""
    seconds, variant = _timed(lambda: task.variant(f"miner {number}"))
    more, text = _timed(lambda: variant.instance.context().encode())
    hashing, _ = _timed(lambda: hashlib.sha256(text).hexdigest())
    rest, _ = _timed(lambda: (variant.commitment, variant.instance.question))
    return seconds + more + hashing + rest, hashing, variant.instance.tokens


def _timed(call: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.process_time()
    result = call()
    return time.process_time() - begun, result


def show(found: list[Measured], rounds: int, miners: int, sample: int) -> None:
    """The table and the line below it."""
    table = Table(title=f"tasks made anew on one core, {miners} miners")
    for title in (
        "family",
        "bucket",
        "variants/s",
        "hashing alone",
        "million tokens/s",
        "s a round",
    ):
        table.add_column(title, justify="left" if title in ("family", "bucket") else "right")
    for m in found:
        table.add_row(
            m.family,
            m.bucket,
            f"{1 / m.variant_s:,.0f}",
            f"{1 / m.hash_s:,.0f}",
            f"{m.tokens / m.variant_s / 1e6:,.0f}",
            f"{m.round_s(miners):.2f}",
        )
    Console().print(table)
    each = math.fsum(m.round_s(miners) for m in found)
    Console().print(
        f"one day, {rounds} rounds: {rounds * each / 3600:.2f} hours on one core; "
        f"--sample {sample}: {sample * each / 3600:.2f} hours"
    )


def audit(options: argparse.Namespace) -> dict[str, Any]:
    """Measures the second part; shows it unless all is printed as JSON in the end."""
    policy = parse(load_policy(options.policy))
    found, rounds = list(measure(policy)), rounds_a_day(policy)
    if not options.json:
        show(found, rounds, options.miners, options.sample)
    each = math.fsum(m.round_s(options.miners) for m in found)
    day = {"rounds": rounds, "hours": rounds * each / 3600}
    day[f"hours_sample_{options.sample}"] = options.sample * each / 3600
    return {"kinds": [m._asdict() for m in found], "day": day}


def limits(options: argparse.Namespace) -> dict[str, Any]:
    """Measures the first part, as ``audit``."""
    made, counted = list(task_limits.make_longest()), list(task_limits.count_tokens())
    if not options.json:
        task_limits.show(made, counted)
    within = all(one.is_within for one in (*made, *counted))
    parts = {"made": [m._asdict() for m in made], "counted": [c._asdict() for c in counted]}
    return {**parts, "within": within}


def main() -> int:
    """0; 1 where a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policy", default="readme-v1")
    parser.add_argument("--miners", type=int, default=256)
    parser.add_argument("--sample", type=int, default=10)
    parser.add_argument("--part", choices=("limits", "audit"))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    told: dict[str, Any] = {}
    if options.part != "audit":
        told |= limits(options)
    if options.part != "limits":
        told |= audit(options)
    if options.json:
        print(json.dumps(told))
    return 0 if told.get("within", True) else 1


if __name__ == "__main__":
    sys.exit(main())
