"""Whose failure it was: every branch of the rule."""

from itertools import product

import anyio
import msgspec
import pytest

from quasar.events import AnswerAbandoned, AnswerReceived, Evidence, Fault
from quasar.events.answer import Stage
from quasar.rules.faults import VALIDATOR_CODES, judge
from tests.builders import World
from tests.forging import few_tasks, played

RECEIVED: AnswerReceived = played().events(AnswerReceived)[0]
ABANDONED: AnswerAbandoned = next(e for e in played().events(AnswerAbandoned) if e.refusal is None)
REFUSED: AnswerAbandoned = next(
    e for e in played().events(AnswerAbandoned) if e.refusal is not None
)

BOTH = list(product([True, False], repeat=2))


def failed(stage: Stage, code: str = "timeout") -> AnswerAbandoned:
    evidence = Evidence(stage=stage, code=code, bytes=0, elapsed_ms=1)
    return msgspec.structs.replace(ABANDONED, evidence=evidence)


@pytest.mark.parametrize(
    ("elapsed", "failure", "owner"),
    [(0, None, None), (99, None, None), (100, None, None), (101, "late", Fault.MINER)],
)
def test_late_is_after_the_deadline(elapsed: int, failure: str | None, owner: Fault | None) -> None:
    """An answer at the very deadline is in time."""
    outcome = msgspec.structs.replace(RECEIVED, elapsed_ms=elapsed, deadline_ms=100)
    for reached in (True, False):
        verdict = judge(outcome, accepted=True, reached_enough=reached)
        assert verdict.scored
        assert verdict == (failure, owner, False)


@pytest.mark.parametrize(("accepted", "reached"), BOTH)
def test_a_signed_refusal_is_the_miners(accepted: bool, reached: bool) -> None:
    """Whatever else was seen, the miner's own word counts."""
    verdict = judge(REFUSED, accepted=accepted, reached_enough=reached)
    assert verdict == ("refused", Fault.MINER, False)


@pytest.mark.parametrize("code", sorted(VALIDATOR_CODES))
@pytest.mark.parametrize(("accepted", "reached"), BOTH)
def test_the_validators_own_trouble_is_never_the_miners(
    code: str, accepted: bool, reached: bool
) -> None:
    """A validator that names its own failure leaves the answer out."""
    verdict = judge(failed("answer", code), accepted=accepted, reached_enough=reached)
    assert not verdict.scored
    assert verdict == (code, Fault.VALIDATOR, False)


TABLE: list[tuple[Stage, bool, bool, tuple[str, Fault, bool]]] = [
    ("connect", True, True, ("silent", Fault.MINER, False)),
    ("connect", True, False, ("silent", Fault.MINER, False)),
    ("connect", False, True, ("unreachable", Fault.MINER, True)),
    ("connect", False, False, ("unreachable", Fault.NETWORK, False)),
    ("upload", True, True, ("silent", Fault.MINER, False)),
    ("upload", False, True, ("upload", Fault.NETWORK, False)),
    ("upload", False, False, ("upload", Fault.NETWORK, False)),
    ("accept", False, True, ("unreachable", Fault.MINER, True)),
    ("accept", False, False, ("unreachable", Fault.NETWORK, False)),
    ("answer", True, True, ("silent", Fault.MINER, False)),
    ("answer", True, False, ("silent", Fault.MINER, False)),
    ("verify", True, True, ("silent", Fault.MINER, False)),
    ("verify", False, True, ("unreachable", Fault.MINER, True)),
]


@pytest.mark.parametrize(("stage", "accepted", "reached", "verdict"), TABLE)
def test_the_table_of_failures(
    stage: Stage, accepted: bool, reached: bool, verdict: tuple[str, Fault, bool]
) -> None:
    """By how far it came, whether the miner accepted, and how many others were reached."""
    found = judge(failed(stage), accepted=accepted, reached_enough=reached)
    assert found.scored == (verdict[1] is Fault.MINER)
    assert found == verdict


@pytest.mark.parametrize(("reached", "fault"), [(1, None), (0, Fault.NETWORK)])
def test_half_of_the_round_is_enough(reached: int, fault: Fault | None) -> None:
    """With one of two miners reached the other is unreachable; with none, the network is."""
    world = World(miners=2, policy=few_tasks())

    async def play() -> None:
        await world.start_round(1)
        for d in world.open_deliveries():
            if d.key[2] in list(world.miners)[:reached]:
                answer = world.received(d, b"ANSWER: 1")
                await world.deliver(d, world.acceptance(d), answer)
            else:
                await world.deliver(d, world.abandoned(d))
        await world.settle()

    anyio.run(play)
    names = [type(e).__name__ for e in world.events()]
    assert names.count("AnswerNotScored") == (0 if fault is None else 6)
    assert names.count("AnswerScored") == (6 if fault is None else 0)
