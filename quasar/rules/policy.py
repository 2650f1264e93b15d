"""A policy: one complete TOML file that fixes every number of the game."""

import hashlib
import math
import tomllib
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from quasar.errors import CannotJudge, UsageError
from quasar.events.base import Digest, Name
from quasar.rules.policy_sections import (
    Adaptive,
    Beacon,
    Execution,
    Positive,
    Sampling,
    Section,
    Share,
)

MAX_POLICY_BYTES = 32 * 2**10
"""Many times what the released ones take; bounds what a hostile log makes a TOML reader do."""
BYTES_A_TOKEN = 6
"""Most that a context has, before it is compressed."""
MAX_DRAWN = 200
"""Tasks of a round whose mix is an event: it must fit in one."""
MAX_DOTS = 64
"""In a line. A key of many parts costs a TOML reader time and memory by the square of them."""


class Cadence(Section, frozen=True):
    """When rounds happen, in blocks."""

    round_every_blocks: Positive
    """A round opens at every block number that this divides."""
    beacon_delay_blocks: Positive
    """Blocks from the opening block to the one whose hash seeds the tasks."""
    max_lag_blocks: Positive
    """A scheduled block read later than this is skipped: its round would start stale."""
    heartbeat_blocks: Positive
    """A finalised block is recorded at least this often, to bound back-dating."""
    clock_skew_ms: Positive
    """How far an event's wall clock may lie before the newest block's time."""


class Bucket(Section, frozen=True):
    """A context length and what it is worth."""

    name: Name
    tokens: Annotated[int, Meta(ge=1, le=2_000_000)]
    """Upper limit, canonical tokens; a task fills 0.98 to 1.0 of it."""
    multiplier: Annotated[float, Meta(gt=0.0)]


class Mix(Section, frozen=True):
    """Tasks of a round: every participant gets a variant of each."""

    family: Name
    bucket: Name
    tasks: Annotated[int, Meta(ge=1, le=1000)]
    level: Annotated[int, Meta(ge=1, le=9)] | None = None
    """Of difficulty; none for the family's usual one."""
    metric: Name | None = None
    """In place of the family's own, which is told the family's options; this one is told none."""
    source: Digest | None = None
    """SHA-256 of the pack of texts or items (``quasar.benchmarks.packs``), for a family that takes
    one; none for the vendored text."""
    anchor: bool = False
    """Every miner gets the same variant, so that answers can be compared in pairs."""


class Findings(Section, frozen=True):
    """What is looked for in answers beside their scores (``quasar.rules.findings``)."""

    rounds: Annotated[int, Meta(ge=1, le=64)]
    """Scored rounds that are looked at together, then the next ones. None outlives its volume."""
    level: Annotated[float, Meta(gt=0.0, le=0.1)]
    """At most this share of all looks says of anyone honest that it copied."""
    decoys: Annotated[int, Meta(ge=0, le=1024)]
    """Variants of a task that nobody got, beside those of the other miners: the more, the smaller
    are the chances that can be told."""


class Answers(Section, frozen=True):
    """Limits of an answer."""

    max_bytes: Annotated[int, Meta(ge=1, le=2**20)]
    """Every metric reads so much in a moment; without a bound a hostile log could keep it busy."""


class Deadline(Section, frozen=True):
    """``base + linear * k + square * k * k`` ms, k being thousands of tokens, rounded up."""

    base_ms: Annotated[int, Meta(ge=1, le=2**32)]
    linear_ms: Annotated[int, Meta(ge=0, le=2**32)]
    square_us: Annotated[int, Meta(ge=0, le=2**32)]


class Delivery(Section, frozen=True):
    """How hard the validator tries."""

    attempts: Positive
    attempt_ms: Positive
    """For connecting, uploading and the miner's acceptance."""
    grace_ms: Positive
    """An answer is still taken, as late, this long after its deadline."""
    upload_bytes: Positive
    """Most context bytes that one miner is sent in a round."""


class Scoring(Section, frozen=True):
    """From answers to mean rewards."""

    reward: Literal["capped@1", "weighted@1"]
    reached_share: Share
    """Unreachable counts against a miner only when this share of the round was reached."""
    ema_alpha: Annotated[float, Meta(gt=0.0, le=1.0)]
    ema_start: Share
    minimum_samples: Positive
    """Scored answers before a miner can hold weight."""


