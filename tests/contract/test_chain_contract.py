"""What every Chain keeps, checked through bittensor on the local chain in its own process."""

import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import msgspec
import pytest
from anyio.abc import Process

from quasar.chain import ERA_BLOCKS, Block, Chain, Commitment, Outcome
from quasar.chain.bittensor import BittensorChain
from quasar.chain.errors import (
    CallRefused,
    CommitRevealChanged,
    NoPermit,
    NotRegistered,
    RateLimited,
    VersionRefused,
)
from quasar.chain.keys import hotkey_from_seed
from quasar.errors import ChainError, UsageError

pytestmark = pytest.mark.anyio

KEYS = [hotkey_from_seed(b"7", f"miner/{i}") for i in range(3)]
"""The first is the validator."""
STRANGER = hotkey_from_seed(b"7", "stranger")
FAST = ("--seed", "7", "--block-ms", "20", "--tempo", "5", "--netuid", "24")


async def start(*options: str) -> tuple[Process, str]:
    """The process, and its URL once it is ready."""
    hotkeys = ",".join(key.ss58_address for key in KEYS)
    command = [sys.executable, "-m", "quasar.chain.local", "--hotkeys", hotkeys, *options]
    process = await anyio.open_process(command, stderr=None)
    assert process.stdout
    line = b""
    with anyio.fail_after(60):
        while not line.endswith(b"\n"):
            line += await process.stdout.receive()
    return process, f"ws://127.0.0.1:{msgspec.json.decode(line)['port']}"


async def stop(process: Process) -> int:
    """End the process as the supervisor does; its exit code."""
    process.send_signal(signal.SIGTERM)
    with anyio.fail_after(60):
        code = await process.wait()
    await process.aclose()
    return code


@asynccontextmanager
async def running(*options: str) -> AsyncIterator[Chain]:
    """A chain of these options, and a client."""
    process, url = await start(*options)
    try:
        async with BittensorChain(url, 24) as chain:
            yield chain
    finally:
        await stop(process)


@pytest.fixture(name="chain")
async def fixture_chain() -> AsyncIterator[Chain]:
    """A running chain. A real one passes the same tests."""
    async with running(*FAST) as chain:
        yield chain


async def next_block(chain: Chain, after: int) -> Block:
    """The next finalised head above ``after``."""
    with anyio.fail_after(60):
        return await anext(aiter(chain.blocks(after)))


async def when(
    chain: Chain, read: Callable[[int], Awaitable[object]], wanted: object, least: int = 0
) -> int:
    """The first head from ``least`` on at which a read gives what is wanted."""
    head = await chain.head()
    while head.number < least or await read(head.number) != wanted:
        head = await next_block(chain, head.number)
    return head.number


async def finalised(number: int) -> bool:
    """Heads are."""
    return True


async def endpoint(chain: Chain, number: int, uid: int = 1) -> str | None:
    """What a metagraph shows of a neuron."""
    return (await chain.metagraph(number))[uid].endpoint


async def digest_at(chain: Chain, hotkey: str, number: int) -> str | None:
    """What a hotkey commits to at a block."""
    found = await chain.commitment(hotkey, number)
    return found.digest if found else None


async def test_blocks_come_in_order(chain: Chain) -> None:
    """Heads rise, each is the block of its number, and each is final when it comes."""
    after, heads = 0, list[Block]()
    with anyio.fail_after(60):
        async for block in chain.blocks(after):
            assert block.number > after
            assert block == await chain.block(block.number)
            after = block.number
            heads.append(block)
            if len(heads) == 4:
                break
    assert len({block.hash for block in heads}) == 4
    assert [b.timestamp_ms for b in heads] == sorted(b.timestamp_ms for b in heads)
    assert (await chain.head()).number >= after


async def test_a_slow_reader_jumps_to_the_newest(chain: Chain) -> None:
    """From far behind, the first head that comes is the newest, not the next."""
    head = await next_block(chain, 10)
    block = await next_block(chain, 0)
    assert block.number >= head.number > 10


