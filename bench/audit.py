"""Claim: 1M events with 250k scored answers are audited in 90 s on two cores, within 400 MB.

``python bench/audit.py [--quick] [--small] [--alone] [--json] [--folder DIR]``. Levels structure,
receipts, scores and weights; every answer bears two real sr25519 signatures. Four times as many
events take 3.8 to 4.3 times as long and at most a tenth more memory: that of all processes of the
audit, summed as they run. Beside it stand rouge-score and LongBench's F1 in plain Python on answers
of the same archive, scaled to all of them; the numbers are compared bit for bit. ``--folder`` keeps
what was generated for the next run, since that takes minutes; ``--small`` leaves out the large
archive, and ``--alone`` the other libraries.
"""

import argparse
import json
import re
import resource
import string
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import audit_archive
import msgspec
from rich.console import Console
from rich.table import Table

from quasar.events import RoundScored
from quasar.log.archive_reader import ArchiveLog
from quasar.metrics import METRICS
from quasar.replay.audit import audit
from quasar.rules.judging import LocalJudge, Reply
from quasar.rules.machine import Recorded
from quasar.rules.scoring import ScoringRule

LEVELS = ("structure", "receipts", "scores", "weights")
CORES = 2
LIMIT_S, LIMIT_MB = 90.0, 400.0
RATIO, GROWTH = (3.8, 4.3), 1.1
SLOWER = 20.0
ROUNDS, TIMES = 50, 4
SAMPLE = 300
"""Answers that the other libraries score."""
MISSING = "rouge-score is not installed: run `pip install rouge-score`, then this again"


class Pair(NamedTuple):
    """An answer and what was expected."""

    answer: bytes
    expected: str


class Collecting(LocalJudge):
    """Keeps what it judges, by metric."""

    def __init__(self) -> None:
        super().__init__()
        self.pairs: dict[str, list[Pair]] = {}

    def accuracies(self, replies: Sequence[Reply]) -> Sequence[float]:
        for (task, _, hotkey), answer in replies:
            expected = task.variant(hotkey).instance.answer
            self.pairs.setdefault(task.metric, []).append(Pair(answer, expected))
        return super().accuracies(replies)


def first_round(folder: Path) -> dict[str, list[Pair]]:
    """The answers that are read, of the first round of an archive."""
    log, judge = ArchiveLog(folder), Collecting()
    rule = ScoringRule(judge)
    state = rule.initial()
    for seq, line in log.lines():
        seen = Recorded(seq, line)
        if type(seen.event) in rule.subscribes:
            rule.decide(state, seen, log.blobs)
            state = rule.evolve(state, seen, log.blobs)
        if isinstance(seen.event, RoundScored):
            break
    return judge.pairs


def rouge() -> Callable[[str, str], float]:
    """rougeL of rouge-score, as its documentation calls it."""
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ImportError:
        sys.exit(MISSING)
    scorer = RougeScorer(["rougeL"], use_stemmer=False)
    return lambda said, wanted: scorer.score(wanted, said)["rougeL"].fmeasure


def longbench_f1(said: str, wanted: str) -> float:
    """The F1 of LongBench, written down as it is published."""
    one, two = normalised(said), normalised(wanted)
    shared = sum((Counter(one) & Counter(two)).values())
    if shared == 0:
        return 0
    precision, recall = shared / len(one), shared / len(two)
    return 2 * precision * recall / (precision + recall)


def normalised(text: str) -> list[str]:
    kept = "".join(c for c in text.lower() if c not in set(string.punctuation))
    return re.sub(r"\b(a|an|the)\b", " ", kept).split()


def compared(
    pairs: list[Pair], name: str, reference: Callable[[str, str], float]
) -> dict[str, Any]:
    """Microseconds an answer, ours and theirs, on the same answers. The numbers must be equal."""
    metric = METRICS[name]
    began = time.process_time()
    ours = [metric(pair.answer.decode(), [pair.expected]) for pair in pairs]
    middle = time.process_time()
    theirs = [reference(pair.answer.decode(), pair.expected) for pair in pairs]
    ended = time.process_time()
    if ours != theirs:
        sys.exit(f"{name} is not what the reference gives")
    us, them = (1e6 * t / len(pairs) for t in (middle - began, ended - middle))
    return {"answers": len(pairs), "ours_us": us, "reference_us": them, "slower": them / us}