class Policy(Section, frozen=True):
    """All of it."""

    name: Name
    cadence: Cadence
    buckets: Annotated[list[Bucket], Meta(max_length=32)]
    mix: Annotated[list[Mix], Meta(min_length=1, max_length=32)]
    """Not empty: a round ends with its last outcome."""
    answers: Answers
    deadline: Deadline
    delivery: Delivery
    scoring: Scoring
    sampling: Sampling | None = None
    adaptive: Adaptive | None = None
    beacon: Beacon | None = None
    findings: Findings | None = None
    execution: Execution | None = None

    def bucket(self, name: str) -> Bucket:
        """The bucket of that name. Raises KeyError."""
        return {b.name: b for b in self.buckets}[name]

    def bucket_for(self, tokens: int) -> Bucket:
        """The smallest bucket that holds so many canonical tokens.

        Raises UsageError above the largest: such a task is not made.
        """
        for bucket in sorted(self.buckets, key=lambda b: b.tokens):
            if tokens <= bucket.tokens:
                return bucket
        raise UsageError(f"{tokens} tokens are more than the largest bucket holds")

    @property
    def tasks(self) -> list[Mix]:
        """One entry a task, in the order of the file."""
        return [entry for entry in self.mix for _ in range(entry.tasks)]

    def deadline_ms(self, tokens: int) -> int:
        """Milliseconds from acceptance to answer."""
        k = -(-tokens // 1000)
        d = self.deadline
        return d.base_ms + d.linear_ms * k + d.square_us * k * k // 1000


def parse(toml: bytes) -> Policy:
    """Read a policy file. Raises UsageError that names the field and the value's problem."""
    if len(toml) > MAX_POLICY_BYTES:
        raise UsageError(f"this is not a policy: it is longer than {MAX_POLICY_BYTES} bytes")
    if any(line.count(b".") > MAX_DOTS for line in toml.split(b"\n")):
        raise UsageError(f"this is not a policy: a line has more than {MAX_DOTS} dots")
    try:
        policy = msgspec.convert(tomllib.loads(toml.decode()), Policy)
    except (ValueError, RecursionError) as problem:  # of msgspec, TOML and UTF-8 alike
        raise UsageError(f"this is not a policy: {problem}") from None
    _check(policy)
    return policy


def recorded_policy(toml: bytes) -> Policy:
    """A policy from a log. Raises CannotJudge where this version does not know its rules."""
    try:
        return parse(toml)
    except UsageError as problem:
        raise CannotJudge(f"the log's policy: {problem}") from None


def digest(toml: bytes) -> str:
    """SHA-256 of the file."""
    return hashlib.sha256(toml).hexdigest()


def _check(policy: Policy) -> None:
    """What field types cannot say."""
    names = [b.name for b in policy.buckets]
    if len(set(names)) != len(names):
        raise UsageError("two buckets share a name")
    if unknown := sorted({m.bucket for m in policy.mix} - set(names)):
        raise UsageError(f"the mix names unknown buckets: {', '.join(unknown)}")
    if policy.cadence.beacon_delay_blocks >= policy.cadence.round_every_blocks:
        raise UsageError("beacon_delay_blocks must be below round_every_blocks")
    if not all(math.isfinite(b.multiplier) for b in policy.buckets):
        raise UsageError("a multiplier must be a finite number")
    planned = most_bytes(policy)
    if planned > policy.delivery.upload_bytes:
        raise UsageError(
            f"a round may send {planned:.0f} bytes to a miner, more than upload_bytes; "
            "raise it or take fewer or shorter tasks"
        )
    _check_sampling(policy)


def most_bytes(policy: Policy) -> float:
    """Bytes of context that one miner may be sent in a round."""
    if policy.sampling is not None and policy.sampling.drawn:
        return policy.sampling.upload_bytes or policy.delivery.upload_bytes
    return math.fsum(BYTES_A_TOKEN * policy.bucket(m.bucket).tokens for m in policy.tasks)


def _check_sampling(policy: Policy) -> None:
    """What an entry, a level and a wait must be for each other."""
    if policy.sampling is not None and not policy.sampling.drawn and len(policy.tasks) > MAX_DRAWN:
        raise UsageError(f"with [sampling] a round has at most {MAX_DRAWN} tasks: take fewer")
    if policy.adaptive is not None:
        if policy.sampling is None or not policy.sampling.drawn:
            raise UsageError("[adaptive] needs [sampling] with upload_bytes or miner_ms")
        if policy.adaptive.low >= policy.adaptive.high:
            raise UsageError("[adaptive] low must be below high")
    if policy.beacon is not None and policy.beacon.late_blocks >= policy.beacon.wait_blocks:
        raise UsageError("[beacon] late_blocks must be below wait_blocks")
    for entry in policy.mix:
        if not fits(policy, entry):
            raise UsageError(
                f"one task of {entry.family} at {entry.bucket} is more than the budget of a round: "
                "raise [sampling] upload_bytes or miner_ms, or leave the entry out"
            )


def fits(policy: Policy, entry: Mix) -> bool:
    """Whether one task of an entry is within a round's budget."""
    sampling, tokens = policy.sampling, policy.bucket(entry.bucket).tokens
    if sampling is None or not sampling.drawn:
        return True
    if policy.deadline_ms(tokens) > (sampling.miner_ms or math.inf):
        return False
    return BYTES_A_TOKEN * tokens <= most_bytes(policy)
