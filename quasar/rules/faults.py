"""Whose failure it was: a pure rule over recorded evidence."""

from typing import NamedTuple

from quasar.events import AnswerAbandoned, AnswerReceived, Fault


class Verdict(NamedTuple):
    """How an assignment ended."""

    failure: str | None
    """``late``, ``refused``, ``silent``, ``unreachable``, ...; None for an answer in time."""
    owner: Fault | None
    unproved: bool = False

    @property
    def scored(self) -> bool:
        """Answers and the miner's own failures count; nobody else's failure does."""
        return self.owner in (None, Fault.MINER)


VALIDATOR_CODES = frozenset({"context-missing", "disk-full", "internal"})
"""Evidence codes that name the validator's own trouble."""


def judge(
    outcome: AnswerReceived | AnswerAbandoned, *, accepted: bool, reached_enough: bool
) -> Verdict:
    """The verdict on one assignment.

    ``accepted``: a TaskAccepted, signed by the miner, is in the log. ``reached_enough``: at least
    the policy's share of the round's participants accepted something.
    """
    if isinstance(outcome, AnswerReceived):
        late = outcome.elapsed_ms > outcome.deadline_ms
        return Verdict("late", Fault.MINER) if late else Verdict(None, None)
    if outcome.refusal is not None:
        return Verdict("refused", Fault.MINER)
    evidence = outcome.evidence
    if evidence.code in VALIDATOR_CODES:
        return Verdict(evidence.code, Fault.VALIDATOR)
    if accepted:
        return Verdict("silent", Fault.MINER)
    if evidence.stage == "upload":
        # Nothing signed says that the request ever arrived whole; the uplink may be ours.
        return Verdict("upload", Fault.NETWORK)
    if reached_enough:
        return Verdict("unreachable", Fault.MINER, unproved=True)
    return Verdict("unreachable", Fault.NETWORK)
