"""A whole validator without I/O: real rules, real signatures, a memory log, scripted chain."""

import hashlib
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

import msgspec

from quasar.benchmarks import packs
from quasar.chain.keys import hotkey_from_seed, log_key_from_seed
from quasar.config import load_policy
from quasar.events import (
    AnswerAbandoned,
    AnswerReceived,
    AnyEvent,
    BlockObserved,
    CheckpointSigned,
    Evidence,
    LogClosed,
    LogClosing,
    LogOpened,
    MetagraphObserved,
    Neuron,
    PolicyAdopted,
    RunStarted,
    TaskAccepted,
    WeightsComputed,
    WeightsConfirmed,
    WeightsIntended,
    WeightsSubmitted,
    WeightsVerified,
)
from quasar.events.blobs import Blobs
from quasar.events.envelope import Draft, decode, encode
from quasar.events.log import PreviousVolume
from quasar.events.merkle import Tree, leaf_hash
from quasar.events.note import Checkpoint, parse_checkpoint, sign_checkpoint
from quasar.events.receipt import (
    Acceptance,
    Receipt,
    Refusal,
    SignedCheckpoint,
    digest,
    request_body,
    statement_bytes,
)
from quasar.events.signing import Signer, log_id_of, log_key_statement, origin_of
from quasar.events.task import TaskAssigned, TaskSampled
from quasar.log import Stored
from quasar.log.memory import MemoryLog
from quasar.rules import closing, delivery, observing
from quasar.rules.carried import Carried, encode_carried
from quasar.rules.machine import Recorded, Rule
from quasar.rules.plan import PlannedTask, plan_tasks
from quasar.rules.policy import parse
from quasar.rules.sampling import SamplingRule
from quasar.rules.scoring import ScoringRule
from quasar.rules.secrets import SecretChain, round_seed
from quasar.rules.sources import adopted_source, sources_of
from quasar.rules.weights import WeightRule

SEED = hashlib.sha256(b"tests").digest()
START_NS = 1_760_000_000_000_000_000
BLOCK_NS = 12_000_000_000
EVERY = 75
BEACON_DELAY = 3


def small_policy(**changes: str) -> bytes:
    """readme-v1 with contexts of a few thousand tokens. ``changes`` replace text of the file."""
    toml = load_policy("readme-v1").decode()
    for big, small in (
        ("32_000\n", "1_000\n"),
        ("124_000\n", "2_000\n"),
        ("512_000\n", "3_000\n"),
        ("1_500_000\n", "4_000\n"),
        ("2_000_000\n", "5_000\n"),
    ):
        toml = toml.replace(f"tokens = {big}", f"tokens = {small}")
    for old, new in changes.items():
        toml = toml.replace(old, new)
    return toml.encode()


class Play:
    """A deciding actor, driven by hand."""

    def __init__(self, rule: Rule[Any], blobs: Blobs) -> None:
        self.rule = rule
        self.blobs = blobs
        self.state = rule.initial()
        self.seq = 0

    def step(self, seq: int, line: bytes) -> list[Draft]:
        """What the actor appends after this event."""
        seen = Recorded(seq, line)
        self.seq = seq
        if type(seen.event) not in self.rule.subscribes:
            return []
        events = list(self.rule.decide(self.state, seen, self.blobs))
        self.state = self.rule.evolve(self.state, seen, self.blobs)
        return [Draft(actor=self.rule.actor, cause=seq, event=e) for e in events]