async def test_history_stays(chain: Chain) -> None:
    """Old blocks, and what the subnet was at them, read the same later on."""
    genesis = await chain.block(0)
    before = (await chain.metagraph(0), await chain.hyperparameters(0))
    await next_block(chain, (await chain.head()).number)
    assert await chain.genesis() == genesis.hash == (await chain.block(0)).hash
    assert (await chain.metagraph(0), await chain.hyperparameters(0)) == before


async def test_epochs_follow_tempo(chain: Chain) -> None:
    """The epoch never falls and its length is the tempo."""
    head = await next_block(chain, 11)
    tempo = (await chain.hyperparameters(head.number)).tempo
    assert head.epoch - (await chain.block(head.number - tempo)).epoch == 1


async def test_the_future_is_refused(chain: Chain) -> None:
    """A block that is not final yet cannot be read in any way."""
    future = (await chain.head()).number + 1_000_000
    reads: list[Callable[[int], Awaitable[object]]] = [
        chain.block,
        chain.metagraph,
        chain.hyperparameters,
        lambda number: chain.weights(0, number),
        lambda number: chain.last_update(0, number),
        lambda number: chain.commitment(KEYS[0].ss58_address, number),
        lambda number: chain.outcome("0x" + "00" * 32, number),
    ]
    for read in reads:
        with pytest.raises(ChainError, match="not final"):
            await read(future)


async def test_a_served_endpoint_appears_later(chain: Chain) -> None:
    """Serving changes metagraphs of later blocks, and none that was final already."""
    final = (await chain.head()).number
    await chain.serve(KEYS[1], "127.0.0.1:8091")
    after = final
    while (await chain.metagraph(after))[1].endpoint is None:
        assert after < final + 500
        after = (await next_block(chain, after)).number
    shown = await chain.metagraph(after)
    assert [n.hotkey for n in shown] == [key.ss58_address for key in KEYS]
    assert [n.endpoint for n in shown] == [None, "127.0.0.1:8091", None]
    assert (await chain.metagraph(final))[1].endpoint is None


async def test_a_served_endpoint_is_not_sent_again(chain: Chain) -> None:
    """Serving what the chain shows already costs no call, another endpoint replaces it."""
    await chain.serve(KEYS[1], "[2001:db8::1]:80")
    number = await when(chain, lambda n: endpoint(chain, n), "[2001:db8::1]:80")
    await chain.serve(KEYS[1], "[2001:db8::1]:80")
    await chain.serve(KEYS[1], "203.0.113.7:81")
    assert await when(chain, lambda n: endpoint(chain, n), "203.0.113.7:81") > number


@pytest.mark.parametrize("text", ["host:80", "1.2.3.4", "1.2.3.4:0", "1.2.3.4:65536", ""])
async def test_a_malformed_endpoint_is_refused(chain: Chain, text: str) -> None:
    """What is not ip:port never reaches the chain."""
    with pytest.raises(UsageError, match="ip:port"):
        await chain.serve(KEYS[1], text)


async def test_a_row_lands_exactly(chain: Chain) -> None:
    """The u16 values read back are those sent; the block before knows nothing of them."""
    row = {2: 65535, 0: 1, 1: 32768}
    sent = await chain.submit_weights(KEYS[0], row, 0)
    number = await when(chain, lambda n: chain.weights(0, n), row)
    updated = await chain.last_update(0, number)
    assert updated <= number
    assert await chain.outcome(sent, updated) == Outcome(done=True)
    assert await chain.outcome(sent, updated - 1) is None
    assert await chain.weights(0, updated - 1) == {}
    assert await chain.last_update(0, updated - 1) == 0
    assert await chain.weights(0, updated) == row


@pytest.mark.parametrize("row", [{}, {1: 65534}, {1: 65535, 2: 0}])
async def test_a_row_that_would_change_is_not_sent(chain: Chain, row: dict[int, int]) -> None:
    """The chain upscales rows, so only one that it leaves alone is taken."""
    with pytest.raises(UsageError, match="65535"):
        await chain.submit_weights(KEYS[0], row, 0)


