"""What `quasar why` finds, for programs: every number with the event that holds it."""

from msgspec import Struct

from quasar.events import FindingNoted, Weight


class Difference(Struct, frozen=True, kw_only=True):
    """A recorded number that does not follow from the inputs shown."""

    seq: int
    """The event that holds it."""
    what: str
    recorded: str
    recomputed: str


class NamedEvent(Struct, frozen=True, kw_only=True):
    """An event that is named here, as it is stored, with its place in the signed log."""

    seq: int
    type: str
    proof: list[str]
    """Inclusion proof: hashes from leaf ``seq`` - 1 up to the root, hex."""
    line: str
    """The stored bytes, which the leaf is the hash of."""


class RanCase(Struct, frozen=True, kw_only=True):
    """One hidden case of a program that ran."""

    status: str
    passed: bool
    """Judged here, by what it returned."""
    execution_time_ms: int
    cpu_time_ms: int | None
    again: str | None
    """Its status in the second run, if there was one."""
    same: bool | None
    """Whether the second run gave the same."""


class ScoredAnswer(Struct, frozen=True, kw_only=True):
    """One assignment, with the events that tell of it."""

    task: int
    family: str
    bucket: str
    metric: str
    question: str
    answer: str
    """Text, or how it failed."""
    expected: str
    """The reference answer, made anew from the revealed seed."""
    accuracy: float | None
    """None where the answer was left out."""
    multiplier: float
    reward: float | None
    failure: str | None
    unproved: bool
    """Only the validator's word stands for the failure."""
    elapsed_ms: int | None
    """From acceptance to the answer's last byte; None where none came."""
    deadline_ms: int
    assigned_seq: int
    accepted_seq: int | None
    outcome_seq: int
    executed_seq: int | None
    """Of the program's run."""
    cases: list[RanCase]
    """Of the program's run, in order; empty for an answer that was read."""
    score_seq: int


class RoundEarned(Struct, frozen=True, kw_only=True):
    """One round's mean, and the step of the EMA that it makes."""

    round: int
    seq: int
    """Of RoundScored."""
    scored: int
    not_scored: int
    unproved: int
    mean: float | None
    rule: str
    """Of rewards and their mean, as ``capped@1``; empty where the round was not looked into."""
    alpha: float
    before: float
    """The EMA that the step starts from."""
    ema: float | None
    left_before: bool
    """The hotkey had left the subnet since the round before, and so started empty."""
    opened_seq: int
    beacon_seq: int
    """The block that seeds the tasks; 0 where the round was not looked into."""
    revealed_seq: int
    """The secret, without which nobody knew the reference answers."""
    answers: list[ScoredAnswer]
    """By task; empty where the round was not looked into."""
    more: int
    """Answers that were not looked into, in a round that was."""


class NotedFinding(Struct, frozen=True, kw_only=True):
    """What answers show of this miner or another, apart from scores."""

    seq: int
    finding: FindingNoted
    """As recorded: only an audit computes it again."""


class Base(Struct, frozen=True, kw_only=True):
    """Where the EMA's steps start from."""

    seq: int
    """The row, or LogOpened."""
    epoch: int | None
    """Of the row; None for a volume's first event."""
    score: float | None
    """None where nothing had been earned."""
    samples: int
    rounds: int
    """Scored rounds before it."""


class Why(Struct, kw_only=True):
    """The way from a weight to the answers."""

    hotkey: str
    uid: int | None
    validator: str
    origin: str
    weight: Weight | None
    weight_seq: int
    """Of the row; 0 where there is none."""
    epoch: int | None
    block: int | None
    highest: float | None
    """The row's highest score, which gets 65535."""
    share: float | None
    """Of the row's u16 in all: what the chain makes of the weight; None of no weight or 0."""
    of: int
    """Miners in the row."""
    deferred: str | None
    """Why the newest epoch has no row, if it has none."""
    alpha: float
    minimum_samples: int
    base: Base
    rounds: list[RoundEarned]
    findings: list[NotedFinding]
    """The newest that name this miner."""
    differences: list[Difference]
    """Recorded numbers that do not follow from what is shown. Empty: all of them do."""
    events: list[NamedEvent]
    """All that a number was taken from, by number."""
    size: int
    """Events under the checkpoint."""
    root: str
