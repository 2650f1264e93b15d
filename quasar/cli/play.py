"""The processes of a demo: a local chain, miners, and the validator in this one."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import anyio
import msgspec

from quasar.chain.bittensor import BittensorChain
from quasar.cli import audit as audit_command
from quasar.cli.identity import demo_miner, demo_validator
from quasar.cli.live import Live
from quasar.cli.processes import child
from quasar.inference import label
from quasar.log.archive_reader import ArchiveLog
from quasar.replay.finding import Report
from quasar.supervisor.restart import drain_on_signal
from quasar.supervisor.setup import Setup
from quasar.supervisor.validator import run_validator

BLOCK_MS = 100
TEMPO = 25
NETUID = 24


@dataclass(frozen=True, kw_only=True)
class Game:
    """What is played, and where."""

    rounds: int
    engines: Sequence[str]
    """One a miner."""
    seed: int
    policy: bytes
    folder: Path
    """Of the archive."""
    work: Path
    """Scratch."""
    shown: bool
    """Whether progress is shown."""

    @property
    def miners(self) -> list[str]:
        """Hotkeys, in the order of their engines."""
        return [demo_miner(self.seed, i).ss58_address for i in range(len(self.engines))]

    @property
    def names(self) -> dict[str, str]:
        """Hotkey to engine."""
        return dict(zip(self.miners, map(label, self.engines), strict=True))


class Read(NamedTuple):
    """What an engine that counts tokens has read of its contexts."""

    answers: int
    kept: int
    tokens: int


class Played(NamedTuple):
    """A game that came to its end."""

    report: Report
    """The audit, made while the chain was still there to compare with."""
    read: dict[str, Read]
    """By hotkey."""


async def play(game: Game) -> Played | None:
    """Chain, miners and validator, until the last round is weighed; None if stopped."""
    played = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(drain_on_signal, tasks.cancel_scope)
        played = await _play(game)
        tasks.cancel_scope.cancel()
    return played


async def _play(game: Game) -> Played | None:
    identity = demo_validator(game.seed)
    async with AsyncExitStack() as stack:
        url = await _start_children(stack, game, identity.hotkey.ss58_address)
        chain = await stack.enter_async_context(BittensorChain(url, NETUID))
        await chain.request("quasar_release")
        # The miners' endpoints are in block 1: who looks earlier sees nobody.
        await anext(aiter(chain.blocks(after=0)))
        setup = Setup(
            identity=identity,
            chain=chain,
            state=game.work / "validator",
            archive=game.folder,
            policy=game.policy,
            mode="demo",
            freshness="none",
            rounds=game.rounds,
            allow_private=True,
        )
        live = Live(game.rounds, game.names, shown=game.shown)
        with live:
            ended = await run_validator(setup, watch=live.watch)
        if not ended.finished:
            return None
        report = await audit_command.run_audit(
            [ArchiveLog(game.folder)], identity.hotkey.ss58_address, game.shown, chain
        )
        logs = [_miner_log(game, i) for i in range(len(game.engines))]
        return Played(report, dict(zip(game.miners, map(_read, logs), strict=True)))


async def _start_children(stack: AsyncExitStack, game: Game, validator: str) -> str:
    """A chain that holds its blocks back, and the miners on it; gives its URL."""
    hotkeys = ",".join([validator, *game.miners])
    arguments = ["--seed", str(game.seed), "--block-ms", str(BLOCK_MS), "--tempo", str(TEMPO)]
    arguments += ["--netuid", str(NETUID), "--hotkeys", hotkeys, "--hold"]
    source = await stack.enter_async_context(
        child("quasar.chain.local", arguments, game.work / "chain.log")
    )
    url = f"ws://127.0.0.1:{source['port']}"
    for index, engine in enumerate(game.engines):
        mine = ["mine", "--chain", url, "--engine", engine, "--seed", str(game.seed)]
        mine += ["--index", str(index), "--port", "0", "--json"]
        mine += ["--state", str(game.work / f"miner-{index}")]
        await stack.enter_async_context(child("quasar", mine, _miner_log(game, index)))
    return url


def _miner_log(game: Game, index: int) -> Path:
    return game.work / f"miner-{index}.log"


class _Line(msgspec.Struct):
    """What matters of a line that a miner logs about an answer."""

    event: str
    read: int = 0
    of: int = 0


def _read(log: Path) -> Read:
    """The sum of what a miner reported; lines of anything else are passed over."""
    answers = kept = tokens = 0
    for text in log.read_bytes().splitlines():
        try:
            line = msgspec.json.decode(text, type=_Line)
        except msgspec.MsgspecError:
            continue
        if line.event == "inference.answered":
            answers, kept, tokens = answers + 1, kept + line.read, tokens + line.of
    return Read(answers, kept, tokens)
