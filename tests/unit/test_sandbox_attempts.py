"""Attempts: whose failure it is when a run of a submission fails."""

from collections.abc import Callable, Sequence
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

import quasar.sandbox.attempts
from quasar.errors import UsageError
from quasar.sandbox import Outcome, SandboxError
from quasar.sandbox.attempts import CONTROL, Attempts
from tests.unit.test_code_path import IDENTITY

pytestmark = pytest.mark.anyio

SUBMISSION = ("def f(x):\n    return x", "f", [[1], [2]])
GOOD = [Outcome(status="ok", output=1), Outcome(status="ok", output=2)]
GONE = SandboxError("gone")
LONG_S = 3600.0


@pytest.fixture(autouse=True)
def fixture_short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that no test has to wait for."""
    for name in ("FIRST_PAUSE_S", "LONGEST_PAUSE_S", "PULSE_S"):
        monkeypatch.setattr(quasar.sandbox.attempts, name, 0.001)


class Fake:
    """A sandbox whose runs, counted, end as a test says."""

    identity = IDENTITY

    def __init__(
        self,
        submission: Callable[[int], list[Outcome] | Exception],
        control: Callable[[int], bool] = lambda _: True,
    ) -> None:
        self._submission, self._control = submission, control
        self.runs = self.controls = 0

    async def run(
        self, code: str, function_name: str, inputs: Sequence[Sequence[Any]]
    ) -> list[Outcome]:
        await checkpoint()
        if code == CONTROL:
            self.controls += 1
            if not self._control(self.controls):
                raise GONE
            return [Outcome(status="ok", output=3)]
        self.runs += 1
        answer = self._submission(self.runs)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def outcomes(fake: Fake, patience_s: float = LONG_S) -> list[Outcome]:
    with anyio.fail_after(10):
        attempts = Attempts(fake, patience_s=patience_s)
        return await attempts.run(*SUBMISSION, since=anyio.current_time())


async def test_a_run_that_succeeds_is_all() -> None:
    """No control runs, and nothing twice."""
    fake = Fake(lambda _: GOOD)
    assert await outcomes(fake) == GOOD
    assert (fake.runs, fake.controls) == (1, 0)


@pytest.mark.parametrize("failure", [GONE, KeyError("kind")], ids=["sandbox", "unforeseen"])
async def test_who_breaks_every_sandbox_has_crashed(failure: Exception) -> None:
    """Three runs fail, beside two of them the control passes: the submission is to blame."""
    fake = Fake(lambda _: failure)
    assert [outcome.status for outcome in await outcomes(fake)] == ["crashed", "crashed"]
    assert fake.runs == 3


@pytest.mark.parametrize("failures", [1, 2])
async def test_who_succeeds_in_the_end_is_not_blamed(failures: int) -> None:
    """One failure or two are forgotten."""
    assert await outcomes(Fake(lambda run: GONE if run <= failures else GOOD)) == GOOD


async def test_an_engine_that_is_away_is_waited_for() -> None:
    """The submission runs again once the control passes, and not before."""
    fake = Fake(lambda run: GONE if run == 1 else GOOD, lambda look: look > 20)
    assert await outcomes(fake) == GOOD
    assert fake.runs == 2


async def test_an_engine_that_stays_away_is_nobodys_crash() -> None:
    """After its patience there is an exception, and no outcome; the next one need not run."""
    fake = Fake(lambda _: GONE, lambda _: False)
    attempts = Attempts(fake, patience_s=0.01)
    for _ in range(2):
        with pytest.raises(SandboxError, match="away"):
            await attempts.run(*SUBMISSION, since=anyio.current_time())
    assert fake.runs == 1


async def test_an_engine_that_comes_and_goes_is_nobodys_crash() -> None:
    """The control passes before each run, never beside it: three of these are enough."""
    running = False

    def submission(run: int) -> Exception:
        nonlocal running
        running = run > 1  # the next control is the one beside it
        return GONE

    def control(_: int) -> bool:
        nonlocal running
        passes, running = not running, False
        return passes

    fake = Fake(submission, control)
    with pytest.raises(SandboxError, match="again and again"):
        await outcomes(fake)
    assert fake.runs == 4


async def test_arguments_that_cannot_be_sent_are_the_validators() -> None:
    """They are its own hidden cases: no control is asked, nobody is scored."""
    fake = Fake(lambda _: UsageError("not JSON"))
    with pytest.raises(SandboxError, match="not JSON"):
        await outcomes(fake)
    assert (fake.runs, fake.controls) == (1, 0)


async def test_one_looks_for_all() -> None:
    """Many that wait for an engine do not ask it all at once."""
    fake = Fake(lambda run: GONE if run <= 10 else GOOD, lambda look: look > 5)
    attempts = Attempts(fake, patience_s=LONG_S)
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(attempts.run, *SUBMISSION, anyio.current_time())
    assert fake.runs == 20
    assert fake.controls < 5 + 10 + 10 * 3  # to be back, one look each, and beside each run
