"""kill -9 of the server, of the writer and of both, at random moments, on one log that lives on."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from quasar.events.envelope import decode
from quasar.log.server import NatsServer
from tests.faults.log_faults import Site, judge, judge_log, paused, running, turns

pytestmark = [pytest.mark.anyio, pytest.mark.nats]

TURNS = 5
LIFE_MS = 150


@pytest.mark.timeout(60 + 12 * turns(TURNS))
async def test_kill_9_of_the_writer(tmp_path: Path) -> None:
    """Each new writer finds what the one before had acknowledged, and appends nothing twice."""
    site = Site(tmp_path, "writer")
    async with NatsServer.open(site.store) as server:
        for _ in range(turns(TURNS)):
            with running(site, site.orders(server)) as program:
                await program.progress()
                await site.moment(LIFE_MS)
            lines = await judge(server, site)
    times = [decode(line).at for line in lines]
    assert times != sorted(times)  # the writer's clock jumps, and nobody minds


@pytest.mark.timeout(60 + 12 * turns(TURNS))
async def test_kill_9_of_the_server(tmp_path: Path) -> None:
    """One writer outlives many servers; after each death it comes forward."""
    site = Site(tmp_path, "server")
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(NatsServer.open(site.store))
        program = stack.enter_context(running(site, site.orders(server)))
        for _ in range(turns(TURNS)):
            await program.progress()
            await site.moment(LIFE_MS)
            server.process.kill()
            await server.wait()
            server = await stack.enter_async_context(NatsServer.open(site.store))
            await program.progress()
            with paused(program.pid):
                await judge_log(server, site, torn=True)
        program.kill()
        await judge(server, site, torn=True)


@pytest.mark.timeout(60 + 12 * turns(TURNS))
async def test_kill_9_of_both(tmp_path: Path) -> None:
    """Server and writer die in the same moment, the one first or the other."""
    site = Site(tmp_path, "both")
    for _ in range(turns(TURNS)):
        async with NatsServer.open(site.store) as server:
            with running(site, site.orders(server)) as program:
                await program.progress()
                await site.moment(LIFE_MS)
                for kill in site.moments.shuffled([server.process.kill, program.kill]):
                    kill()
                await server.wait()
        async with NatsServer.open(site.store) as server:
            await judge(server, site, torn=True)
