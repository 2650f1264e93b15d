"""How fast metrics are beside the official packages, and that the numbers are equal.

``python bench/metrics.py [--words 500 5000] [--json]``. Two texts of so many words that share about
two thirds of them; CPU seconds, the best of several runs of ours and of one of theirs. Exit code 1:
a number differs, or at 5,000 words a metric is not as many times faster as it should be.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import version
from typing import Any, NamedTuple

from quasar.draw import Draw
from quasar.metrics import METRICS

PEERS = {"rouge": "1.0.1", "rouge-score": "0.1.2"}
SET_UP = (
    "the official packages are not installed; make an environment for them at the root of the "
    "checkout: python3 -m venv .venv-peers && .venv-peers/bin/pip install -e . "
    + " ".join(f"{name}=={release}" for name, release in PEERS.items())
    + " && .venv-peers/bin/python bench/metrics.py"
)
WANTED = {"rouge_l": 1000, "rouge_lsum": 10, "rouge": 20}
"""Times faster, at 5,000 words."""
JUDGED_AT = 5000
SENTENCE = 20
"""Words of one."""
RUNS = 20


class Measured(NamedTuple):
    """One metric at one length."""

    metric: str
    words: int
    package: str
    ours_s: float
    theirs_s: float
    ours: float
    theirs: float

    @property
    def times(self) -> float:
        return self.theirs_s / self.ours_s

    @property
    def good(self) -> bool:
        slow = self.words == JUDGED_AT and self.times < WANTED[self.metric]
        return self.ours == self.theirs and not slow


def texts(words: int, between: str) -> tuple[str, str]:
    """A summary and a reference; sentences end with ``between``."""
    draw = Draw(b"bench/metrics", f"{words} words")
    vocabulary = [f"word{i}" for i in range(max(50, words // 5))]
    wanted = [vocabulary[min(draw.below(len(vocabulary)), draw.below(len(vocabulary)))]
              for _ in range(words)]  # fmt: skip
    said = [word if draw.below(3) else draw.choice(vocabulary) for word in wanted]
    return sentences(said, between), sentences(wanted, between)


def sentences(words: list[str], between: str) -> str:
    starts = range(0, len(words), SENTENCE)
    return between.join(" ".join(words[i : i + SENTENCE]) for i in starts)


def rouge_score(kind: str) -> Callable[[str, str], float]:
    scorer: Any = import_module("rouge_score.rouge_scorer").RougeScorer([kind])
    return lambda said, wanted: float(scorer.score(wanted, said)[kind].fmeasure)


def rouge(said: str, wanted: str) -> float:
    """All that LongBench calls; the package gives no part alone."""
    found: Any = import_module("rouge").Rouge().get_scores([said], [wanted], avg=True)
    return float(found["rouge-l"]["f"])


def timed(run: Callable[[], float], runs: int) -> tuple[float, float]:
    """Least CPU seconds, and what came out."""
    best = float("inf")
    for _ in range(runs):
        start = time.process_time()
        result = run()
        best = min(best, time.process_time() - start)
    return best, result


def measure(words: int) -> Iterator[Measured]:
    cases = [
        ("rouge_l", "rouge-score", rouge_score("rougeL"), ". "),
        ("rouge_lsum", "rouge-score", rouge_score("rougeLsum"), ".\n"),
        ("rouge", "rouge", rouge, ". "),
    ]
    for metric, package, official, between in cases:
        said, wanted = texts(words, between)
        theirs_s, theirs = timed(lambda: official(said, wanted), 1)  # noqa: B023
        ours_s, ours = timed(lambda: METRICS[metric](said, [wanted]), RUNS)  # noqa: B023
        yield Measured(metric, words, package, ours_s, theirs_s, ours, theirs)


def line(found: Measured) -> str:
    sign = "==" if found.ours == found.theirs else "!="
    return (
        f"{found.words:>6} words  {found.metric:<10} {1000 * found.ours_s:9.3f} ms   "
        f"{found.package:<11} {1000 * found.theirs_s:10.1f} ms   {found.times:7.0f} times   "
        f"{found.ours!r} {sign} {found.theirs!r}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--words", type=int, nargs="+", default=[500, 5000])
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    try:
        found_versions = {name: version(name) for name in PEERS}
    except ImportError:
        sys.stderr.write(SET_UP + "\n")
        return 2
    good = True
    for words in arguments.words:
        for found in measure(words):
            good = good and found.good
            shown = found._asdict() | {"times": found.times, "versions": found_versions}
            print(json.dumps(shown) if arguments.json else line(found), flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
