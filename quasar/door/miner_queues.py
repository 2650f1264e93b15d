"""MinerProxy's queues, one a miner: what is asked of a miner is asked one after the other."""

import math
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial

import anyio
from anyio.abc import ObjectReceiveStream, TaskGroup
from anyio.streams.memory import MemoryObjectSendStream

from quasar.rules.delivery import Delivery

Job = Callable[[], Awaitable[None]]


@dataclass
class Turn:
    """Of an assignment without an outcome."""

    delivery: Delivery
    come: anyio.Event = field(default_factory=anyio.Event)
    """The miner has no other task now."""
    over: anyio.Event = field(default_factory=anyio.Event)
    """The outcome is in the log, whoever wrote it."""


class MinerQueues(ExitStack):
    """All proxies of a log keep the same queues. A context: its end ends what waits in them."""

    def __init__(self) -> None:
        super().__init__()
        self._queues: dict[str, MemoryObjectSendStream[Job]] = {}
        self._turns: dict[int, Turn] = {}
        """By the number of the TaskAssigned."""

    def add(self, tasks: TaskGroup, hotkey: str, job: Job) -> None:
        """Do this once everything before it is done."""
        if hotkey not in self._queues:
            send, receive = anyio.create_memory_object_stream[Job](math.inf)
            self._queues[hotkey] = self.enter_context(send)
            self.enter_context(receive)
            tasks.start_soon(_work, receive)
        self._queues[hotkey].send_nowait(job)

    def assign(self, tasks: TaskGroup, delivery: Delivery) -> None:
        """Give an assignment its place; the next begins when it is over."""
        self._turns[delivery.cause] = turn = Turn(delivery)
        self.add(tasks, delivery.key[2], partial(_have, turn))

    def turn_of(self, cause: int) -> Turn | None:
        """Of the assignment that this event made; None where it is over, or is none."""
        return self._turns.get(cause)

    def end(self, cause: int) -> None:
        """The outcome is in the log."""
        if turn := self._turns.pop(cause, None):
            turn.over.set()

    @property
    def first(self) -> int | None:
        """Number of the oldest assignment that is not over."""
        return min(self._turns, default=None)


async def _work(jobs: ObjectReceiveStream[Job]) -> None:
    async for job in jobs:
        await job()


async def _have(turn: Turn) -> None:
    turn.come.set()
    await turn.over.wait()
