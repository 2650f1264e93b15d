"""``quasar demo``: the whole path on one machine, with nothing configured."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import anyio
from cyclopts import Parameter

from quasar.cli import audit as audit_command
from quasar.cli import full as full_demo
from quasar.cli import logs
from quasar.cli.board import show_board
from quasar.cli.bounds import Processes, Rounds
from quasar.cli.output import err, out, program, say_json
from quasar.cli.play import Game, Played, play
from quasar.cli.playable import playable
from quasar.cli.replace import room, was_played
from quasar.errors import UsageError
from quasar.inference import check_engine, label
from quasar.log.archive_reader import ArchiveLog
from quasar.replay.finding import Report
from quasar.rules.budget import example
from quasar.rules.machine import Recorded
from quasar.rules.plan import runs_code
from quasar.rules.policy import Mix, Policy
from quasar.rules.projections import Leaderboard
from quasar.sandbox import choose

STOPPED = 130
"""Exit code after Ctrl-C or SIGTERM."""
ENGINES = ("extractive", "truncated", "random", "empty")
POLICY = "readme-v1"

START_S = 20
TOKENS_PER_S = 3_000_000
"""Of all contexts together: made, sent, read and checked again, on two cores."""
MODEL_ANSWER_S = 7
"""Of a small language model, which answers one after the other."""


def demo(
    *,
    full: Annotated[bool, Parameter(negative="")] = False,
    rounds: Rounds = 3,
    miners: Processes = 4,
    seed: int = 7,
    engine: str | None = None,
    policy: str | None = None,
    out: Path = Path("quasar-demo"),
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Play rounds with local miners on a local chain, then audit the log.

    Parameters
    ----------
    full
        Every task family, a language model among the miners, and their programs run in a sandbox:
        Docker, else bubblewrap. The model is fetched the first time (93 MB).
    rounds
        How many rounds.
    miners
        How many miners, each a process of its own.
    seed
        Hotkeys, secrets and blocks derive from it.
    engine
        What all miners run; else extractive, truncated, random, empty, in turn.
    policy
        A policy that ships with the package, or a file; else readme-v1, with --full full-v1.
    out
        Folder of the archive. An older demo there is replaced.
    json
        Print one JSON object and nothing else.
    """
    if full and engine is not None:
        raise UsageError("--full has engines of its own: leave out --engine or --full")
    logs.set_up(quiet=True)
    toml, rules = playable(policy or (full_demo.POLICY if full else POLICY))
    cast = full_demo.engines() if full else ENGINES
    names = [engine or cast[i % len(cast)] for i in range(miners)]
    for name in names:
        check_engine(name)
    missing = left_out(rules)
    with room(out), tempfile.TemporaryDirectory(prefix="quasar-demo-") as work:
        game = Game(
            rounds=rounds,
            engines=names,
            seed=seed,
            policy=toml,
            folder=out,
            work=Path(work),
            shown=not json,
        )
        announce(game, rules, missing)
        played = anyio.run(play, game)
    if played is not None:
        return conclude(game, played, missing, full=full, json=json)
    if was_played(out):
        err.print(f"stopped; what was played: {program()} audit {out}", markup=False)
    else:
        err.print("stopped before anything was played", markup=False)
    return STOPPED


def left_out(policy: Policy) -> list[str]:
    """What this machine cannot play of a policy, and why."""
    code = sorted({entry.family for entry in policy.mix if runs_code(entry.family)})
    choice = anyio.run(choose) if code else None
    if choice is None or choice.driver is not None:
        return []
    return [f"{family}, for want of a sandbox ({choice.reason})" for family in code]


def announce(game: Game, policy: Policy, missing: Sequence[str]) -> None:
    """What is going to happen, and how long it takes."""
    tasks = [entry for entry in example(policy) if not (missing and runs_code(entry.family))]
    families = ", ".join(dict.fromkeys(entry.family for entry in tasks))
    err.print(
        f"{_rounds(game.rounds)} of {len(tasks)} tasks ({families}) for {len(game.engines)} miners "
        f"({', '.join(map(label, game.engines))}), weights set on a local chain, then an audit of "
        f"it all: {_minutes(game, tasks, policy)}",
        markup=False,
    )
    for what in missing:
        err.print(f"left out: {what}", markup=False)
    err.print(f"archive: {game.folder}   scratch: {game.work} (removed at the end)", markup=False)


def _rounds(count: int) -> str:
    return "1 round" if count == 1 else f"{count} rounds"


def _minutes(game: Game, tasks: Sequence[Mix], policy: Policy) -> str:
    """A guess from the length of all contexts, or from a model's answers if these take longer."""
    tokens = 0
    for entry in tasks:
        tokens += policy.bucket(entry.bucket).tokens
    each = tokens * len(game.engines) / TOKENS_PER_S
    if any(":" in engine for engine in game.engines):
        each = max(each, MODEL_ANSWER_S * len(tasks))
    least = max(1, int(START_S + game.rounds * each) // 60)
    return f"{least}-{least + 1} minutes on two cores"


def conclude(game: Game, played: Played, missing: Sequence[str], *, full: bool, json: bool) -> int:
    """Leaderboard and weights, read back from the archive alone, and the verdict."""
    board, parts = Leaderboard(), full_demo.Parts()
    for number, line in ArchiveLog(game.folder).lines():
        seen = Recorded(number, line)
        board.feed(seen)
        parts.feed(seen)
    if json:
        say_json(summary(board, parts, played.report, missing))
    else:
        show_board(board, game.names)
        if full:
            full_demo.show(parts, game.names, played.read)
        for what in missing:
            out.print(f"left out: {what}", markup=False)
        show(board, played.report, game.folder)
    return 0 if played.report.result == "clean" else 1


def summary(
    board: Leaderboard, parts: full_demo.Parts, report: Report, missing: Sequence[str]
) -> dict[str, object]:
    """What ``--json`` prints."""
    return {
        "rounds": board.rounds,
        "tasks": board.tasks,
        "answers": board.answers,
        "scores": {
            line.hotkey: {bucket: s.mean for bucket, s in line.buckets.items()}
            for line in board.lines()
        },
        "families": parts.means(),
        "programs_run": parts.ran,
        "left_out": missing,
        "weights": board.weights,
        "checkpoint_root": report.checkpoint_root,
        "audit": report,
    }


def show(board: Leaderboard, report: Report, folder: Path) -> None:
    """The verdict, and what to look at next."""
    out.print()
    audit_command.show(report)
    best = board.lines()[0].hotkey
    out.print("\n[bold]Try next[/]")
    for words in (
        f"why {folder} {best[:6]}",
        f"log show {folder} --type AnswerScored",
        f"audit {folder} --hotkey {report.signer.hotkey if report.signer else ''}",
    ):
        out.print(f"  {program()} {words}", markup=False, soft_wrap=True)