async def test_a_second_row_has_to_wait() -> None:
    """Within the rate limit the pool refuses; the first row stands."""
    async with running(*FAST, "--weights-rate-limit", "100000") as chain:
        await chain.submit_weights(KEYS[0], {1: 65535}, 0)
        await when(chain, lambda n: chain.weights(0, n), {1: 65535})
        with pytest.raises(RateLimited):
            await chain.submit_weights(KEYS[0], {2: 65535}, 0)


async def test_a_row_needs_a_registered_validator(chain: Chain) -> None:
    """A miner and a stranger are refused, each with the reason."""
    with pytest.raises(NoPermit):
        await chain.submit_weights(KEYS[1], {2: 65535}, 0)
    with pytest.raises(NotRegistered):
        await chain.submit_weights(STRANGER, {2: 65535}, 0)


async def test_rows_of_an_old_version_are_refused() -> None:
    """Below the subnet's version key nothing is sent; at it the row lands."""
    async with running(*FAST, "--version-key", "3") as chain:
        with pytest.raises(VersionRefused, match="3"):
            await chain.submit_weights(KEYS[0], {1: 65535}, 2)
        await chain.submit_weights(KEYS[0], {1: 65535}, 3)
        await when(chain, lambda n: chain.weights(0, n), {1: 65535})


async def test_plain_rows_are_refused_under_commit_reveal() -> None:
    """A subnet that takes commits refuses plain weights."""
    async with running(*FAST, "--commit-reveal") as chain:
        assert (await chain.hyperparameters(0)).commit_reveal
        with pytest.raises(CommitRevealChanged):
            await chain.submit_weights(KEYS[0], {1: 65535}, 0)


async def test_an_included_call_that_fails_says_why(chain: Chain) -> None:
    """A row for an unknown uid passes the pool; the block says what is wrong with it."""
    sent = await chain.submit_weights(KEYS[0], {99: 65535}, 0)
    first = (await chain.head()).number
    found = None
    for number in range(first, first + ERA_BLOCKS):
        await when(chain, lambda n: finalised(n), True, least=number)
        found = found or await chain.outcome(sent, number)
    assert found
    assert (found.done, found.code) == (False, "bad-row")
    assert found.reason is not None
    assert "UidVecContainInvalidOne" in found.reason
    assert await chain.weights(0, (await chain.head()).number) == {}


async def test_a_commitment_replaces_the_one_before(chain: Chain) -> None:
    """Each is read back with its block; old blocks keep theirs."""
    hotkey = KEYS[1].ss58_address
    assert await chain.commitment(hotkey, 0) is None
    seen: list[Commitment] = []
    for digest in ("ab" * 32, "cd" * 32):
        sent = await chain.set_commitment(KEYS[1], digest)
        number = await when(chain, lambda n: digest_at(chain, hotkey, n), digest)
        found = await chain.commitment(hotkey, number)
        assert found
        assert await chain.outcome(sent, found.block) == Outcome(done=True)
        seen.append(found)
    assert await chain.commitment(hotkey, seen[1].block - 1) == seen[0]
    with pytest.raises(NotRegistered):
        await chain.set_commitment(STRANGER, "ab" * 32)


