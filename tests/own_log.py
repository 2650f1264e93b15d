"""A miner's own log of a played world."""

import time

from quasar.events import (
    AnswerProduced,
    AnswerReceived,
    RequestAccepted,
    TaskAccepted,
    TaskAssigned,
    TaskSampled,
)
from quasar.events.envelope import Draft
from quasar.events.receipt import build_request
from quasar.log.memory import MemoryLog
from quasar.log.settle import Clock
from tests.builders import World


async def own_log(world: World, hotkey: str, clock: Clock = time.time_ns) -> MemoryLog:
    """What the miner kept of the honest log's requests."""
    log, sampled = MemoryLog(clock=clock), {(e.round, e.task): e for e in world.events(TaskSampled)}
    assigned = {(e.round, e.task): e for e in world.events(TaskAssigned) if e.hotkey == hotkey}
    answered = {(e.round, e.task): e for e in world.events(AnswerReceived) if e.hotkey == hotkey}
    for said in (e for e in world.events(TaskAccepted) if e.acceptance.hotkey == hotkey):
        key = (said.acceptance.round, said.acceptance.task)
        accepted = RequestAccepted(
            validator=world.hotkey.ss58_address,
            request=build_request(world.log_id, sampled[key], assigned[key]),
            checkpoint=None,
            acceptance=said.acceptance,
            signature=said.signature,
        )
        await log.append([Draft(actor="inference", cause=0, event=accepted)])
        if answer := answered.get(key):
            produced = AnswerProduced(
                receipt=answer.receipt,
                signature=answer.signature,
                answer=log.blobs.put((answer.text or "").encode()),
                engine="test",
                elapsed_ms=1,
            )
            await log.append([Draft(actor="inference", cause=0, event=produced)])
    return log
