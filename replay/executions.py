"""Records of programs that ran: each must be of the text, cases and runs that the log asks for.

What came out of a run is a fact, which this does not judge (``quasar.replay.reexecute`` does).
"""

from quasar.events import CodeExecuted, RoundScored
from quasar.events.blobs import Blobs
from quasar.rules.executed import is_older, never_ran, recorded_runs, runs_twice, wrong_record
from quasar.rules.judging import Judge
from quasar.rules.policy import Policy
from quasar.rules.sandbox_time import SandboxTime, total_ms
from quasar.rules.scoring import asked_program
from quasar.rules.scoring_state import ScorerState, program_text
from quasar.rules.secrets import round_seed


class ExecutionCheck:
    """``fold`` takes every run in order, ``feed`` before it those of rounds judged in full."""

    def __init__(self, judge: Judge, blobs: Blobs) -> None:
        self._judge, self._blobs = judge, blobs
        self._time = SandboxTime()
        self.older = 0
        """Records of the first schema, which say nothing of text and cases."""

    def fold(self, event: CodeExecuted | RoundScored) -> None:
        """Take in what the programs of a miner took, also in rounds that are not judged."""
        self._time.evolve(event)

    def feed(self, run: CodeExecuted, state: ScorerState) -> str | None:
        """What is wrong with this record. ``state``: the scorer's, before it.

        Raises LookupError or AssertionError where nobody was asked for such a program.
        """
        current = state.rounds[run.round]
        if is_older(run):
            self.older += 1
            return "it lacks what its policy asks for" if current.policy.execution else None
        asked = asked_program(current, run.task, run.hotkey)
        code = program_text(current, run.task, run.hotkey, self._blobs)
        twice = runs_twice(round_seed(current.secret, current.beacon_hash), run.task, run.hotkey)
        wrong = wrong_record(run, code, self._judge.hidden(asked), twice=twice)
        return wrong or self._cut_short(run, current.policy)

    def _cut_short(self, run: CodeExecuted, policy: Policy) -> str | None:
        """Cases may be left out once the miner's time is used up, and not before."""
        left = self._time.left_ms(run.round, run.hotkey, policy)
        for cases in recorded_runs(run):
            took = total_ms([case.execution_time_ms for case in cases])
            if took < left and any(map(never_ran, cases)):
                return "a case did not run, and its miner had time left"
        return None
