"""kill -9 of the validator while it brings a row on chain, and of the chain under it."""

import json
import os
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import anyio
import msgspec
import pytest

from quasar.chain.bittensor import BittensorChain
from quasar.chain.node.extrinsics import decode_extrinsic
from quasar.chain.node.journal import Entry, Produced
from quasar.chain.node.runtime import Runtime
from quasar.cli.identity import demo_miner, demo_validator
from quasar.draw import Draw
from quasar.events import (
    RunStarted,
    WeightsComputed,
    WeightsConfirmed,
    WeightsFailed,
    WeightsIntended,
    WeightsSubmitted,
    WeightsUnknown,
    WeightsVerified,
)
from quasar.events.envelope import Envelope, decode
from tests.e2e.programs import (
    QUASAR,
    Watcher,
    first_line,
    newest_volume,
    processes_naming,
    run,
    running,
    start,
)
from tests.forging import few_tasks
from tests.ports import free_port

pytestmark = pytest.mark.nats

SEED = 7
MINERS = 2
BLOCK_MS = 30
TEMPO = 30
VALIDATOR_KILLS = int(os.environ.get("QUASAR_FAULT_TURNS", "6"))
CHAIN_KILLS = 2
"""Of every fourth life; more would only make the actors wait longer before each restart."""
SPREAD_MS = 180
"""About what a row takes from its intent to WeightsVerified; kills fall into it evenly."""
LANDMARKS = ["WeightsIntended", "WeightsIntended", "WeightsIntended", "WeightsComputed"]
"""What a kill comes after."""
HOTKEY = demo_validator(SEED).hotkey.ss58_address
CALM = {
    "round_every_blocks = 75 ": "round_every_blocks = 150 ",
    "max_lag_blocks = 50": "max_lag_blocks = 1_000_000",
}


class Node:
    """A local chain that is killed and goes on from its journal, at the same port."""

    def __init__(self, work: Path) -> None:
        self.journal = work / "chain.jsonl"
        self._errors = work / "chain.log"
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        miners = [demo_miner(SEED, i).ss58_address for i in range(MINERS)]
        arguments = ["--seed", str(SEED), "--block-ms", str(BLOCK_MS), "--tempo", str(TEMPO)]
        arguments += ["--hotkeys", ",".join([HOTKEY, *miners]), "--journal", str(self.journal)]
        arguments += ["--weights-rate-limit", "5", "--port", str(self._port)]
        self._process = start("quasar.chain.local", arguments, self._errors)
        assert first_line(self._process)["port"] == self._port

    def kill(self) -> None:
        if self._process is not None:
            end(self._process)

    def rows(self) -> list[tuple[int, dict[int, int]]]:
        """Block and row of every weight call that a block holds."""
        runtime, found = Runtime(), []
        for line in self.journal.read_bytes().splitlines()[1:]:
            entry = msgspec.json.decode(line, type=Entry)
            for raw in entry.extrinsics if isinstance(entry, Produced) else ():
                x = decode_extrinsic(runtime, raw)
                if x.signer == HOTKEY and x.function == "set_mechanism_weights":
                    row = zip(x.arguments["dests"], x.arguments["weights"], strict=True)
                    found.append((entry.number, dict(row)))
        return found


def end(process: "subprocess.Popen[bytes]") -> None:
    """As a power cut would."""
    process.kill()
    process.wait()
    if process.stdout:
        process.stdout.close()


@contextmanager
def subnet(work: Path) -> Iterator[Node]:
    """A chain and its miners."""
    node = Node(work)
    with ExitStack() as stack:
        stack.callback(node.kill)
        node.start()
        for i in range(MINERS):
            mine = ["mine", "--chain", node.url, "--engine", "extractive", "--seed", str(SEED)]
            mine += [
                "--index",
                str(i),
                "--port",
                "0",
                "--json",
                "--state",
                str(work / f"miner-{i}"),
            ]
            first_line(stack.enter_context(running(QUASAR, mine, work / f"miner-{i}.log")))
        yield node