def tree_of(pid: int) -> Iterator[int]:
    """A process and all that it started."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            yield from tree_of(int(child))


def resident_mb(pid: int) -> float:
    """Memory of the whole family at this moment; what two share counts twice."""
    pages = 0
    for one in list(tree_of(pid)):
        pages += int(Path(f"/proc/{one}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def measure(folder: Path) -> dict[str, Any]:
    """An audit in a process of its own, watched from here."""
    command = [sys.executable, __file__, "--audit", str(folder)]
    began, peak = time.perf_counter(), 0.0
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        while process.poll() is None:
            with suppress(OSError, IndexError):  # one of them has just ended
                peak = max(peak, resident_mb(process.pid))
            time.sleep(0.05)
        assert process.stdout is not None
        found = json.loads(process.stdout.read() or "{}")
    if process.returncode:
        sys.exit(f"the audit of {folder} ended with {process.returncode}: {found}")
    return {"wall_s": time.perf_counter() - began, "peak_mb": peak, **found}


def audited(folder: Path) -> int:
    """What that process does: audit, and print what it cost. 0 where the log is clean."""
    log = ArchiveLog(folder)
    report = anyio.run(lambda: audit(log, levels=LEVELS, processes=CORES))
    usage = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = [u.ru_utime + u.ru_stime for u in usage]
    found = {
        "events": report.events,
        "scores": report.scores.equal,
        "receipts": report.receipts.equal,
        "cpu_s": cpu,
        "first": msgspec.to_builtins(report.first_divergence),
    }
    print(json.dumps(found))
    return 0 if report.result == "clean" else 1


def verdicts(sizes: list[dict[str, Any]], metrics: dict[str, Any]) -> dict[str, bool]:
    """What is claimed, and whether it holds."""
    first, last = sizes[0], sizes[-1]
    held = {
        f"{first['events']:,} events in {LIMIT_S:.0f} s": first["wall_s"] <= LIMIT_S,
        f"within {LIMIT_MB:.0f} MB": all(size["peak_mb"] < LIMIT_MB for size in sizes),
    }
    if metrics:
        slow = metrics["rouge_l@1"]["slower"] >= SLOWER
        held[f"rouge-score is {SLOWER:.0f} times slower on summaries"] = slow
    if last["events"] > 1_000_000 * TIMES:
        grown = last["wall_s"] / first["wall_s"] * TIMES * first["events"] / last["events"]
        held[f"time grows {RATIO[0]} to {RATIO[1]} times"] = RATIO[0] <= grown <= RATIO[1]
        held["memory grows by less than a tenth"] = last["peak_mb"] < GROWTH * first["peak_mb"]
    return held


def show(result: dict[str, Any]) -> None:
    """Two tables, and the claims."""
    table = Table("events", "scores", "wall s", "CPU s", "peak MB", "events/s")
    for size in result["sizes"]:
        cpu = " + ".join(f"{t:.1f}" for t in size["cpu_s"])
        numbers = (f"{size['events']:,}", f"{size['scores']:,}", f"{size['wall_s']:.1f}")
        rate = f"{size['events'] / size['wall_s']:,.0f}"
        table.add_row(*numbers, cpu, f"{size['peak_mb']:.0f}", rate)
    metrics = Table("metric", "answers", "ours us", "reference us", "slower", "all of them, s")
    for name, m in result["metrics"].items():
        times = (f"{m['ours_us']:.1f}", f"{m['reference_us']:.1f}", f"{m['slower']:.1f}")
        metrics.add_row(name, f"{m['answers']:,}", *times, f"{m['reference_all_s']:.1f}")
    console = Console()
    console.print(table, metrics)
    for claim, held in result["claims"].items():
        console.print(f"{'holds' if held else 'FAILS'}: {claim}")


def main() -> int:
    """0 where the claims hold. A quick run is far too short for them and checks the rest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two small rounds, and eight")
    parser.add_argument("--small", action="store_true", help="leave out the large archive")
    parser.add_argument("--alone", action="store_true", help="measure no other library")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--folder", type=Path, help="keep the archives here")
    parser.add_argument("--audit", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.audit:
        return audited(options.audit)
    references = {} if options.alone else {"rouge_l@1": rouge(), "qa_f1@1": longbench_f1}
    rounds, miners = (1, 20) if options.quick else (ROUNDS, audit_archive.MINERS)
    with ExitStack() as stack:
        kept = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kept.mkdir(parents=True, exist_ok=True)
        sizes = []
        for n in (rounds,) if options.small else (rounds, TIMES * rounds):
            folder = kept / f"audit-{n}-{miners}"
            audit_archive.write_archive(folder, n, miners)
            sizes.append(measure(folder))
        pairs = first_round(kept / f"audit-{rounds}-{miners}")
    metrics = {name: compared(pairs[name][:SAMPLE], name, r) for name, r in references.items()}
    for name, m in metrics.items():
        m["reference_all_s"] = m["reference_us"] * rounds * len(pairs[name]) / 1e6
    claims = verdicts(sizes, metrics)
    result = {"sizes": sizes, "metrics": metrics, "claims": claims}
    print(json.dumps(result)) if options.json else show(result)
    return 0 if options.quick or all(claims.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
