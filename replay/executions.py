"""Records of programs that ran: each must be of the text, cases and runs that the log asks for.

What came out of a run is a fact, which this does not judge (``quasar.replay.reexecute`` does).
"""

from quasar.events import CodeExecuted
from quasar.events.blobs import Blobs
from quasar.rules.executed import is_older, runs_twice, wrong_record
from quasar.rules.judging import Judge
from quasar.rules.scoring import asked_program
from quasar.rules.scoring_state import ScorerState, program_text
from quasar.rules.secrets import round_seed


class ExecutionCheck:
    """Feeds on every run of a round that is judged in full."""

    def __init__(self, judge: Judge, blobs: Blobs) -> None:
        self._judge, self._blobs = judge, blobs
        self.older = 0
        """Records of the first schema, which say nothing of text and cases."""

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
        return wrong_record(run, code, self._judge.hidden(asked), twice=twice)
