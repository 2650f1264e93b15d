"""From the step of an EMA to the round that made it: its mean, recomputed from its scores."""

from itertools import islice

import msgspec

from quasar.events import (
    AnswerNotScored,
    AnswerScored,
    BlockObserved,
    MixDrawn,
    RoundOpened,
    RoundRevealed,
)
from quasar.replay.why_answers import Answers, Score
from quasar.replay.why_found import RoundEarned
from quasar.replay.why_reading import Reading, explaining, unexplained
from quasar.rules.mixing import played
from quasar.rules.plan import offered
from quasar.rules.policy import Policy
from quasar.rules.rewards import MEANS, Earned
from quasar.rules.secrets import round_seed


async def look_into(reading: Reading, earned: RoundEarned, limit: int | None) -> RoundEarned:
    """The round with its answers, at most so many, and everything that follows compared."""
    index, seq = reading.log.index, earned.seq
    events = index.answers(reading.hotkey, earned.round)
    opened = await reading.event(earned.opened_seq, RoundOpened, seq)
    policy = await reading.policy_of(opened.policy, earned.opened_seq)
    policy = offered(policy, await reading.sandbox_at(earned.opened_seq))
    shown = dict(islice(events.items(), limit))
    counted = [told["score"] for told in events.values() if "score" in told]
    await reading.ahead([*counted, *(seq for told in shown.values() for seq in told.values())])
    scores = {
        task: await _score(reading, seq, task, earned.round, told) for task, told in events.items()
    }
    _compare_mean(reading, earned, policy, list(scores.values()))
    beacon, seed = await _seed(reading, earned, opened, shown)
    if policy.sampling is not None:
        policy = played(policy, await _mix(reading, earned, beacon))
    looking = Answers(reading, policy, seed, earned.round)
    answers = [await looking.at(told, scores[task]) for task, told in shown.items()]
    return msgspec.structs.replace(
        earned,
        rule=policy.scoring.reward,
        beacon_seq=beacon,
        answers=answers,
        more=len(events) - len(answers),
    )


async def _score(reading: Reading, why: int, task: int, number: int, told: dict[str, int]) -> Score:
    score = (await reading.recorded(told["score"])).event if "score" in told else None
    wanted = (number, task, reading.hotkey)
    if not isinstance(score, AnswerScored | AnswerNotScored):
        raise unexplained(why, f"there is no score of task {task}")
    if (score.round, score.task, score.hotkey) != wanted:
        raise unexplained(told["score"], "it stands in another score's slot")
    return score


def _compare_mean(
    reading: Reading, earned: RoundEarned, policy: Policy, scores: list[Score]
) -> None:
    counted = [s for s in scores if isinstance(s, AnswerScored)]
    values = [Earned(s.accuracy, s.multiplier) for s in counted]
    with explaining(earned.seq):
        mean = MEANS[policy.scoring.reward](values) if values else None
    reading.compare(earned.seq, "answers that count", earned.scored, len(counted))
    reading.compare(earned.seq, "answers left out", earned.not_scored, len(scores) - len(counted))
    reading.compare(earned.seq, "mean reward", earned.mean, mean)


async def _seed(
    reading: Reading, earned: RoundEarned, opened: RoundOpened, events: dict[int, dict[str, int]]
) -> tuple[int, bytes]:
    """The block that the assignments were drawn at, and the seed that it gave with the secret."""
    revealed = await reading.event(earned.revealed_seq, RoundRevealed, earned.seq)
    assigned = next((told["assign"] for told in events.values() if "assign" in told), None)
    if assigned is None:
        raise unexplained(earned.seq, "no task of it was assigned to this miner")
    beacon = (await reading.recorded(assigned)).envelope.cause
    block = await reading.event(beacon, BlockObserved, assigned)
    if block.number != opened.beacon_block:
        raise unexplained(assigned, "it was drawn at another block than its round said")
    return beacon, round_seed(bytes.fromhex(revealed.secret), block.hash)


async def _mix(reading: Reading, earned: RoundEarned, beacon: int) -> MixDrawn:
    """The tasks that were drawn at the beacon: their event follows it, before any assignment."""
    for seq in range(beacon + 1, earned.seq):
        found = (await reading.log.recorded(seq)).event
        if isinstance(found, MixDrawn) and found.round == earned.round:
            return await reading.event(seq, MixDrawn, earned.seq)
    raise unexplained(earned.seq, "no mix was drawn for it")
