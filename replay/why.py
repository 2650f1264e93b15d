"""Why a miner has its weight: from the row down to the raw answers."""

import msgspec
from msgspec import Struct

from quasar.errors import CannotJudge, Damaged, UsageError
from quasar.events import (
    AnswerAbandoned,
    AnswerNotScored,
    AnswerReceived,
    AnswerScored,
    BlockObserved,
    LogOpened,
    MeanReward,
    MetagraphObserved,
    Neuron,
    PolicyAdopted,
    RoundOpened,
    RoundRevealed,
    RoundScored,
    RunStarted,
    TaskAssigned,
    Weight,
    WeightsComputed,
    WeightsDeferred,
)
from quasar.events.blobs import Blobs
from quasar.events.merkle import Tree
from quasar.log import Log
from quasar.log.archive_reader import ArchiveLog
from quasar.replay.archive import ArchiveCheck
from quasar.replay.audit import up_to
from quasar.replay.structure import StructureCheck
from quasar.replay.versions import advised, check_versions
from quasar.rules.carried import inherited
from quasar.rules.machine import Recorded
from quasar.rules.plan import offered, plan_tasks
from quasar.rules.policy import Policy, recorded_policy
from quasar.rules.secrets import round_seed


class ScoredAnswer(Struct, frozen=True, kw_only=True):
    """One assignment, with the events that tell of it."""

    task: int
    bucket: str
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
    assigned_seq: int
    outcome_seq: int
    score_seq: int


class RoundEarned(Struct, frozen=True, kw_only=True):
    """One round's mean, and the EMA after it."""

    round: int
    seq: int
    scored: int
    not_scored: int
    mean: float | None
    ema: float | None
    answers: list[ScoredAnswer]


class Why(Struct, kw_only=True):
    """The way from a weight to the answers."""

    hotkey: str
    weight: Weight | None
    weight_seq: int
    epoch: int | None
    block: int | None
    highest: float | None
    """The row's highest score, which gets 65535."""
    deferred: str | None
    """Why the newest epoch has no row, if it has none."""
    alpha: float
    minimum_samples: int
    rounds: list[RoundEarned]
    score_proof: list[str]
    """Inclusion proof of the newest score event: hashes from the leaf up, hex."""
    score_index: int
    root: str
    size: int


async def why(log: Log, hotkey: str, block: int | None = None) -> Why:
    """Explain a hotkey's weight, at the newest row or at the newest row up to ``block``.

    The bytes are verified on the way as an audit does it: lines, tiles, blobs and checkpoints.
    Decisions are not recomputed. Raises UsageError for a hotkey that this log never sampled, and
    Damaged for bytes that do not verify or events that do not follow from one another, and
    CannotJudge where versions are missing.
    """
    try:
        return await _why(log, hotkey, block)
    except CannotJudge as missing:
        raise await advised(log, missing) from None


async def _why(log: Log, hotkey: str, block: int | None) -> Why:
    structure = StructureCheck(log.blobs)
    archive = ArchiveCheck(log, structure) if isinstance(log, ArchiveLog) else None
    fold = _Fold(hotkey, block)
    async for seq, line in up_to(log, await log.head()):
        seen = structure.feed(seq, line, archive.next_hash(seq) if archive else None)
        check_versions(seen, log.blobs)
        try:
            fold.feed(seen, log)
        except (LookupError, AssertionError, ValueError):
            raise Damaged(seq, "cannot be explained; run `quasar audit` on this log") from None
    if archive:
        archive.finish()
    return fold.explain(structure.tree)


def _carried_score(opened: LogOpened, blobs: Blobs, hotkey: str) -> float | None:
    """The EMA that a hotkey brings along from the volume before."""
    carried = inherited(opened, blobs)
    standings = carried.standings if carried else []
    return next((s.score for s in standings if s.hotkey == hotkey), None)