class World:
    """A validator, its miners and its chain, in virtual time."""

    def __init__(
        self,
        miners: int = 3,
        policy: bytes | None = None,
        rounds: int | None = None,
        sandbox: str | None = None,
        before: "World | None" = None,
        validator: str = "validator",
    ):
        """``before``: the closed world of the volume that this one goes on from.

        ``validator``: others play the same blocks with the same miners, under their own secrets.
        """
        self.before = before
        self.volume: int = before.volume + 1 if before else 1
        self.now = START_NS
        self.log = MemoryLog(clock=lambda: self.now)
        self.hotkey: Signer = hotkey_from_seed(SEED, validator)
        self.log_key: Signer = log_key_from_seed(SEED)
        self.miners: dict[str, Signer] = {}
        for i in range(miners):
            key = hotkey_from_seed(SEED, f"miner/{i}")
            self.miners[key.ss58_address] = key
        self.policy = small_policy() if policy is None else policy
        self.rounds = rounds
        self.sandbox = sandbox
        self.genesis = self.block_hash(0)
        self.log_id = log_id_of(self.genesis, 24, self.hotkey.ss58_address, 1)
        self.origin = origin_of(24, self.hotkey.ss58_address, self.log_id, self.volume)
        self.carried = before.handed_on() if before else None
        base = self.carried.round if self.carried else 0
        self.secrets = SecretChain(SEED, self.log_id, self.volume, base)
        self.players = [
            Play(SamplingRule(self.secrets), self.log.blobs),
            Play(ScoringRule(), self.log.blobs),
            Play(WeightRule(), self.log.blobs),
        ]
        self.receipts: dict[str, str] = dict(before.receipts) if before else {}
        """Hotkey to the digest of its last receipt."""

    @staticmethod
    def block_hash(number: int) -> str:
        return "0x" + hashlib.sha256(f"block {number}".encode()).hexdigest()

    async def append(self, actor: str, *events: AnyEvent, cause: int = 0) -> list[Stored]:
        """Facts, as an actor writes them."""
        return await self.log.append([Draft(actor=actor, cause=cause, event=e) for e in events])

    async def open(self) -> None:
        """The first three events."""
        key = self.log_key.public_key.hex()
        statement = log_key_statement(self.origin, self.genesis, key)
        await self.append(
            "supervisor",
            LogOpened(
                log_id=self.log_id,
                log_number=1,
                volume=self.volume,
                netuid=24,
                genesis=self.genesis,
                hotkey=self.hotkey.ss58_address,
                log_key=key,
                log_key_signature=self.hotkey.sign(statement).hex(),
                secrets_tip=self.secrets.tip,
                previous=self._previous(),
            ),
        )
        await self.append(
            "supervisor",
            RunStarted(
                run=self.volume,
                mode="simulation",
                freshness="none",
                rounds=self.rounds,
                versions={},
                digests={},
                sandbox=self.sandbox,
            ),
        )
        for source in sources_of(parse(self.policy)):
            adopted = adopted_source(packs.installed(source), self.log.blobs)
            await self.append("supervisor", adopted)
        blob = self.log.blobs.put(self.policy)
        name = parse(self.policy).name
        await self.append("supervisor", PolicyAdopted(number=self.volume, name=name, toml=blob))

    def _previous(self) -> PreviousVolume | None:
        if self.before is None or self.carried is None:
            return None
        state = self.log.blobs.put(encode_carried(self.carried))
        return PreviousVolume(checkpoint=self.before.seal(), state=state)

    def handed_on(self) -> Carried:
        """What the next volume starts from."""
        state = closing.ClosingState()
        for seq, line in enumerate(self.log._lines, 1):
            state = closing.evolve(state, Recorded(seq, line), self.log.blobs)
        return closing.carried_from(state)

    def seal(self) -> str:
        """A signed note over everything so far."""
        tree = Tree(leaf_hash(line) for line in self.log._lines)
        return sign_checkpoint(Checkpoint(self.origin, tree.size, tree.root()), self.log_key)

    async def close(self) -> None:
        """Supervisor closes a volume that has come to rest."""
        await self.append("supervisor", LogClosing(reason="long enough"))
        await self.settle()
        await self.append("supervisor", LogClosed(events=await self.log.head()))

    async def set_row(self, epoch: int) -> None:
        """WeightSetter brings a computed row on chain at the first try."""
        block = 1000 * epoch
        row = next(e.slot for e in self.events(WeightsComputed) if e.epoch == epoch)
        cause = 1 + [e.slot for e in self.events()].index(row)
        intended = WeightsIntended(epoch=epoch, attempt=0, block=block)
        await self.append("weight-setter", intended, cause=cause)
        await self.checkpoint()
        name, seen = self.block_hash(-epoch), self.block_hash(block + 1)
        await self.append(
            "weight-setter",
            WeightsSubmitted(epoch=epoch, attempt=0, extrinsic=name),
            WeightsConfirmed(epoch=epoch, attempt=0, block=block + 1, block_hash=seen),
            WeightsVerified(epoch=epoch, attempt=0, block=block + 2, equal=True),
            cause=cause,
        )

    async def block(
        self, number: int, *, epoch: int = 0, metagraph: bool = False, head: int | None = None
    ) -> None:
        """ChainObserver records a block; the deciding actors react."""
        self.now = max(self.now, START_NS + number * BLOCK_NS)
        events: list[AnyEvent] = []
        if metagraph:
            neurons = [Neuron(uid=0, hotkey=self.hotkey.ss58_address, endpoint=None)]
            neurons += [
                Neuron(uid=i + 1, hotkey=hotkey, endpoint=f"127.0.0.1:{8000 + i}")
                for i, hotkey in enumerate(self.miners)
            ]
            blob = self.log.blobs.put(msgspec.json.encode(neurons))
            observed = self.block_hash(number)
            events.append(MetagraphObserved(number=number, hash=observed, neurons=blob))
        events.append(
            BlockObserved(
                number=number,
                hash=self.block_hash(number),
                timestamp_ms=(START_NS + number * BLOCK_NS) // 1_000_000,
                epoch=epoch,
                head=number if head is None else head,
            )
        )
        await self.append(observing.ACTOR, *events)
        await self.settle()

    async def settle(self) -> None:
        """Let the deciding actors run until nothing new comes."""
        moved = True
        while moved:
            moved = False
            for player in self.players:
                while player.seq < await self.log.head():
                    moved = True
                    drafts = player.step(player.seq + 1, self.line(player.seq + 1))
                    for start in range(0, len(drafts), 1000):
                        await self.log.append(drafts[start : start + 1000])

    def line(self, seq: int) -> bytes:
        """A stored line."""
        return self.log._lines[seq - 1]

    @property
    def lines(self) -> list[bytes]:
        return list(self.log._lines)

    def events(self, kind: type[Any] | None = None) -> list[Any]:
        """All events, or those of a type."""
        events = [decode(line).event for line in self.log._lines]
        return [e for e in events if kind is None or isinstance(e, kind)]

    async def start_round(self, number: int) -> None:
        """Blocks that open round ``number`` and seed it."""
        if not self.log._lines:
            await self.open()
            await self.block((number - 1) * EVERY, epoch=number - 1, metagraph=True)
        await self.block(number * EVERY, epoch=number, metagraph=True)
        await self.block(number * EVERY + BEACON_DELAY, epoch=number)

    def open_deliveries(self) -> list[delivery.Delivery]:
        """What MinerProxy still has to do."""
        state = delivery.DeliveryState()
        for seq, line in enumerate(self.log._lines, 1):
            seen = Recorded(seq, line)
            if type(seen.event) in delivery.SUBSCRIBES:
                state = delivery.evolve(state, seen, self.log.blobs)
        return sorted(state.open.values(), key=lambda d: d.cause)

    def planned(self, round_: int, task: int) -> PlannedTask:
        """A task of a round that runs under the world's policy as it is."""
        beacon = self.block_hash(round_ * EVERY + BEACON_DELAY)
        seed = round_seed(self.secrets.secret(round_), beacon)
        return list(plan_tasks(seed, parse(self.policy)))[task]

    def right_answer(self, round_: int, task: int, hotkey: str) -> bytes:
        """What the task's generator expects of this miner."""
        instance = self.planned(round_, task).variant(hotkey).instance
        return f"ANSWER: {instance.answer}".encode()

    def acceptance(self, d: delivery.Delivery) -> TaskAccepted:
        """The miner's signed acceptance."""
        statement = Acceptance(**_named(d))
        signature = self.miners[d.key[2]].sign(statement_bytes(statement)).hex()
        return TaskAccepted(acceptance=statement, signature=signature)

    def received(
        self,
        d: delivery.Delivery,
        answer: bytes,
        elapsed_ms: int = 50,
        checkpoint: SignedCheckpoint | None = None,
    ) -> AnswerReceived:
        """The miner's answer under its receipt."""
        hotkey = d.key[2]
        receipt = Receipt(
            **_named(d),
            answer=hashlib.sha256(answer).hexdigest(),
            checkpoint=checkpoint,
            block=None,
            previous=self.receipts.get(hotkey),
            unacknowledged=[],
        )
        self.receipts[hotkey] = digest(receipt)
        long = len(answer) > 4096
        return AnswerReceived(
            round=d.key[0],
            task=d.key[1],
            hotkey=hotkey,
            text=None if long else answer.decode(),
            blob=self.log.blobs.put(answer) if long else None,
            receipt=receipt,
            signature=self.miners[hotkey].sign(statement_bytes(receipt)).hex(),
            elapsed_ms=elapsed_ms,
            deadline_ms=d.request.deadline_ms,
        )

    def abandoned(
        self, d: delivery.Delivery, stage: Any = "connect", code: str = "refused"
    ) -> AnswerAbandoned:
        """No answer."""
        return AnswerAbandoned(
            round=d.key[0],
            task=d.key[1],
            hotkey=d.key[2],
            attempts=4,
            evidence=Evidence(stage=stage, code=code, bytes=0, elapsed_ms=1),
            refusal=None,
            signature=None,
        )

    def refused(self, d: delivery.Delivery) -> AnswerAbandoned:
        """A signed refusal."""
        refusal = Refusal(**_named(d), reason="busy")
        signature = self.miners[d.key[2]].sign(statement_bytes(refusal)).hex()
        return msgspec.structs.replace(
            self.abandoned(d, "accept", "refusal"), refusal=refusal, signature=signature
        )

    async def deliver(self, d: delivery.Delivery, *events: AnyEvent) -> None:
        """MinerProxy records what came back."""
        for event in events:
            await self.append(delivery.ACTOR, event, cause=d.cause)

    async def play_round(
        self, number: int, answer: Callable[["World", delivery.Delivery], bytes] | None = None
    ) -> None:
        """A whole round in which everyone answers; by default the first miner is right."""
        await self.start_round(number)
        for d in self.open_deliveries():
            data = (answer or first_is_right)(self, d)
            await self.deliver(d, self.acceptance(d), self.received(d, data))
        await self.settle()

    async def checkpoint(self) -> None:
        """Checkpointer signs everything so far."""
        note = self.seal()
        size, root = parse_checkpoint(note).size, parse_checkpoint(note).root.hex()
        event = CheckpointSigned(size=size, root=root, note=note)
        await self.append("checkpointer", event, cause=size)


