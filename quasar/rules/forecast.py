"""What a validator will write, keep and send: from its policy, its miners and measured sizes.

How many events there are follows from the policy; how long they are was measured.
"""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import msgspec

from quasar.rules.budget import expected
from quasar.rules.plan import runs_code
from quasar.rules.policy import BYTES_A_TOKEN, Cadence, Policy, most_bytes

YEAR_BLOCKS = 365 * 7200
"""Of 12 seconds."""
EPOCH_BLOCKS = 361
"""A tempo of 360, as most subnets have."""
VOLUME_EVENTS = 2_000_000
VOLUMES = 365
"""A year, at least: one a day."""
EVERY = 256
"""Events after which a checkpoint is signed in any case."""
INLINE = 4096
"""A longer answer is a blob."""

LINE_BYTES: dict[str, float] = {
    "LogOpened": 828,
    "LogClosing": 143,
    "LogClosed": 118,
    "RunStarted": 667,
    "RunEnded": 138,
    "PolicyAdopted": 236,
    "BlockObserved": 318,
    "MetagraphObserved": 376,
    "HyperparametersObserved": 402,
    "RoundOpened": 327,
    "MixDrawn": 2990,
    "RoundSealed": 244,
    "RoundRevealed": 201,
    "RoundScored": 128,
    "TaskSampled": 293,
    "TaskAssigned": 738,
    "TaskAccepted": 503,
    "DeliveryTried": 300,
    "AnswerReceived": 1440,
    "CodeExecuted": 3000,
    "AnswerScored": 354,
    "WeightsComputed": 270,
    "WeightsIntended": 162,
    "WeightsSubmitted": 233,
    "WeightsConfirmed": 244,
    "WeightsVerified": 175,
    "CheckpointSigned": 511,
    "CheckpointAnchored": 291,
}
"""Bytes of a stored line with its newline, less its list of miners. Means of the sample archive
(8 miners, 12 rounds of readme-v1); for what it lacks, of a run of tests/e2e/test_backup.py and of
adaptive-v1."""

LISTED_BYTES = {"RoundOpened": 51.0, "RoundScored": 112.0, "WeightsComputed": 111.0}
"""More bytes for each miner; in the same recordings."""
NEURON_BYTES = 98
"""A miner in a metagraph's blob."""
CARRIED_BYTES = 1330
"""A miner in the state that a volume hands to the next: 16 receipts, standing, counter. Measured by
bench/year.py, as the next one."""
VOLUME_BYTES = 28 * 2**10
"""Files of a volume that do not grow: policy, manifest, newest checkpoint, ends of tiles."""
ANSWER_BYTES = 2093
"""The longest AnswerReceived, its text left out: a receipt that names 16 others."""
NOTE_BYTES = 290
"""A checkpoint's file."""
PACKED = 0.203
"""Share of the lines' bytes that a segment has; in the sample archive."""
LISTED_PACKED = 0.5
"""The same of the lists, which are hotkeys and digits. Measured by bench/year.py."""
MARGIN = 1.5
"""Longer questions and worse packing, in what is at most."""
STORE_BYTES = 290
"""What the server adds to a line on its disk: subject, headers, index. Measured on 2.15.1."""
SUBJECT_BYTES = 245
"""Memory of the server for each event of the open volume. Measured on 2.15.1 at 1M events."""
SERVER_BYTES = 38 * 2**20
"""Memory of the server without events."""
GARBAGE = 2.0
"""Go collects its garbage when the heap has doubled: what the server may have at most."""
BUSY_BYTES = 64 * 2**20
"""And what a server that was just written to holds in caches. Measured by bench/year.py."""
DISK_BLOCK = 4096
"""Smallest file on disk."""

_PACKED_CONTEXT = ((32_000, 1.66), (124_000, 1.50), (math.inf, 1.42))
"""Up to so many tokens, compressed bytes a token: the most of two contexts each of factbook and
hops, zstd 3. Programs take less."""


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """Measured: see the constants above for units."""

    line: Mapping[str, float] = msgspec.field(default_factory=lambda: LINE_BYTES)
    packed: float = PACKED


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """A year of a validator. All but ``events`` in bytes."""

    events: int
    archive: float
    """Written to the archive, as files on a disk."""
    upload: float
    """Contexts sent to miners, compressed."""
    store: float
    """Held by the server for the open volume, at its end."""
    contexts: float
    """Held for miners while rounds are open."""
    memory: float
    """Of the server, at the end of a volume."""


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """What is usual, and what the policy allows at most."""

    typical: Load
    most: Load


class Blocks(NamedTuple):
    """Recorded blocks of a span."""

    observed: int
    metagraphs: int
    rounds: int
    epochs: int


def round_events(policy: Policy, miners: int) -> dict[str, int]:
    """Events of one round by type, where every miner answers at the first attempt.

    Exact, but for a policy that has its tasks drawn: of that, the average.
    """
    entries = list(zip(policy.mix, expected(policy), strict=True))
    tasks = round(math.fsum(n for _, n in entries))
    programs = round(math.fsum(n for entry, n in entries if runs_code(entry.family)))
    miners = taking_part(policy, miners)
    each = tasks * miners
    return {
        "RoundOpened": 1,
        "MixDrawn": int(policy.sampling is not None),
        "TaskSampled": tasks,
        "TaskAssigned": each,
        "TaskAccepted": each,
        "AnswerReceived": each,
        "RoundSealed": 1,
        "RoundRevealed": 1,
        "CodeExecuted": programs * miners,
        "AnswerScored": each,
        "RoundScored": 1,
    }


