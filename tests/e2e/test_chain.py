"""The unmodified bittensor client against the local chain, as anybody would use it."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import bittensor as bt
import pytest

from quasar.chain.keys import hotkey_from_seed
from quasar.draw import derive
from tests.e2e.programs import PATIENCE_S, first_line, running

pytestmark = pytest.mark.anyio

KEYS = [hotkey_from_seed(b"7", f"miner/{i}") for i in range(3)]
VALIDATOR, MINER = KEYS[0], KEYS[1]
NETUID = 24
OPTIONS = ["--seed", "7", "--block-ms", "50", "--tempo", "20", "--weights-rate-limit", "1000"]


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written into the home folder."""
    monkeypatch.setenv("BITTENSOR_RUNTIME_CACHE_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("BTCLI_TOKEN_SYMBOLS_CACHE", str(tmp_path / "symbols.json"))


@pytest.fixture(name="url")
def fixture_url(tmp_path: Path) -> Iterator[str]:
    hotkeys = ",".join(key.ss58_address for key in KEYS)
    options = [*OPTIONS, "--hotkeys", hotkeys]
    with running("quasar.chain.local", options, tmp_path / "chain.log") as process:
        yield f"ws://127.0.0.1:{first_line(process)['port']}"
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    assert (tmp_path / "chain.log").read_text() == ""


@pytest.fixture(name="client")
async def fixture_client(url: str) -> AsyncIterator[Any]:
    async with bt.Subtensor(url) as client:
        yield client


async def test_the_metagraph(client: Any) -> None:
    """Hotkeys by uid, coldkeys that own them, stake and a permit for the first."""
    graph = await client.subnets.metagraph(NETUID)
    assert graph.hotkeys == [key.ss58_address for key in KEYS]
    assert len(set(graph.coldkeys)) == 3
    assert [n.validator_permit for n in graph.neurons] == [True, False, False]
    assert [n.total_stake.rao > 0 for n in graph.neurons] == [True, False, False]
    assert graph.tempo == 20
    assert await client.subnets.metagraph(NETUID + 1) is None


async def test_weights_are_set_and_read_back(client: Any) -> None:
    """The SDK's own SetWeights lands; the raw row and the shares read back."""
    result = await client.execute(bt.SetWeights(netuid=NETUID, weights={1: 0.9, 2: 0.1}), VALIDATOR)
    assert result.success, result
    row = await client.query(bt.storage.SubtensorModule.Weights, [NETUID, 0])
    assert list(row) == [(1, 65535), (2, 7282)]
    shares = (await client.weights.weights(netuid=NETUID))[0]
    assert shares == {1: pytest.approx(0.9, abs=1e-4), 2: pytest.approx(0.1, abs=1e-4)}
    block = int(result.extrinsic_id.partition("-")[0])
    before = await client.query(bt.storage.SubtensorModule.Weights, [NETUID, 0], block=block - 1)
    assert list(before) == []


async def test_the_rate_limit_reaches_the_client(client: Any) -> None:
    """A second row is refused by the SDK's preflight; past it, by the pool."""
    weights = bt.SetWeights(netuid=NETUID, weights={1: 1.0})
    assert (await client.execute(weights, VALIDATOR, wait_for_finalization=False)).success
    with pytest.raises(bt.ChainError) as caught:
        await client.execute(weights, VALIDATOR)
    assert caught.value.code == bt.ErrorCode.RATE_LIMITED
    call = bt.calls.SubtensorModule.set_mechanism_weights(
        netuid=NETUID, mecid=0, dests=[1], weights=[65535], version_key=0
    )
    result = await client.submit_call(call, VALIDATOR, signer="hotkey")
    assert result.error.name == "RateLimitExceeded"


async def test_failures_have_the_chains_names(client: Any) -> None:
    """A miner has no stake: the pool says so in subtensor's words."""
    result = await client.execute(bt.SetWeights(netuid=NETUID, weights={1: 1.0}), MINER)
    assert result.error.name == "StakeAmountTooLow"


async def test_a_commitment(client: Any) -> None:
    """Set with a raw call, read back with its block by both of the SDK's reads."""
    info = {"fields": [[{"Sha256": "0x" + "ab" * 32}]]}
    call = bt.calls.Commitments.set_commitment(netuid=NETUID, info=info)
    assert (await client.submit_call(call, MINER, signer="hotkey")).success
    found = (await client.subnets.commitments(NETUID))[MINER.ss58_address]
    assert found.data == "sha256:0x" + "ab" * 32
    one = await client.identity.commitment(netuid=NETUID, hotkey_ss58=MINER.ss58_address)
    assert list(one.fields) == [{"Sha256": "0x" + "ab" * 32}]


async def test_an_axon(client: Any) -> None:
    """Served and shown by the metagraph, and not by that of the block before."""
    intent = bt.ServeAxon(netuid=NETUID, ip="203.0.113.7", port=8091)
    result = await client.execute(intent, MINER)
    assert result.success, result
    block = int(result.extrinsic_id.partition("-")[0])
    for number, shown in ((block, "203.0.113.7:8091"), (block - 1, None)):
        graph = await client.subnets.metagraph(NETUID, block=number)
        assert graph.by_hotkey(MINER.ss58_address).axon == shown


async def test_blocks_and_epochs(client: Any) -> None:
    """Heads come in order, finalised ones two behind; epochs come every tempo blocks."""
    numbers = []
    async for header in client.blocks(finalized=True):
        numbers.append(header.number)
        if len(numbers) == 3:
            break
    assert numbers == sorted(set(numbers))
    assert await client.finalized_block() <= await client.block() - 2
    event = await client.wait_for_epoch(NETUID, timeout=PATIENCE_S)
    assert event.block % 20 == 0
    status = await client.epochs.epoch_status(netuid=NETUID)
    assert status["next_epoch_start_block"] % 20 == 0


async def test_hashes_and_times(client: Any) -> None:
    """Each header names its parent, and the clock of blocks runs with --block-ms."""
    await client.wait_for_block(6, timeout=PATIENCE_S)
    first, second = await client.block_info(4), await client.block_info(5)
    assert (second.timestamp - first.timestamp).total_seconds() == pytest.approx(0.05)
    async for header in client.blocks():
        info = await client.block_info(header.number - 1)
        assert info.hash == header.parent_hash
        break


def test_a_script_that_only_knows_bittensor(url: str) -> None:
    """The one-line setter of the SDK works in a process of its own."""
    program = (
        "import sys, bittensor as bt\n"
        "from bittensor.keyfiles import Keypair\n"
        "key = Keypair.create_from_seed(bytes.fromhex(sys.argv[2]))\n"
        "bt.set_weights(24, {1: 1.0, 2: 0.5}, wallet=key, network=sys.argv[1])\n"
        "print(bt.Subtensor(sys.argv[1]).weights.weights(netuid=24)[0][1])\n"
    )
    seed = derive(b"7", "miner/0").hex()
    command = [sys.executable, "-c", program, url, seed]
    run = subprocess.run(command, capture_output=True, timeout=PATIENCE_S, env=os.environ)
    assert run.returncode == 0, run.stderr.decode()
    assert float(run.stdout) == pytest.approx(2 / 3, abs=1e-4)
