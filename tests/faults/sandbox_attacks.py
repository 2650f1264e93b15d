"""Hostile submissions, all of them. Each opens what it can reach and changes nothing of it.

An attack ends with a typed status, or returns the list of what it got hold of, which must be
empty; the case after it must find the sandbox as if it had never run.
"""

import platform

from tests.faults.attack import CANARY as CANARY
from tests.faults.attack import Attack as Attack
from tests.faults.attacks_escapes import ESCAPES, INT_80
from tests.faults.attacks_files import FILES
from tests.faults.attacks_limits import LIMITS
from tests.faults.attacks_results import RESULTS
from tests.faults.attacks_survivors import SURVIVORS
from tests.faults.attacks_verdict import VERDICT

GROUPS = {
    "verdict": VERDICT,
    "results": RESULTS,
    "limits": LIMITS,
    "files": FILES,
    "escapes": ESCAPES + ([INT_80] if platform.machine() == "x86_64" else []),
    "survivors": SURVIVORS,
}
ATTACKS = [attack for group in GROUPS.values() for attack in group]


def attack_named(name: str) -> Attack:
    """Raises StopIteration where there is none."""
    return next(attack for attack in ATTACKS if attack.name == name)


TEN = [
    attack_named(name)
    for name in (
        *("endless loop", "fork bomb", "memory bomb", "output flood", "exit without a result"),
        *("forged report on every descriptor", "network", "file write", "import tricks"),
        "signals to all",
    )
]
"""Those that issue 3 names."""