class _Fold:
    def __init__(self, hotkey: str, block: int | None) -> None:
        self._hotkey = hotkey
        self._block = block
        self._policy: Policy | None = None
        self._policies: dict[str, Policy] = {}
        self._sandbox: str | None = None
        self._opened: dict[int, RoundOpened] = {}
        self._played: dict[int, Policy] = {}
        """By round: its policy, as far as it was offered."""
        self._beacons: dict[int, str] = {}
        self._expected: dict[tuple[int, int], str] = {}
        self._assigned: dict[tuple[int, int], tuple[int, TaskAssigned]] = {}
        self._outcomes: dict[tuple[int, int], tuple[int, str]] = {}
        self._answers: dict[int, list[ScoredAnswer]] = {}
        self._rounds: list[RoundEarned] = []
        self._ema: float | None = None
        self._row: tuple[int, WeightsComputed] | None = None
        self._row_rounds = 0
        self._deferred: str | None = None
        self._hotkeys: set[str] = set()
        self._now = 0
        """The newest block."""

    def feed(self, seen: Recorded, log: Log) -> None:
        match seen.event:
            case LogOpened() as opened:
                self._ema = _carried_score(opened, log.blobs, self._hotkey)
            case PolicyAdopted(toml=toml):
                self._policy = recorded_policy(log.blobs.get(toml))
                self._policies[toml.sha256] = self._policy
            case RunStarted(sandbox=sandbox):
                self._sandbox = sandbox
            case RoundOpened(round=number, policy=digest) as round_opened:
                self._opened[number] = round_opened
                self._played[number] = offered(self._policies[digest], self._sandbox)
            case BlockObserved(number=number, hash=block_hash):
                self._beacons[number] = block_hash
                self._now = number
            case RoundRevealed() as revealed:
                self._reveal(revealed)
            case MetagraphObserved(neurons=neurons):
                listed = msgspec.json.decode(log.blobs.get(neurons), type=list[Neuron])
                if self._hotkey not in {n.hotkey for n in listed}:
                    self._ema = None  # whoever leaves the subnet starts empty
            case TaskAssigned() as assigned:
                self._hotkeys.add(assigned.hotkey)
                if assigned.hotkey == self._hotkey:
                    self._assigned[(assigned.round, assigned.task)] = (seen.seq, assigned)
            case AnswerReceived(hotkey=self._hotkey) as received:
                raw = received.text.encode() if received.text is not None else b""
                data = log.blobs.get(received.blob) if received.blob else raw
                text = data[:4096].decode("utf-8", "replace")
                self._outcomes[(received.round, received.task)] = (seen.seq, text)
            case AnswerAbandoned(hotkey=self._hotkey) as abandoned:
                failed = f"{abandoned.evidence.stage}: {abandoned.evidence.code}"
                self._outcomes[(abandoned.round, abandoned.task)] = (seen.seq, failed)
            case AnswerScored(hotkey=self._hotkey) | AnswerNotScored(hotkey=self._hotkey) as score:
                self._score(seen.seq, score)
            case RoundScored() as scored if self._block is None or self._now <= self._block:
                for reward in scored.rewards:
                    if reward.hotkey == self._hotkey:
                        self._close(seen.seq, scored.round, reward)
            case WeightsComputed() as row if self._block is None or row.block <= self._block:
                self._row, self._row_rounds = (seen.seq, row), len(self._rounds)
                self._deferred = None
            case WeightsDeferred(reason=reason, block=at):
                if self._block is None or at <= self._block:
                    self._deferred = reason

    def _reveal(self, revealed: RoundRevealed) -> None:
        opened = self._opened.get(revealed.round)
        if opened is None or self._hotkey not in opened.participants:
            return
        beacon = self._beacons[opened.beacon_block]
        seed = round_seed(bytes.fromhex(revealed.secret), beacon)
        for task in plan_tasks(seed, self._played[opened.round]):
            answer = task.variant(self._hotkey).instance.answer
            self._expected[(revealed.round, task.task)] = answer

    def _score(self, seq: int, score: AnswerScored | AnswerNotScored) -> None:
        key = (score.round, score.task)
        assigned_seq, assigned = self._assigned[key]
        outcome_seq, text = self._outcomes[key]
        assert self._policy is not None
        self._answers.setdefault(score.round, []).append(
            ScoredAnswer(
                task=score.task,
                bucket=score.bucket,
                question="\n".join(part.text for part in assigned.question),
                answer=text,
                expected=self._expected[key],
                accuracy=score.accuracy if isinstance(score, AnswerScored) else None,
                multiplier=self._policy.bucket(score.bucket).multiplier,
                reward=score.reward if isinstance(score, AnswerScored) else None,
                failure=score.failure,
                assigned_seq=assigned_seq,
                outcome_seq=outcome_seq,
                score_seq=seq,
            )
        )

    def _close(self, seq: int, number: int, reward: MeanReward) -> None:
        assert self._policy is not None
        scoring = self._policy.scoring
        if reward.mean is not None:
            before = scoring.ema_start if self._ema is None else self._ema
            self._ema = scoring.ema_alpha * reward.mean + (1.0 - scoring.ema_alpha) * before
        self._rounds.append(
            RoundEarned(
                round=number,
                seq=seq,
                scored=reward.scored,
                not_scored=reward.not_scored,
                mean=reward.mean,
                ema=self._ema,
                answers=self._answers.pop(number, []),
            )
        )

    def explain(self, tree: Tree) -> Why:
        if self._hotkey not in self._hotkeys or self._policy is None:
            known = ", ".join(sorted(self._hotkeys)[:8]) or "none"
            raise UsageError(f"this log never sampled {self._hotkey}; it knows {known}")
        seq, row = self._row or (0, None)
        weights = row.weights if row else []
        rounds = self._rounds[: self._row_rounds] if row else self._rounds
        scores = [a.score_seq for r in rounds for a in r.answers if a.reward is not None]
        index = max(scores, default=1) - 1
        return Why(
            hotkey=self._hotkey,
            weight=next((w for w in weights if w.hotkey == self._hotkey), None),
            weight_seq=seq,
            epoch=row.epoch if row else None,
            block=row.block if row else None,
            highest=max((w.score for w in weights), default=None),
            deferred=self._deferred,
            alpha=self._policy.scoring.ema_alpha,
            minimum_samples=self._policy.scoring.minimum_samples,
            rounds=rounds,
            score_proof=[h.hex() for h in tree.inclusion(index, tree.size)],
            score_index=index,
            root=tree.root().hex(),
            size=tree.size,
        )
