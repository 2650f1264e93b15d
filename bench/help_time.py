"""Claim: ``quasar --help`` answers in less than 0.3 s.

Run ``python bench/help_time.py [N]`` in the environment to be measured. The bare interpreter is
measured in turn with the command, since a shared machine is slow for both at once.
"""

import statistics
import subprocess
import sys
import time

LIMIT_S = 0.3
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "quasar --help": [sys.executable, "-m", "quasar", "--help"],
    "quasar audit --help": [sys.executable, "-m", "quasar", "audit", "--help"],
}


def seconds(command: list[str]) -> float:
    """Wall time of one run."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main(runs: int) -> int:
    """Measure in turns; 0 where the median of ``quasar --help`` is under the limit."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for turn in range(runs + 1):
        for name, command in COMMANDS.items():
            elapsed = seconds(command)
            if turn:  # the first turn fills caches
                times[name].append(elapsed)
    print(f"{'command':22} {'median':>8} {'min':>8} {'max':>8}   n={runs}, seconds")
    for name, values in times.items():
        row = (statistics.median(values), min(values), max(values))
        print(f"{name:22} " + " ".join(f"{value:8.3f}" for value in row))
    return 0 if statistics.median(times["quasar --help"]) < LIMIT_S else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 15))