@pytest.mark.timeout(240)
def test_a_row_lands_once_or_an_event_says_why_not(tmp_path: Path) -> None:
    """Killed at random points of a row's way, as is the chain: no wrong row, and none twice."""
    draw, archive = Draw(b"tests", "weights"), tmp_path / "archive"
    watcher, policy = Watcher(archive), tmp_path / "policy.toml"
    policy.write_bytes(few_tasks(**CALM))
    with subnet(tmp_path) as node:
        validate = ["validate", "--chain", node.url, "--seed", str(SEED), "--policy", str(policy)]
        validate += ["--state", str(tmp_path / "state"), "--out", str(archive), "--json"]
        for life in range(VALIDATOR_KILLS):
            process = start(QUASAR, validate, tmp_path / "validator.log")
            try:
                for _ in range(CHAIN_KILLS if life % 4 == 1 else 0):
                    watcher.wait("WeightsIntended", process)
                    time.sleep(draw.below(SPREAD_MS) / 1000)
                    node.kill()
                    node.start()
                watcher.wait(LANDMARKS[life % len(LANDMARKS)], process)
                time.sleep(draw.below(SPREAD_MS) / 1000)
                assert process.poll() is None
            finally:
                end(process)
        last = run(*validate, "--rounds", str(watcher.rounds + 1))
        assert last.code == 0, last.err
        audited = run("audit", str(archive), "--hotkey", HOTKEY, "--json")
        report = json.loads(audited.out)
        assert (audited.code, report["result"]) == (0, "clean"), audited.out
        landed = node.rows()
        anyio.run(check_node, node.url, landed)
        check_rows([decode(line) for _, line in newest_volume(archive).lines()], landed)
    assert processes_naming(str(tmp_path)) == {}


async def check_node(url: str, landed: list[tuple[int, dict[int, int]]]) -> None:
    """Each call of the journal was done, and its row stood as it was sent."""
    async with BittensorChain(url, 24) as chain:
        for number, row in landed:
            assert await chain.last_update(0, number) == number
            assert await chain.weights(0, number) == row


def check_rows(events: list[Envelope], landed: list[tuple[int, dict[int, int]]]) -> None:
    """Every row ended, and is on chain once where the log says that it stood, else not at all."""
    rows: dict[int, dict[int, int]] = {}
    begun: dict[int, int] = {}
    ended: dict[int, str] = {}
    for e in events:
        match e.event:
            case WeightsComputed(epoch=epoch, weights=weights):
                rows[epoch] = {w.uid: w.u16 for w in weights if w.u16}
            case WeightsIntended(epoch=epoch, block=block):
                begun.setdefault(epoch, block)
            case WeightsVerified(epoch=epoch, equal=equal):
                assert equal
                ended[epoch] = "verified"
            case WeightsFailed(epoch=epoch, code=code):
                assert epoch not in ended
                ended[epoch] = code
    # Rows go one after another: a call belongs to the newest row that was begun before its block.
    owners = [max(e for e, block in begun.items() if block < number) for number, _ in landed]
    assert max(Counter(owners).values()) == 1, sorted(owners)
    for owner, (number, row) in zip(owners, landed, strict=True):
        assert row == rows[owner], number
    newest = max(rows)
    assert set(rows) - set(ended) <= {newest}
    stood = {epoch for epoch, end in ended.items() if end == "verified"}
    assert stood <= set(owners) <= stood | {newest}
    assert len(stood) >= VALIDATOR_KILLS // 3, Counter(ended.values())
    check_kills_hit(events)


def check_kills_hit(events: list[Envelope]) -> None:
    """Kills fell between a row and its end, at different places."""
    newest: dict[int, str] = {}
    """Of every open row, by epoch."""
    hit: list[str] = []
    for e in events:
        match e.event:
            case RunStarted() if newest:
                hit.append(newest[min(newest)])
            case WeightsVerified(epoch=epoch) | WeightsFailed(epoch=epoch):
                newest.pop(epoch)
            case (
                WeightsComputed(epoch=epoch)
                | WeightsIntended(epoch=epoch)
                | WeightsSubmitted(epoch=epoch)
                | WeightsConfirmed(epoch=epoch)
                | WeightsUnknown(epoch=epoch)
            ):
                newest[epoch] = type(e.event).__name__
    assert len(hit) >= VALIDATOR_KILLS // 3, hit
    assert len(set(hit)) >= 2, Counter(hit)
