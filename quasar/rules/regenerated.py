"""Whether the contexts of a round may leave: its revealed secret must make them anew.

A fold over what a round's contexts follow from. One variant of each task is made anew and compared
with what was assigned; the others share its template, and must be there under an assigned name.
"""

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from quasar.draw import Draw
from quasar.events import (
    BlockObserved,
    MixDrawn,
    PolicyAdopted,
    RoundAbandoned,
    RoundOpened,
    RunStarted,
    SourceAdopted,
    TaskAssigned,
)
from quasar.events.blobs import Blobs
from quasar.rules.machine import Recorded
from quasar.rules.mixing import played
from quasar.rules.plan import offered, plan_tasks
from quasar.rules.policy import Policy, recorded_policy
from quasar.rules.sampling_state import OpenRound
from quasar.rules.secrets import round_seed
from quasar.rules.sources import adopt


@dataclass
class AssignedRound:
    """A round, and the contexts that the log says its miners got."""

    current: OpenRound
    contexts: dict[tuple[int, str], str] = field(default_factory=dict)
    """Task and hotkey to SHA-256."""


@dataclass
class ContextState:
    """The fold: rounds that are not forgotten yet, by number."""

    policies: dict[str, Policy] = field(default_factory=dict)
    sandbox: str | None = None
    rounds: dict[int, AssignedRound] = field(default_factory=dict)


def evolve(state: ContextState, seen: Recorded, blobs: Blobs) -> ContextState:
    """Fold one event. A revealed round stays until the caller takes it out."""
    match seen.event:
        case RunStarted(sandbox=sandbox):
            state.sandbox = sandbox
        case SourceAdopted() as source:
            adopt(source, blobs)
        case PolicyAdopted(toml=toml):
            state.policies[toml.sha256] = recorded_policy(blobs.get(toml))
        case RoundOpened() as opened:
            policy = offered(state.policies[opened.policy], state.sandbox)
            state.rounds[opened.round] = AssignedRound(OpenRound(opened, policy))
        case BlockObserved(number=number, hash=beacon):
            for found in state.rounds.values():
                if found.current.opened.beacon_block == number:
                    found.current.beacon_hash = beacon
        case MixDrawn() as mix:
            current = state.rounds[mix.round].current
            current.policy = played(current.policy, mix)
        case RoundAbandoned(round=number):
            del state.rounds[number]
        case TaskAssigned(round=number, task=task, hotkey=hotkey, context=context):
            state.rounds[number].contexts[task, hotkey] = context.sha256
    return state


def obstacle(
    found: AssignedRound,
    secret: bytes,
    held: Collection[str],
    *,
    before_each: Callable[[], None] = lambda: None,
) -> str | None:
    """Why the contexts that are ``held``, by SHA-256, must stay; None where they may leave.

    ``before_each`` is called before each is made, which may take seconds: what it raises ends it.
    """
    if strange := sorted(set(held) - set(found.contexts.values())):
        return f"{strange[0]} is no context that the round's log names"
    seed = round_seed(secret, found.current.beacon_hash)
    for task in plan_tasks(seed, found.current.policy):
        before_each()
        draw = Draw(seed, f"retention/{task.task}")
        hotkey = draw.choice(found.current.opened.participants)
        text = task.variant(hotkey).instance.context().encode()
        if found.contexts.get((task.task, hotkey)) != hashlib.sha256(text).hexdigest():
            return f"the revealed secret makes another context for task {task.task} of {hotkey}"
    return None
