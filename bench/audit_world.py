"""Who plays in the archive of bench/audit.py: its names, its policy, its miners and its judge."""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import audit_families
from made_validator import MadeValidator

from quasar.config import load_policy
from quasar.events import AnyEvent
from quasar.events.signing import Signer
from quasar.log.blobs import FolderBlobs
from quasar.rules.executed import Hidden
from quasar.rules.judging import Asked, LocalJudge, Reply, metric
from quasar.rules.machine import Recorded, Rule
from quasar.rules.plan import PlannedTask

MINERS = 250
QUESTION = "Read the collection above, then give what it says behind the word ANSWER. Entry "
MIX = {audit_families.SHORT.name: 14, audit_families.SUMMARY.name: 2, "factbook@1": 3, "code@1": 1}
"""Tasks of a round by family: 70 % short answers, 10 % summaries, 20 % exact ones and code."""
CHECKPOINT_EVERY = 10_000
MADE = MadeValidator("bench/audit")
IDENTITY = MADE.identity
START_MS = 1_760_000_000_000


def policy() -> bytes:
    """readme-v1 with the mix of this benchmark."""
    head, _, rest = load_policy("readme-v1").decode().partition("[[mix]]")
    mix = "".join(
        f'[[mix]]\nfamily = "{family}"\nbucket = "32k"\ntasks = {tasks}\n'
        for family, tasks in MIX.items()
    )
    return (head + mix + rest[rest.index("[answers]") :]).encode()


def named(*parts: object) -> str:
    """A hash that no compressor can guess."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def block_hash(number: int) -> str:
    return "0x" + named("block", number)


class Player:
    """A deciding actor."""

    def __init__(self, rule: Rule[Any], blobs: FolderBlobs) -> None:
        self.rule = rule
        self._blobs = blobs
        self._state = rule.initial()

    def feed(self, seen: Recorded) -> Sequence[AnyEvent]:
        """What it decides on an event."""
        if type(seen.event) not in self.rule.subscribes:
            return ()
        decided = self.rule.decide(self._state, seen, self._blobs)
        self._state = self.rule.evolve(self._state, seen, self._blobs)
        return decided


class Known(LocalJudge):
    """A judge that makes each reference once: the miners of this game look there too."""

    def __init__(self) -> None:
        super().__init__()
        self._answers: dict[tuple[bytes, str], str] = {}
        self._hidden: dict[tuple[bytes, str], Hidden] = {}

    def answer(self, task: PlannedTask, hotkey: str) -> str:
        """The reference answer."""
        key = task.seed, hotkey
        if key not in self._answers:
            self._answers[key] = task.variant(hotkey).instance.answer
        return self._answers[key]

    def forget(self) -> None:
        """At the end of a round."""
        self._answers.clear()
        self._hidden.clear()

    def accuracies(self, replies: Sequence[Reply]) -> Sequence[float]:
        return [
            metric(asked.task.metric)(answer.decode(), [self.answer(asked.task, asked.hotkey)])
            for asked, answer in replies
        ]

    def hidden(self, asked: Asked) -> Hidden:
        key = asked.task.seed, asked.hotkey
        if key not in self._hidden:
            self._hidden[key] = super().hidden(asked)
        return self._hidden[key]


class Miner(NamedTuple):
    """A miner and how often it is right."""

    key: Signer
    skill: int
    """Of 100."""
