"""MinerProxy at a door that the test opens and shuts."""

from collections import Counter, defaultdict
from collections.abc import Collection
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

import quasar.actors.miner_proxy
from quasar.actors.miner_proxy import MinerProxy
from quasar.door.desk import Answer
from quasar.door.failure import DoorError
from quasar.door.outbox import Outbox
from quasar.door.packing import Packed
from quasar.events import (
    AnswerAbandoned,
    AnswerReceived,
    DeliveryTried,
    Evidence,
    Fault,
    TaskAccepted,
)
from quasar.events.answer import Stage
from quasar.events.proof import verify_proof
from quasar.events.receipt import (
    Acceptance,
    QuotedBlock,
    Refusal,
    SignedCheckpoint,
    TaskRequest,
    statement_bytes,
)
from quasar.events.signing import verify_hotkey
from quasar.log.work import MemoryWork
from quasar.rules.delivery import Delivery
from quasar.rules.faults import judge
from quasar.rules.policy import parse
from tests.builders import World, small_policy
from tests.unit.acting import acting, count, until

pytestmark = pytest.mark.anyio

IMPATIENT = small_policy(
    **{
        "base_ms = 30_000": "base_ms = 1",
        "linear_ms = 200": "linear_ms = 0",
        "square_us = 60": "square_us = 0",
        "grace_ms = 20_000": "grace_ms = 1",
        "attempt_ms = 180_000": "attempt_ms = 1",
    }
)
TASKS = 9


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quasar.actors.miner_proxy, "RETRY_S", 0.001)


class FullOutbox(Outbox):
    """Has every context."""

    def __init__(self) -> None:
        super().__init__(Path("nowhere"))

    def get(self, number: int, sha256: str) -> Packed:
        return Packed(Path(sha256), sha256, 1)


def failure(stage: Stage, code: str) -> DoorError:
    return DoorError(Evidence(stage=stage, code=code, bytes=0, elapsed_ms=1), "as scripted")


class FakeDoor:
    """Does what honest miners do, but for the failures that a test puts in."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.deliveries: Counter[tuple[int, str]] = Counter()
        self.failures: dict[tuple[int, str], list[DoorError]] = defaultdict(list)
        """By task and hotkey, one for each of the first attempts."""
        self.silent: set[str] = set()
        self.refusing: set[str] = set()
        self.hold = anyio.Event()
        self.hold.set()
        self.held: dict[str, int] = {}
        """Hotkey to the task that it has been given and not answered."""
        self.most_at_once = 0
        self.proofs: list[tuple[str, str, str]] = []

    async def deliver(
        self,
        endpoint: str,
        request: TaskRequest,
        context: Packed,
        checkpoint: SignedCheckpoint | None,
        block: QuotedBlock | None,
    ) -> tuple[Acceptance | Refusal, str]:
        key = (request.task, request.hotkey)
        self.deliveries[key] += 1
        assert request.hotkey not in self.held, "a second task while one is open"
        if self.failures[key]:
            raise self.failures[key].pop(0)
        if request.hotkey in self.refusing:
            refused = self.world.refused(self._delivery(request))
            assert refused.refusal
            assert refused.signature
            return refused.refusal, refused.signature
        self.held[request.hotkey] = request.task
        self.most_at_once = max(self.most_at_once, len(self.held))
        accepted = self.world.acceptance(self._delivery(request))
        return accepted.acceptance, accepted.signature

    async def fetch_answer(
        self,
        endpoint: str,
        request: TaskRequest,
        quoted: Collection[SignedCheckpoint | None],
        within_s: float,
    ) -> Answer:
        await self.hold.wait()
        assert self.held.pop(request.hotkey, request.task) == request.task
        if request.hotkey in self.silent:
            raise failure("answer", "timeout")
        received = self.world.received(self._delivery(request), b"ANSWER: 1")
        return Answer(b"ANSWER: 1", received.receipt, received.signature)

    async def prove(self, endpoint: str, receiver: str, event: str, proof: str) -> None:
        self.proofs.append((receiver, event, proof))

    def _delivery(self, request: TaskRequest) -> Delivery:
        key = (request.round, request.task, request.hotkey)
        return Delivery(key, 0, request, parse(self.world.policy))


async def started(policy: bytes | None = None) -> tuple[World, FakeDoor]:
    world = World(policy=policy)
    await world.start_round(1)
    return world, FakeDoor(world)


def proxy(
    world: World, door: FakeDoor, outbox: Outbox | None = None, work: MemoryWork | None = None
) -> MinerProxy:
    """One that works alone, unless it shares ``work``."""
    work = work or MemoryWork(world.log, MinerProxy.work_slots)
    return MinerProxy(world.log, door, outbox or FullOutbox(), work)  # type: ignore[arg-type]


def outcomes(number: int) -> Any:
    """Whether so many assignments have ended."""

    def enough(events: list[Any]) -> bool:
        return len([e for e in events if isinstance(e, AnswerReceived | AnswerAbandoned)]) >= number

    return enough


def of(events: list[Any], kind: type[Any], hotkey: str, task: int = 0) -> list[Any]:
    return [e for e in events if isinstance(e, kind) and (e.hotkey, e.task) == (hotkey, task)]


async def test_everyone_is_asked_one_task_at_a_time() -> None:
    """A miner gets its next task after the outcome of the one before; miners do not wait for
    each other."""
    world, door = await started()
    async with acting(proxy(world, door)):
        events = await until(world.log, outcomes(TASKS * 3))
    assert set(door.deliveries.values()) == {1}
    assert door.most_at_once > 1
    assert len([e for e in events if isinstance(e, TaskAccepted)]) == TASKS * 3
    for hotkey in world.miners:
        tasks = [e.task for e in events if isinstance(e, AnswerReceived) and e.hotkey == hotkey]
        assert tasks == list(range(TASKS))


async def test_failed_attempts_are_recorded_and_repeated() -> None:
    """Each failure but the last is a DeliveryTried with its evidence; then comes the answer."""
    world, door = await started()
    hotkey = next(iter(world.miners))
    door.failures[(0, hotkey)] = [failure("connect", "refused"), failure("upload", "cut-short")]
    async with acting(proxy(world, door)):
        events = await until(world.log, outcomes(TASKS * 3))
    tried = of(events, DeliveryTried, hotkey)
    assert [(t.attempt, t.evidence.stage, t.evidence.code) for t in tried] == [
        (1, "connect", "refused"),
        (2, "upload", "cut-short"),
    ]
    assert len(of(events, AnswerReceived, hotkey)) == 1
    assert door.deliveries[(0, hotkey)] == 3


async def test_the_last_failure_ends_the_assignment() -> None:
    """After the policy's attempts comes AnswerAbandoned, and the next task has its turn."""
    world, door = await started()
    hotkey = next(iter(world.miners))
    attempts = parse(world.policy).delivery.attempts
    door.failures[(0, hotkey)] = [failure("connect", "refused")] * attempts
    async with acting(proxy(world, door)):
        events = await until(world.log, outcomes(TASKS * 3))
    (abandoned,) = of(events, AnswerAbandoned, hotkey)
    assert (abandoned.attempts, abandoned.evidence.code) == (attempts, "refused")
    assert len(of(events, DeliveryTried, hotkey)) == attempts - 1
    assert len(of(events, AnswerReceived, hotkey, task=1)) == 1


