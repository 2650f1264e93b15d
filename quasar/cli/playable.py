"""Whether this program can play a policy: asked before it is signed into a log, never after.

A recorded policy that cannot be played here is no mistake of this program's user; that is what
``CannotJudge`` says where the policy is met.
"""

from typing import NamedTuple

from quasar.benchmarks import FAMILIES
from quasar.benchmarks.about import bounds, find
from quasar.config import load_policy
from quasar.errors import UsageError
from quasar.metrics import METRICS
from quasar.rules.policy import Mix, Policy, parse


class PolicyFile(NamedTuple):
    """A policy that a user named."""

    toml: bytes
    policy: Policy


def playable(name: str) -> PolicyFile:
    """A policy that ships, or a file. Raises UsageError where this program cannot play it."""
    toml = load_policy(name)
    policy = parse(toml)
    check_playable(policy)
    return PolicyFile(toml, policy)


def check_playable(policy: Policy) -> None:
    """Raises UsageError that names the entry of the mix which cannot be played, and why."""
    for entry in policy.mix:
        _check_family(entry)
        _check_metric(entry)
        _check_size(entry, policy.bucket(entry.bucket).tokens)


def _check_family(entry: Mix) -> None:
    if entry.family not in FAMILIES:
        known = find(entry.family).name  # raises for one that is no family's name at all
        raise UsageError(f"the mix names {entry.family!r} without a version: write {known!r}")
    levels = len(FAMILIES[entry.family].levels)
    if entry.level is not None and entry.level > levels:
        had = f"has {levels} levels" if levels else "has no levels"
        raise UsageError(f"the mix asks for level {entry.level} of {entry.family}, which {had}")


def _check_metric(entry: Mix) -> None:
    if entry.metric is not None and entry.metric not in METRICS:
        raise UsageError(
            f"the mix names the metric {entry.metric!r}, which there is not: "
            f"choose one of {', '.join(METRICS)}"
        )


def _check_size(entry: Mix, tokens: int) -> None:
    least, most = bounds(FAMILIES[entry.family])
    if tokens < (least or 0) or tokens > (most or tokens):
        raise UsageError(
            f"{entry.family} makes contexts of {least:,} to {most:,} tokens, not {tokens:,} "
            f"as the bucket {entry.bucket}: `quasar task list` says what fits"
        )