@lru_cache(maxsize=16)
def observed_blocks(cadence: Cadence, through: int, epoch_blocks: int = EPOCH_BLOCKS) -> Blocks:
    """What ChainObserver records from block 0 to ``through``, where it keeps up. Exact."""
    every, number = cadence.round_every_blocks, 0
    observed = metagraphs = 1
    while True:
        opened = number // every * every
        due = [opened + every, number - number % epoch_blocks + epoch_blocks]
        due.append(number + cadence.heartbeat_blocks)
        if opened and opened + cadence.beacon_delay_blocks > number:
            due.append(opened + cadence.beacon_delay_blocks)
        number = min(due)
        if number > through:
            return Blocks(observed, metagraphs, through // every, through // epoch_blocks)
        observed += 1
        metagraphs += number % every == 0 or number % epoch_blocks == 0


def year_events(
    policy: Policy, miners: int, epoch_blocks: int = EPOCH_BLOCKS, *, most: bool = False
) -> dict[str, int]:
    """Events of a year by type. ``most``: each delivery fails as often as the policy allows."""
    blocks = observed_blocks(policy.cadence, YEAR_BLOCKS, epoch_blocks)
    events = {kind: n * blocks.rounds for kind, n in round_events(policy, miners).items()}
    if most:
        events["DeliveryTried"] = events["TaskAssigned"] * (policy.delivery.attempts - 1)
    events |= {"BlockObserved": blocks.observed, "MetagraphObserved": blocks.metagraphs}
    for step in ("Computed", "Intended", "Submitted", "Confirmed", "Verified"):
        events[f"Weights{step}"] = blocks.epochs
    volumes = _volumes(_total(events))
    for kind in ("LogOpened", "RunStarted", "PolicyAdopted", "HyperparametersObserved"):
        events[kind] = volumes
    for kind in ("LogClosing", "RunEnded", "LogClosed"):
        events[kind] = volumes
    landmarks = 2 * blocks.rounds + 2 * blocks.epochs + 3 * volumes
    events["CheckpointAnchored"] = blocks.epochs + volumes
    events["CheckpointSigned"] = landmarks + _total(events) // EVERY
    return events


def forecast(
    policy: Policy, miners: int, sizes: Sizes, epoch_blocks: int = EPOCH_BLOCKS
) -> Forecast:
    """What a year with so many answering miners takes."""
    return Forecast(
        typical=_load(policy, miners, sizes, epoch_blocks, most=False),
        most=_load(policy, miners, sizes, epoch_blocks, most=True),
    )


def _load(policy: Policy, miners: int, sizes: Sizes, epoch_blocks: int, *, most: bool) -> Load:
    events = year_events(policy, miners, epoch_blocks, most=most)
    total, margin = _total(events), MARGIN if most else 1.0
    lines = math.fsum(
        n * margin * sizes.line.get(kind, LINE_BYTES[kind]) for kind, n in events.items()
    )
    lists = math.fsum(events[kind] * miners * each for kind, each in LISTED_BYTES.items())
    segments, blobs = lines * min(1.0, sizes.packed * margin) + lists * LISTED_PACKED, 0.0
    lines += lists
    if most:
        longest = policy.answers.max_bytes
        inline, blob = (longest, 0) if longest <= INLINE else (0, longest)
        more = ANSWER_BYTES + inline - LINE_BYTES["AnswerReceived"] * margin
        lines += events["AnswerReceived"] * max(0.0, more)
        segments += events["AnswerReceived"] * max(0.0, more)
        blobs = events["AnswerReceived"] * _on_disk(blob)
    blobs += events["MetagraphObserved"] * _on_disk((miners + 1) * NEURON_BYTES)
    blobs += events["LogOpened"] * (_on_disk(miners * CARRIED_BYTES) + VOLUME_BYTES)
    files = events["CheckpointSigned"] * _on_disk(NOTE_BYTES) + 32 * total
    round_bytes = taking_part(policy, miners) * packed_contexts(policy, most=most)
    rounds, held = events["RoundOpened"], total / _volumes(total)
    memory = SERVER_BYTES + held * SUBJECT_BYTES
    return Load(
        events=total,
        archive=segments + blobs + files,
        upload=rounds * round_bytes * (policy.delivery.attempts if most else 1),
        store=lines / _volumes(total) + held * STORE_BYTES,
        contexts=round_bytes * (2 if most else 1),
        memory=memory * GARBAGE + BUSY_BYTES if most else memory,
    )


def taking_part(policy: Policy, miners: int) -> int:
    """Of so many miners, those that a round asks."""
    return -(-miners // (policy.sampling.coverage_rounds if policy.sampling else 1))


def packed_contexts(policy: Policy, *, most: bool = False) -> float:
    """Bytes that one miner is sent in a round; of drawn tasks, on average or at most."""
    if policy.sampling is not None and policy.sampling.drawn:
        if most:
            return most_bytes(policy) / BYTES_A_TOKEN * _PACKED_CONTEXT[0][1]
        drawn = zip(policy.mix, expected(policy), strict=True)
        return math.fsum(n * _packed(policy.bucket(entry.bucket).tokens) for entry, n in drawn)
    return math.fsum(_packed(policy.bucket(entry.bucket).tokens) for entry in policy.tasks)


def _packed(tokens: int) -> float:
    return next(tokens * each for limit, each in _PACKED_CONTEXT if tokens <= limit)


def _volumes(events: int) -> int:
    return max(VOLUMES, -(-events // VOLUME_EVENTS))


def _on_disk(size: int) -> int:
    return -(-size // DISK_BLOCK) * DISK_BLOCK


def _total(events: Mapping[str, int]) -> int:
    total = 0
    for n in events.values():
        total += n
    return total