async def test_a_refusal_is_kept_with_its_signature() -> None:
    """It needs no second attempt, and is the miner's fault."""
    world, door = await started()
    hotkey = next(iter(world.miners))
    door.refusing = {hotkey}
    async with acting(proxy(world, door)):
        events = await until(world.log, outcomes(TASKS * 3))
    (abandoned,) = of(events, AnswerAbandoned, hotkey)
    assert abandoned.attempts == 1
    assert verify_hotkey(hotkey, statement_bytes(abandoned.refusal), abandoned.signature)
    assert judge(abandoned, accepted=False, reached_enough=False).owner is Fault.MINER


async def test_silence_after_acceptance_is_the_miners_fault() -> None:
    """The deadline and its grace run out."""
    world, door = await started(IMPATIENT)
    door.silent = set(world.miners)
    async with acting(proxy(world, door)):
        events = await until(world.log, outcomes(TASKS * 3))
    hotkey = next(iter(world.miners))
    (abandoned,) = of(events, AnswerAbandoned, hotkey)
    assert abandoned.evidence.stage == "answer"
    verdict = judge(abandoned, accepted=True, reached_enough=False)
    assert (verdict.failure, verdict.owner) == ("silent", Fault.MINER)


async def test_a_missing_context_is_our_own_fault(tmp_path: Path) -> None:
    """Nobody is asked, and nobody is scored."""
    world, door = await started(IMPATIENT)
    async with acting(proxy(world, door, Outbox(tmp_path))):
        events = await until(world.log, outcomes(TASKS * 3))
    assert not door.deliveries
    for abandoned in [e for e in events if isinstance(e, AnswerAbandoned)]:
        verdict = judge(abandoned, accepted=False, reached_enough=True)
        assert (verdict.failure, verdict.owner) == ("context-missing", Fault.VALIDATOR)
        assert not verdict.scored


async def test_a_restart_goes_on_counting_attempts() -> None:
    """A proxy that was killed after two attempts makes the third, not the first again."""
    world, door = await started()
    hotkey = next(iter(world.miners))
    door.failures[(0, hotkey)] = [failure("connect", "refused")] * 2
    door.hold = anyio.Event()
    async with acting(proxy(world, door)):
        await until(world.log, count(DeliveryTried, 2))
    door.held.clear()
    door.hold.set()
    door.failures[(0, hotkey)] = [failure("accept", "http-503")]
    async with acting(proxy(world, door)):
        events = await until(world.log, outcomes(TASKS * 3))
    assert [t.attempt for t in of(events, DeliveryTried, hotkey)] == [1, 2, 3]
    assert len(of(events, AnswerReceived, hotkey)) == 1


