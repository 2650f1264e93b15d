"""Tells a submission that breaks its sandbox from a sandbox that is broken.

Both look alike: the run ends in an exception. So a known-good program, the control, is run on the
same sandbox. After a failure nothing is tried until the control passes; then the submission runs
again, and the control runs beside it, over and over, from before it began until after it failed.

* The control passed all the while, twice: the failure is the submission's. All of its cases
  count as ``crashed``. It had three runs, and whoever wrote it is scored.
* The control failed too: the failure is the sandbox's. The submission runs again once the control
  passes; after three such runs, or where the control does not pass for too long, a SandboxError
  says so, and nobody is scored.

Submissions that run at the same time are told apart in the same way: whoever takes the whole
engine down fails the controls of all others, so none of these is blamed.
"""

from collections.abc import Sequence
from typing import Any

import anyio
import structlog

from quasar.errors import UsageError
from quasar.sandbox import Sandbox
from quasar.sandbox.errors import SandboxError
from quasar.sandbox.outcome import Outcome

BLAMED = 2
"""Runs that failed while the control passed: then it was the submission."""
HARMED = 3
"""Runs that failed with the control: no more are tried."""
PATIENCE_S = 120.0
"""How long a sandbox that is away is waited for: whoever has a score to come waits with it."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 10.0
"""Between two looks at a sandbox that is away."""
PULSE_S = 0.1
"""Between two runs of the control beside a submission: less than an engine takes to start."""
CONTROL_S = 60.0
"""A control that takes longer has failed."""
CONTROL = "def control(a, b):\n    return a + b"
BROKE_IT = "the program broke its sandbox each time it ran"

logger = structlog.get_logger()


class Attempts:
    """Runs submissions on a sandbox that may fail. Several may run at the same time."""

    def __init__(self, sandbox: Sandbox, *, patience_s: float = PATIENCE_S) -> None:
        self._sandbox = sandbox
        self._patience_s = patience_s
        self._look = anyio.Lock()
        self._away_since: float | None = None
        self._next_look = 0.0
        self._pause = FIRST_PAUSE_S

    async def run(
        self, code: str, function_name: str, inputs: Sequence[Sequence[Any]], since: float
    ) -> list[Outcome]:
        """As ``Sandbox.run``, with as many runs as it takes to know whose failure one is.

        ``since``: when the submission could first have run, on the loop's clock; a sandbox that is
        away is waited for ``patience_s`` from then, or from when it went. Raises SandboxError where
        it is the sandbox's failure.
        """
        submission = (code, function_name, inputs)
        if self._away_since is not None:
            await self._back(since)
        outcomes = await self._run(*submission)
        blamed = harmed = 0
        while outcomes is None:
            await self._back(since)
            outcomes, passed = await self._beside_control(*submission)
            if outcomes is None:
                blamed, harmed = blamed + passed, harmed + (not passed)
                if blamed == BLAMED:
                    logger.warning("sandbox.submission-blamed", failures=1 + blamed + harmed)
                    return [Outcome(status="crashed", error=BROKE_IT) for _ in inputs]
                if harmed == HARMED:
                    raise SandboxError("the sandbox failed again and again; see its engine's log")
        return outcomes

    async def _run(
        self, code: str, function_name: str, inputs: Sequence[Sequence[Any]]
    ) -> list[Outcome] | None:
        """None where it failed, for whatever reason: what a stranger's code can bring up in the
        sandbox's own program must not stop the validator."""
        try:
            return await self._sandbox.run(code, function_name, inputs)
        except UsageError as error:  # of the arguments, which are the validator's own
            raise SandboxError(str(error)) from error
        except Exception as error:
            unknown = not isinstance(error, SandboxError)
            logger.warning("sandbox.run-failed", detail=str(error), exc_info=unknown)
            return None

    async def _beside_control(
        self, code: str, function_name: str, inputs: Sequence[Sequence[Any]]
    ) -> tuple[list[Outcome] | None, bool]:
        """Also whether the control passed from before the run until after its end."""
        over, passed = anyio.Event(), True

        async def control() -> None:
            nonlocal passed
            last = False
            while passed and not last:
                last = over.is_set()
                passed = await self._passes()
                with anyio.move_on_after(PULSE_S):
                    await over.wait()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(control)
            outcomes = await self._run(code, function_name, inputs)
            over.set()
            if outcomes is not None:
                tasks.cancel_scope.cancel()
        return outcomes, passed

    async def _passes(self) -> bool:
        outcomes = None
        with anyio.move_on_after(CONTROL_S):
            outcomes = await self._run(CONTROL, "control", [[1, 2]])
        return [outcome.output for outcome in outcomes or ()] == [3]

    async def _back(self, since: float) -> None:
        """Wait until the control passes. Raises SandboxError where that takes too long."""
        while (away := await self._away()) is not None:
            left = max(since, away) + self._patience_s - anyio.current_time()
            if left <= 0:
                raise SandboxError("the sandbox is away; see its engine's log")
            await anyio.sleep(max(0.0, min(left, self._next_look - anyio.current_time())))

    async def _away(self) -> float | None:
        """Since when the sandbox is away. One looks for all, and not too often."""
        async with self._look:
            now = anyio.current_time()
            if self._away_since is not None and now < self._next_look:
                return self._away_since
            if await self._passes():
                self._away_since, self._pause = None, FIRST_PAUSE_S
            else:
                self._away_since = now if self._away_since is None else self._away_since
                self._next_look = anyio.current_time() + self._pause
                self._pause = min(2 * self._pause, LONGEST_PAUSE_S)
            return self._away_since
