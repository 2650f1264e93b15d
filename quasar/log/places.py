"""Places for work, given to miners in turn.

Leases come in the order of the log, turns go round the miners. Where all that wait here belong to
miners who had their turn later than one whose work is not here, another lease is to be taken: the
work ahead of its own may be much, and that is what it must not wait for.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Set
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import NamedTuple

import anyio

from quasar.log.bell import Bell
from quasar.rules.turns import Age, Turns

AHEAD = 4096
"""Leases that are held while their work waits for a turn."""
WAIT_S = 10.0
"""So long a lease is held for its turn; then other workers may have it, or this one once more."""
LOOK_S = 0.25
"""A free place waits so long for a lease on the work whose turn it is, after the last that came."""
REST_S = 2.0
"""Where none came: another worker has it. So long nobody waits for it again."""

Key = tuple[int, int, str]
"""Round, task, hotkey."""


class Turn(NamedTuple):
    """Work whose lease is held here: it waits, or has a place."""

    key: Key
    age: Age
    come: anyio.Event


class Places:
    """A number of places. ``serve`` must run."""

    def __init__(self, number: int, open_work: Callable[[], Set[Key]], moved: Bell) -> None:
        """``open_work``: all that is not done, whoever has the lease. ``moved``: rings when that
        changes, and here when anything else does.
        """
        self._number = number
        self._open = open_work
        self._moved = moved
        self._turns = Turns[Turn]()
        self._here = Counter[Key]()
        """What waits or has a place."""
        self._taken = 0
        """Places."""
        self._came = 0
        """Leases so far."""
        self._rests_until = 0.0

    def queue(self, key: Key, seq: int) -> AbstractAsyncContextManager[bool]:
        """Let work wait from now on; the context waits for its turn, and holds the place.

        It gives False where the turn did not come within WAIT_S. ``seq``: of the event that is the
        work, which may be here twice where one lease has lapsed.
        """
        self._came += 1
        turn = Turn(key, (seq, self._came), anyio.Event())
        self._turns.add(key[2], turn.age, turn)
        self._here[key] += 1
        self._moved.ring()
        return self._hold(turn)

    @property
    def wants_more(self) -> bool:
        """Whether to take a lease: a place is free, and nobody waits here whose turn it is."""
        return self._has_room and any(self._elsewhere()) and not self._is_fair

    async def serve(self) -> None:
        """Give every place that is free to whoever's turn it is, for ever."""
        while True:
            await self._until(lambda: len(self._turns) > 0 and self._has_room)
            await self._look()
            if self._turns:
                self._turns.take().come.set()
                self._taken += 1
                self._moved.ring()

    async def _look(self) -> None:
        """Until who is next here is next of all, as long as leases come."""
        while self._turns and not self._is_fair:
            came = self._came
            with anyio.move_on_after(LOOK_S):
                while self._came == came and not self._is_fair:
                    await self._moved.wait()
            if self._came == came:
                self._rests_until = anyio.current_time() + REST_S

    def done(self, key: Key) -> None:
        """The log says so. Where it was another worker, that was a turn too."""
        if key not in self._here:
            self._turns.had(key[2])

    @asynccontextmanager
    async def _hold(self, turn: Turn) -> AsyncIterator[bool]:
        came = False
        try:
            with anyio.move_on_after(WAIT_S):
                await turn.come.wait()
            came = turn.come.is_set()
        finally:
            if not came:
                self._leave(turn)
        try:
            yield came
        finally:
            if came:
                self._leave(turn)

    def _leave(self, turn: Turn) -> None:
        self._here -= Counter([turn.key])
        if turn.come.is_set():
            self._taken -= 1
            self._turns.over(turn.key[2])
        else:
            self._turns.remove(turn.key[2], turn.age)
        if not self._open():
            self._turns.forget()
        self._moved.ring()

    @property
    def _has_room(self) -> bool:
        return self._taken < self._number

    @property
    def _is_fair(self) -> bool:
        """Whether whoever is next here may have the place."""
        if not self._turns:
            return False
        if len(self._turns) >= AHEAD or anyio.current_time() < self._rests_until:
            return True
        return self._turns.has_next(key[2] for key in self._elsewhere())

    def _elsewhere(self) -> Iterator[Key]:
        """Open work whose lease is not held here."""
        return (key for key in self._open() if key not in self._here)

    async def _until(self, true: Callable[[], bool]) -> None:
        while not true():
            await self._moved.wait()