def _named(d: delivery.Delivery) -> dict[str, Any]:
    r = d.request
    return {
        "log_id": r.log_id,
        "round": r.round,
        "task": r.task,
        "hotkey": r.hotkey,
        "n": r.n,
        "request": hashlib.sha256(request_body(r)).hexdigest(),
    }


def first_is_right(world: World, d: delivery.Delivery) -> bytes:
    """The first miner always knows; the others say 1."""
    if d.key[2] == next(iter(world.miners)):
        return world.right_answer(*d.key)
    return b"ANSWER: 1"


class LineLog:
    """A log of given lines, for forgeries. Reading ends with the last."""

    def __init__(self, lines: Sequence[bytes], blobs: Blobs) -> None:
        self.lines = list(lines)
        self.blobs = blobs

    async def append(self, step: Sequence[Draft]) -> list[Stored]:
        raise TypeError("read only")

    async def read(self, after: int = 0) -> AsyncGenerator[tuple[int, bytes], None]:
        for seq in range(after + 1, len(self.lines) + 1):
            yield seq, self.lines[seq - 1]

    async def head(self) -> int:
        return len(self.lines)


def edited(line: bytes, **changes: Any) -> bytes:
    """The line with fields of its event changed, encoded as a log would."""
    envelope = decode(line)
    event = msgspec.structs.replace(envelope.event, **changes)
    draft = Draft(actor=envelope.actor, cause=envelope.cause, event=event)
    return encode(draft, envelope.at)


__all__ = ["LineLog", "Play", "TaskAssigned", "TaskSampled", "World", "edited", "small_policy"]
