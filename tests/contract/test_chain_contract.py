"""What every Chain keeps, checked on the local block source in its own process."""

import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable

import anyio
import msgspec
import pytest
from anyio.abc import Process

from quasar.chain import Block, Chain
from quasar.chain.keys import hotkey_from_seed
from quasar.chain.local import LocalChain
from quasar.errors import ChainError

pytestmark = pytest.mark.anyio

KEYS = [hotkey_from_seed(b"7", f"miner/{i}") for i in range(3)]


async def start(*options: str) -> tuple[Process, str]:
    """The process, and its URL once it is ready."""
    hotkeys = ",".join(key.ss58_address for key in KEYS)
    command = [sys.executable, "-m", "quasar.chain.local", "--hotkeys", hotkeys, *options]
    process = await anyio.open_process(command, stderr=None)
    assert process.stdout
    line = b""
    with anyio.fail_after(20):
        while not line.endswith(b"\n"):
            line += await process.stdout.receive()
    return process, f"http://127.0.0.1:{msgspec.json.decode(line)['port']}"


async def stop(process: Process) -> int:
    """End the process as the supervisor does; its exit code."""
    process.send_signal(signal.SIGTERM)
    with anyio.fail_after(10):
        code = await process.wait()
    await process.aclose()
    return code


@pytest.fixture(name="chain")
async def fixture_chain() -> AsyncIterator[Chain]:
    """A running chain. A real one passes the same tests."""
    process, url = await start("--seed", "7", "--block-ms", "20", "--tempo", "5", "--netuid", "24")
    try:
        async with LocalChain(url) as chain:
            yield chain
    finally:
        await stop(process)


async def next_block(chain: Chain, after: int) -> Block:
    """The next finalised head above ``after``."""
    with anyio.fail_after(10):
        return await anext(aiter(chain.blocks(after)))


async def test_blocks_come_in_order(chain: Chain) -> None:
    """Heads rise, each is the block of its number, and each is final when it comes."""
    after, heads = 0, list[Block]()
    with anyio.fail_after(10):
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


async def test_a_stranger_cannot_serve(chain: Chain) -> None:
    """A hotkey that is not registered is refused."""
    with pytest.raises(ChainError, match="not registered"):
        await chain.serve(hotkey_from_seed(b"7", "stranger"), "127.0.0.1:8091")


async def test_the_subnet_is_named(chain: Chain) -> None:
    """The client knows its netuid once it is connected."""
    assert chain.netuid == 24


async def test_a_stopped_chain_is_a_chain_error() -> None:
    """The process ends cleanly at SIGTERM, also under a poll; calls then say what to do."""
    process, url = await start("--seed", "7", "--block-ms", "60000")
    async with LocalChain(url) as chain:

        async def poll() -> None:
            with pytest.raises(ChainError, match="does not answer"):
                await next_block(chain, 0)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(poll)
            await chain.head()
            assert await stop(process) == 0
        with pytest.raises(ChainError, match="start it with"):
            await chain.head()
    with pytest.raises(ChainError, match="start it with"):
        async with LocalChain(url):
            pass