async def test_calls_of_one_hotkey_do_not_collide(chain: Chain) -> None:
    """A row, a commitment and an endpoint sent at the same time all land."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(chain.submit_weights, KEYS[0], {1: 65535}, 0)
        tasks.start_soon(chain.set_commitment, KEYS[0], "ef" * 32)
        tasks.start_soon(chain.serve, KEYS[0], "127.0.0.1:80")
    await when(chain, lambda n: chain.weights(0, n), {1: 65535})
    await when(chain, lambda n: digest_at(chain, KEYS[0].ss58_address, n), "ef" * 32)
    await when(chain, lambda n: endpoint(chain, n, 0), "127.0.0.1:80")


async def test_commitments_have_room_for_31_an_epoch() -> None:
    """The 32nd within an epoch is included and fails."""
    options = ("--seed", "7", "--block-ms", "20", "--tempo", "60000")
    async with running(*options) as chain:
        for i in range(32):
            sent = await chain.set_commitment(KEYS[0], f"{i:064x}")
        await when(chain, lambda n: digest_at(chain, KEYS[0].ss58_address, n), f"{30:064x}")
        outcomes = []
        for number in range((await chain.head()).number + 3):
            await when(chain, lambda n: finalised(n), True, least=number)
            outcomes.append(await chain.outcome(sent, number))
    assert [o.code for o in outcomes if o] == ["no-space"]


async def test_a_stranger_cannot_serve(chain: Chain) -> None:
    """A hotkey that is not registered is refused."""
    with pytest.raises(NotRegistered, match="register it"):
        await chain.serve(STRANGER, "127.0.0.1:8091")


async def test_the_subnet_is_named(chain: Chain) -> None:
    """The client knows its netuid once it is connected."""
    assert chain.netuid == 24


async def test_an_unknown_subnet_is_an_error() -> None:
    """A wrong netuid is told as such."""
    process, url = await start(*FAST)
    try:
        async with BittensorChain(url, 25) as chain:
            with pytest.raises(ChainError, match="no subnet 25"):
                await chain.metagraph(0)
    finally:
        await stop(process)


async def test_a_stopped_chain_is_a_chain_error() -> None:
    """The process ends cleanly at SIGTERM, also under a poll; calls then say what to do."""
    process, url = await start("--seed", "7", "--block-ms", "60000")
    async with BittensorChain(url, 24, deadline_s=5, patience_s=0) as chain:

        async def poll() -> None:
            with pytest.raises(ChainError, match="does not answer"):
                await next_block(chain, 0)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(poll)
            await chain.head()
            assert await stop(process) == 0
        with pytest.raises(ChainError, match="start a local one"):
            await chain.head()
    with pytest.raises(ChainError, match="start a local one"):
        async with BittensorChain(url, 24, deadline_s=5):
            pass


async def test_a_restart_loses_nothing(tmp_path: Path) -> None:
    """After kill -9 the same client reads the same history, and sends again."""
    options = (*FAST, "--journal", str(tmp_path / "journal"), "--weights-rate-limit", "1")
    process, url = await start(*options)
    async with BittensorChain(url, 24) as chain:
        await chain.submit_weights(KEYS[0], {1: 65535}, 0)
        number = await when(chain, lambda n: chain.weights(0, n), {1: 65535})
        block, updated = await chain.block(number), await chain.last_update(0, number)
        process.kill()
        await process.wait()
        await process.aclose()
        process, _ = await start(*options, "--port", url.rpartition(":")[2])
        try:
            heads = chain.blocks(number)
            assert (await anext(aiter(heads))).number > number
            assert await chain.block(number) == block
            assert await chain.last_update(0, number) == updated
            await chain.submit_weights(KEYS[0], {2: 65535}, 0)
            await when(chain, lambda n: chain.weights(0, n), {2: 65535})
        finally:
            await stop(process)


async def test_held_calls_land_in_the_first_block() -> None:
    """A held chain stays at block 0, takes calls, and goes on when it is released."""
    process, url = await start(*FAST, "--hold")
    try:
        async with BittensorChain(url, 24) as chain:
            await chain.serve(KEYS[1], "127.0.0.1:80")
            assert (await chain.head()).number == 0
            await chain.request("quasar_release")
            await next_block(chain, 3)
            assert await endpoint(chain, 0) is None
            assert await endpoint(chain, 1) == "127.0.0.1:80"
    finally:
        await stop(process)


async def test_refusals_have_codes() -> None:
    """Every refusal has a name of its own for the log."""
    kinds = CallRefused.__subclasses__()
    assert len({kind.code for kind in kinds} | {CallRefused.code}) == len(kinds) + 1
