"""What an audit may do anywhere, at any time: pure work in portions that travel between processes.

Its results are the same wherever it is done, so a report never tells how many processes made it.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from quasar.benchmarks import packs
from quasar.events.json_value import Tolerance, canonical_json, read_json
from quasar.events.signing import verify_hotkey
from quasar.rules.executed import Hidden
from quasar.rules.judging import Asked, LocalJudge, Reply
from quasar.rules.plan import task_of
from quasar.rules.policy import Mix


class Signatures(Struct, tag=True, array_like=True):
    """Signed messages. Gives a bool each."""

    hotkeys: list[str]
    messages: list[bytes]
    signatures: list[str]


class Task(Struct, array_like=True):
    """What makes a task anew."""

    number: int
    mix: Mix
    seed: bytes
    tokens: int

    def asked(self, hotkey: str) -> Asked:
        """The task as a miner got it."""
        task = task_of(self.number, self.mix, self.seed, self.tokens)
        return Asked(task, self.tokens, hotkey)


class Packs(Struct, tag=True, array_like=True):
    """Packs that later work needs. Gives nothing."""

    packs: list[bytes]


class Answers(Struct, tag=True, array_like=True):
    """Answers to one task. Gives an accuracy each."""

    task: Task
    hotkeys: list[str]
    answers: list[bytes]


class Programs(Struct, tag=True, array_like=True):
    """Miners who answered a task with code. Gives for each its hidden cases (``hidden_in``)."""

    task: Task
    hotkeys: list[str]


Work = Signatures | Packs | Answers | Programs
encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Work).decode
_judge = LocalJudge()


def source_of(work: Work) -> str | None:
    """Digest of the pack that a portion needs, which another process may not have."""
    return work.task.mix.source if isinstance(work, Answers | Programs) else None


def perform(work: Work) -> Sequence[Any]:
    """Do it. Raises what the rules raise: CannotJudge where something is not installed."""
    match work:
        case Signatures():
            signed = zip(work.hotkeys, work.messages, work.signatures, strict=True)
            return [verify_hotkey(*each) for each in signed]
        case Packs():
            for pack in work.packs:
                packs.install(pack)
            return []
        case Answers():
            pairs = zip(work.hotkeys, work.answers, strict=True)
            return _judge.accuracies([Reply(work.task.asked(h), answer) for h, answer in pairs])
        case Programs():
            return [canonical_json(_judge.hidden(work.task.asked(h))) for h in work.hotkeys]


def hidden_in(result: bytes) -> Hidden:
    """One result of ``Programs``."""
    inputs, expected, tolerances = read_json(result)
    return Hidden(inputs, expected, [t and Tolerance(*t) for t in tolerances])
