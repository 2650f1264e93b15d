"""How a task waits for the next of something that happens again and again."""

import anyio


class Bell:
    """Wakes everyone who waits at the moment it rings. Look at the state before each wait."""

    def __init__(self) -> None:
        self._waiting: set[anyio.Event] = set()

    def ring(self) -> None:
        """Wake all who wait now."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, set()  # ring often, wake once
        for event in waiting:
            event.set()

    async def wait(self) -> None:
        """Wait for the next ring."""
        event = anyio.Event()
        self._waiting.add(event)
        try:
            await event.wait()
        finally:
            self._waiting.discard(event)
