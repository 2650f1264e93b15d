"""``quasar demo``: the whole path on one machine, with nothing configured."""

import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

import anyio
from cyclopts import Parameter

from quasar.chain.bittensor import BittensorChain
from quasar.cli import audit as audit_command
from quasar.cli import logs
from quasar.cli.board import show_board
from quasar.cli.identity import demo_miner, demo_validator
from quasar.cli.live import Live
from quasar.cli.output import err, out, program, say_json
from quasar.cli.processes import child
from quasar.cli.replace import room, was_played
from quasar.config import load_policy
from quasar.errors import UsageError
from quasar.inference import engine as find_engine
from quasar.log.archive_reader import ArchiveLog
from quasar.replay.finding import Report
from quasar.rules.machine import Recorded
from quasar.rules.policy import parse
from quasar.rules.projections import Leaderboard
from quasar.supervisor.restart import drain_on_signal
from quasar.supervisor.setup import Setup
from quasar.supervisor.validator import run_validator

BLOCK_MS = 100
TEMPO = 25
NETUID = 24
STOPPED = 130
"""Exit code after Ctrl-C or SIGTERM."""
ENGINES = ("extractive", "extractive", "random", "empty")


def demo(
    *,
    rounds: int = 3,
    miners: int = 4,
    seed: int = 7,
    engine: str | None = None,
    policy: str = "readme-v1",
    out: Path = Path("quasar-demo"),
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Play rounds with local miners on a local block source, then audit the log.

    Parameters
    ----------
    rounds
        How many rounds.
    miners
        How many miners, each a process of its own.
    seed
        Hotkeys, secrets and blocks derive from it.
    engine
        What all miners run; else extractive, extractive, random, empty, in turn.
    policy
        A policy that ships with the package, or a file.
    out
        Folder of the archive. An older demo there is replaced.
    json
        Print one JSON object and nothing else.
    """
    if rounds < 1 or miners < 1:
        raise UsageError("a demo needs at least one round and one miner")
    logs.set_up(quiet=True)
    names = [engine or ENGINES[i % len(ENGINES)] for i in range(miners)]
    for name in names:
        find_engine(name)
    toml = load_policy(policy)
    parse(toml)
    with room(out), tempfile.TemporaryDirectory(prefix="quasar-demo-") as work:
        err.print(f"archive: {out}   scratch: {work} (removed at the end)", markup=False)
        report = anyio.run(play, rounds, names, seed, toml, out, Path(work), not json)
    if report is not None:
        return conclude(out, seed, names, report, json)
    if was_played(out):
        err.print(f"stopped; what was played: {program()} audit {out}", markup=False)
    else:
        err.print("stopped before anything was played", markup=False)
    return STOPPED


async def play(
    rounds: int, engines: list[str], seed: int, policy: bytes, folder: Path, work: Path, bar: bool
) -> Report | None:
    """Block source, miners and validator, until the last round is weighed; None if stopped.

    Gives the audit of the archive, made while the chain is still there to compare with.
    """
    report = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(drain_on_signal, tasks.cancel_scope)
        report = await _play(rounds, engines, seed, policy, folder, work, bar)
        tasks.cancel_scope.cancel()
    return report


async def _play(
    rounds: int, engines: list[str], seed: int, policy: bytes, folder: Path, work: Path, bar: bool
) -> Report | None:
    identity = demo_validator(seed)
    hotkeys = [identity.hotkey.ss58_address]
    hotkeys += [demo_miner(seed, i).ss58_address for i in range(len(engines))]
    async with AsyncExitStack() as stack:
        arguments = ["--seed", str(seed), "--block-ms", str(BLOCK_MS), "--tempo", str(TEMPO)]
        arguments += ["--netuid", str(NETUID), "--hotkeys", ",".join(hotkeys), "--hold"]
        source = await stack.enter_async_context(
            child("quasar.chain.local", arguments, work / "chain.log")
        )
        url = f"ws://127.0.0.1:{source['port']}"
        for index, name in enumerate(engines):
            mine = ["mine", "--chain", url, "--engine", name, "--seed", str(seed)]
            mine += ["--index", str(index), "--port", "0", "--json"]
            mine += ["--state", str(work / f"miner-{index}")]
            await stack.enter_async_context(child("quasar", mine, work / f"miner-{index}.log"))
        chain = await stack.enter_async_context(BittensorChain(url, NETUID))
        await chain.request("quasar_release")
        # The miners' endpoints are in block 1: who looks earlier sees nobody.
        await anext(aiter(chain.blocks(after=0)))
        live = Live(rounds, load_names(seed, engines), shown=bar)
        setup = Setup(
            identity=identity,
            chain=chain,
            state=work / "validator",
            archive=folder,
            policy=policy,
            mode="demo",
            freshness="none",
            rounds=rounds,
            allow_private=True,
        )
        with live:
            ended = await run_validator(setup, watch=live.watch)
        if not ended.finished:
            return None
        return await audit_command.run_audit([ArchiveLog(folder)], hotkeys[0], bar, chain)


def load_names(seed: int, engines: list[str]) -> dict[str, str]:
    """Hotkey to engine."""
    return {demo_miner(seed, i).ss58_address: name for i, name in enumerate(engines)}


def conclude(folder: Path, seed: int, engines: list[str], report: Report, json: bool) -> int:
    """Leaderboard and weights, read back from the archive alone, and the verdict."""
    board = Leaderboard()
    for number, line in ArchiveLog(folder).lines():
        board.feed(Recorded(number, line))
    if json:
        say_json(summary(board, report))
    else:
        show(board, report, folder, load_names(seed, engines))
    return 0 if report.result == "clean" else 1


def summary(board: Leaderboard, report: Report) -> dict[str, object]:
    """What ``--json`` prints."""
    return {
        "rounds": board.rounds,
        "tasks": board.tasks,
        "answers": board.answers,
        "scores": {
            line.hotkey: {bucket: s.mean for bucket, s in line.buckets.items()}
            for line in board.lines()
        },
        "weights": board.weights,
        "checkpoint_root": report.checkpoint_root,
        "audit": report,
    }


def show(board: Leaderboard, report: Report, folder: Path, names: dict[str, str]) -> None:
    """What a person sees at the end."""
    show_board(board, names)
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