async def test_a_restart_keeps_the_first_acceptance() -> None:
    """What was accepted and not answered is handed over again; the log keeps one acceptance."""
    world, door = await started()
    door.hold = anyio.Event()
    async with acting(proxy(world, door)):
        before = await until(world.log, count(TaskAccepted, 3))
    first = [e for e in before if isinstance(e, TaskAccepted)]
    door.held.clear()
    door.hold.set()
    async with acting(proxy(world, door)):
        events = await until(world.log, outcomes(TASKS * 3))
    accepted = [e for e in events if isinstance(e, TaskAccepted)]
    assert accepted[:3] == first
    assert len(accepted) == TASKS * 3
    assert {door.deliveries[(0, hotkey)] for hotkey in world.miners} == {2}


async def test_a_sealed_round_is_proved_to_its_miners() -> None:
    """Each outcome goes to its miner with a proof under the newest checkpoint."""
    world, door = await started()
    async with acting(proxy(world, door)):
        await until(world.log, outcomes(TASKS * 3))
        await world.settle()
        await world.checkpoint()
        while len(door.proofs) < TASKS * 3:
            await anyio.lowlevel.checkpoint()
    key = world.log_key.public_key
    for receiver, line, proof in door.proofs:
        assert receiver in line
        verify_proof(proof, line.encode(), world.origin, key)
    assert len({line for _, line, _ in door.proofs}) == TASKS * 3


async def test_two_proxies_share_the_assignments() -> None:
    """Each assignment is handed over once, and a miner has one task at a time, whoever calls it."""
    world, door = await started()
    other = FakeDoor(world)
    other.held = door.held
    work = MemoryWork(world.log, MinerProxy.work_slots)
    async with acting(proxy(world, door, work=work), proxy(world, other, work=work)):
        events = await until(world.log, outcomes(TASKS * 3))
    assert set((door.deliveries + other.deliveries).values()) == {1}
    assert door.deliveries
    assert other.deliveries
    for hotkey in world.miners:
        tasks = [e.task for e in events if isinstance(e, AnswerReceived) and e.hotkey == hotkey]
        assert tasks == list(range(TASKS))


async def test_two_proxies_prove_each_outcome_once() -> None:
    """Who delivered an assignment proves its outcome."""
    world, door = await started()
    work = MemoryWork(world.log, MinerProxy.work_slots)
    async with acting(proxy(world, door, work=work), proxy(world, door, work=work)):
        await until(world.log, outcomes(TASKS * 3))
        await world.settle()
        await world.checkpoint()
        while len(door.proofs) < TASKS * 3:
            await anyio.lowlevel.checkpoint()
        await anyio.wait_all_tasks_blocked()
    assert len({line for _, line, _ in door.proofs}) == len(door.proofs) == TASKS * 3


async def test_a_proxys_work_is_taken_over() -> None:
    """What one had in hand when it stopped, another hands over again and finishes."""
    world, door = await started()
    door.hold = anyio.Event()
    work = MemoryWork(world.log, MinerProxy.work_slots)
    async with acting(proxy(world, door, work=work)):
        await until(world.log, count(TaskAccepted, 3))
    door.held.clear()
    door.hold.set()
    async with acting(proxy(world, door, work=work)):
        events = await until(world.log, outcomes(TASKS * 3))
    assert len([e for e in events if isinstance(e, AnswerReceived)]) == TASKS * 3
    assert {door.deliveries[(0, hotkey)] for hotkey in world.miners} == {2}


async def test_an_accepted_task_is_not_tried_again() -> None:
    """In the run in which a miner accepted, a hand-over that fails later is no attempt: only the
    answer is missing, and an audit takes no other excuse."""
    world, door = await started()
    hotkey = next(iter(world.miners))
    door.hold = anyio.Event()
    async with acting(proxy(world, door)):
        await until(world.log, count(TaskAccepted, 3))
    door.held.clear()
    door.hold.set()
    door.failures[(0, hotkey)] = [failure("connect", "refused")]
    async with acting(proxy(world, door)):
        events = await until(world.log, outcomes(TASKS * 3))
    assert of(events, DeliveryTried, hotkey) == []
    assert len(of(events, AnswerReceived, hotkey)) == 1


async def test_words_of_a_lost_lease_do_no_harm() -> None:
    """A proxy that went on without knowing that its work was another's can stop nobody."""
    world, door = await started()
    async with acting(proxy(world, door)):
        await until(world.log, outcomes(TASKS * 3))
    hotkey = next(iter(world.miners))
    evidence = failure("connect", "refused").evidence
    late = DeliveryTried(round=1, task=0, hotkey=hotkey, attempt=1, evidence=evidence)
    await world.append("miner-proxy", late)
    async with acting(proxy(world, door)):
        await world.settle()
        await world.checkpoint()
        while len(door.proofs) < TASKS * 3:
            await anyio.lowlevel.checkpoint()
