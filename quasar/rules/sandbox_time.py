"""What a miner's programs may take of the sandbox in a round, so that all get their share of it.

A program whose miner has used up its time is scored like every other: the cases that have not run
count as timeouts of zero milliseconds. Second runs, which the seed chose, are the validator's.
"""

from dataclasses import dataclass, field

from quasar.events import AnyEvent, CodeExecuted, RoundScored
from quasar.rules.policy import Policy
from quasar.rules.policy_sections import Execution

DEFAULT = Execution(timeout_s=30.0, memory_mib=512, budget_s=600.0)
"""Where a policy has no such section."""


@dataclass
class SandboxTime:
    """The fold: milliseconds by round and hotkey, of rounds that are not scored."""

    spent: dict[tuple[int, str], int] = field(default_factory=dict)

    def evolve(self, event: AnyEvent) -> None:
        """Take one event in."""
        match event:
            case CodeExecuted(round=number, hotkey=hotkey, cases=cases):
                before = self.spent.get((number, hotkey), 0)
                times = [case.execution_time_ms for case in cases]
                self.spent[(number, hotkey)] = before + total_ms(times)
            case RoundScored(round=number):
                self.spent = {key: ms for key, ms in self.spent.items() if key[0] != number}

    def left_ms(self, number: int, hotkey: str, policy: Policy) -> int:
        """What remains of the budget; never below 0."""
        budget = int((policy.execution or DEFAULT).budget_s * 1000)
        return max(0, budget - self.spent.get((number, hotkey), 0))


def total_ms(times: list[int]) -> int:
    """Of whole milliseconds."""
    whole = 0
    for ms in times:
        whole += ms
    return whole


def cases_within(left_ms: int, policy: Policy) -> int:
    """How many cases may start before anyone looks at the clock again.

    As many as fit if each takes all of its time, and one while anything is left: a budget is
    overrun by one case at most.
    """
    case_ms = max(1, int((policy.execution or DEFAULT).timeout_s * 1000))
    return max(left_ms // case_ms, int(left_ms > 0))
