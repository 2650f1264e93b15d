"""Runs an actor for ever: restarts it with backoff, gives up on what no restart can mend."""

import signal
from typing import Protocol

import anyio
import structlog

from quasar.errors import ChainError, Damaged, Diverged

RESTARTS = 5
"""Restarts of one actor, within WINDOW_S, before the process gives up."""
WINDOW_S = 60.0

logger = structlog.get_logger()


class Actor(Protocol):
    """What the supervisor runs."""

    name: str

    async def run(self) -> None: ...


async def supervise(actor: Actor) -> None:
    """Run an actor; start it again after a failure, later each time.

    Raises at once what no restart can mend (Diverged, Damaged), and anything else after RESTARTS
    failures within WINDOW_S seconds. A chain that is away is waited for without end.
    """
    failures: list[float] = []
    while True:
        try:
            await actor.run()
            return
        except Exception as failure:
            first = _first_cause(failure)
            if isinstance(first, Diverged | Damaged):
                raise first from None
            now = anyio.current_time()
            failures = [t for t in failures if now - t < WINDOW_S] + [now]
            if len(failures) > RESTARTS and not isinstance(first, ChainError):
                raise
            kind = type(first).__name__
            logger.warning("actor.restart", actor=actor.name, error=kind, detail=str(first))
            await anyio.sleep(0.1 * 2 ** min(len(failures), 7))


def _first_cause(failure: Exception) -> Exception:
    """An actor's own tasks fail in groups; what no restart can mend comes before the rest."""
    if not isinstance(failure, ExceptionGroup):
        return failure
    causes = [_first_cause(inner) for inner in failure.exceptions]
    return next((c for c in causes if isinstance(c, Diverged | Damaged)), causes[0])


async def drain_on_signal(scope: anyio.CancelScope) -> None:
    """Cancel the scope on SIGTERM or Ctrl-C, so that the process can finish in order."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [(number, signal.getsignal(number)) for number in numbers]
    try:
        with anyio.open_signal_receiver(*numbers) as signals:
            async for received in signals:
                logger.info("supervisor.draining", signal=received.name)
                scope.cancel()
                return
    finally:
        for number, handler in before:  # asyncio puts the system's own back
            if handler is not None:
                signal.signal(number, handler)
