"""A flipped bit in the server's store: the log is whole, or the validator stops and says where.

The server drops what it finds damaged. It may lose events that no checkpoint covers, and then
nothing may be appended. What the archive holds comes back from there.
"""

import shutil
from pathlib import Path

import pytest

from quasar.draw import Draw
from quasar.errors import Damaged, LogError
from quasar.log.archive import ArchiveLog, ArchiveWriter
from quasar.log.archive_compare import Acknowledged, compare
from quasar.log.server import NatsServer
from tests.faults.log_faults import (
    Site,
    everything,
    go_on,
    judge,
    newest_block,
    opened,
    records,
    running,
    turns,
)
from tests.tampering import IDENTITY

pytestmark = [pytest.mark.anyio, pytest.mark.nats]

TURNS = 10
READY_S = 5.0
SILENCE_S = 1.0


async def make_site(folder: Path, killed: bool) -> tuple[Site, list[bytes]]:
    """A log of some thousand events, the newest of them in no checkpoint; and its lines."""
    site = Site(folder, f"bits {killed}")
    async with NatsServer.open(site.store) as server:
        with running(site, site.orders(server)) as program:
            await program.progress(60)
        lines = await judge(server, site)
        with Acknowledged(site.acknowledged) as acknowledged:
            acknowledged.raise_to(len(lines))
        if killed:
            server.process.kill()
            await server.wait()
    return site, lines


@pytest.mark.timeout(60 + 12 * turns(TURNS))
@pytest.mark.parametrize("killed", [False, True])
async def test_a_flipped_bit(tmp_path: Path, killed: bool) -> None:
    """In any byte of any record, below or above the newest checkpoint, after any kind of stop."""
    site, lines = await make_site(tmp_path, killed)
    signed = [line for _, line in ArchiveLog(site.archive).lines()]
    assert 0 < len(signed) < len(lines)
    whole, stopped = tmp_path / "whole", 0
    shutil.copytree(site.store, whole)
    for turn in range(turns(TURNS)):
        shutil.rmtree(site.store)
        shutil.copytree(whole, site.store)
        flip(newest_block(site.store), Draw(site.seed, f"flip {turn}"), len(signed))
        stopped += await stops(site, lines)
        assert [line for _, line in ArchiveLog(site.archive).verified()] == signed
    assert stopped > turns(TURNS) // 2
    await check_recovers(site, signed)


async def test_a_flipped_bit_that_nobody_counts(tmp_path: Path) -> None:
    """Control: without the kept number the end of a log is lost without a word."""
    site, lines = await make_site(tmp_path, killed=True)
    last = records(newest_block(site.store))[len(lines)]
    flip_at(newest_block(site.store), last.end - 1)
    site.acknowledged.unlink()
    async with NatsServer.open(site.store) as server, opened(server) as log:
        with (
            ArchiveWriter.open(site.archive, IDENTITY) as writer,
            Acknowledged(site.acknowledged) as acknowledged,
        ):
            await compare(log, writer, acknowledged)
            assert await everything(log) == lines[:-1]
            acknowledged.raise_to(len(lines))
            with pytest.raises(Damaged, match="and holds only") as caught:
                await compare(log, writer, acknowledged)
            assert caught.value.seq == len(lines)


async def test_a_flipped_bit_in_the_last_event(tmp_path: Path) -> None:
    """A server that stopped in order counts it still, and never gives it: that has an end."""
    site, lines = await make_site(tmp_path, killed=False)
    last = records(newest_block(site.store))[len(lines)]
    flip_at(newest_block(site.store), last.end - 20)
    with ArchiveWriter.open(site.archive, IDENTITY) as writer:
        async with NatsServer.open(site.store) as server, opened(server) as log:
            with (
                Acknowledged(site.acknowledged) as acknowledged,
                pytest.raises(Damaged, match="does not give it") as caught,
            ):
                await compare(log, writer, acknowledged, silence_s=SILENCE_S)
    assert caught.value.seq == len(lines)


async def test_another_event_than_the_archive_holds(tmp_path: Path) -> None:
    """The first that differs is named, however much the server holds."""
    site, lines = await make_site(tmp_path, killed=False)
    shutil.rmtree(site.archive)
    with ArchiveWriter.open(site.archive, IDENTITY) as writer:
        writer.append([*lines[:6], lines[7], *lines[7:20]])
        writer.flush()
        async with NatsServer.open(site.store) as server, opened(server) as log:
            with (
                Acknowledged(site.acknowledged) as acknowledged,
                pytest.raises(Damaged, match="event 7: the server and the archive hold"),
            ):
                await compare(log, writer, acknowledged)


def test_the_kept_number(tmp_path: Path) -> None:
    """It only rises, lives on, and what cannot be read counts as none."""
    path = tmp_path / "state" / "acknowledged"
    with Acknowledged(path) as acknowledged:
        assert acknowledged.seq == 0
        for seq, kept in ((7, 7), (3, 7), (10**12, 10**12)):
            acknowledged.raise_to(seq)
            assert acknowledged.seq == kept
    assert Acknowledged(path).seq == 10**12
    data = path.read_bytes()
    for other in (b"", data[:-1], bytes(len(data)), data.replace(b"1", b"9", 1)):
        path.write_bytes(other)
        assert Acknowledged(path).seq == 0
    path.write_bytes(data)
    with Acknowledged(path) as acknowledged:
        acknowledged.forget()
    assert Acknowledged(path).seq == 0


def flip(block: Path, draw: Draw, signed: int) -> None:
    """One bit, as often of an event behind the last signed one as of one before."""
    places = records(block)
    behind = draw.choice([True, False])
    place = places[draw.choice([seq for seq in places if (seq > signed) == behind])]
    flip_at(block, place.start + draw.below(place.end - place.start), draw.below(8))


def flip_at(block: Path, at: int, bit: int = 0) -> None:
    """A bit of the byte at that place."""
    data = bytearray(block.read_bytes())
    data[at] ^= 1 << bit
    block.write_bytes(data)


async def stops(site: Site, lines: list[bytes]) -> bool:
    """What a validator does before it appends: whether it stops. Else the log is whole."""
    try:
        async with NatsServer.open(site.store, ready_s=READY_S) as server, opened(server) as log:
            with (
                ArchiveWriter.open(site.archive, IDENTITY) as writer,
                Acknowledged(site.acknowledged) as acknowledged,
            ):
                await compare(log, writer, acknowledged, silence_s=SILENCE_S)
            assert await everything(log) == lines
            return False
    except Damaged as damage:
        return 1 <= damage.seq <= len(lines)
    except LogError as error:  # a number so large that the server does not come to an end
        return "was not ready" in str(error)


async def check_recovers(site: Site, signed: list[bytes]) -> None:
    """A new store gets what the archive holds, and the log goes on behind it."""
    shutil.rmtree(site.store)
    async with NatsServer.open(site.store) as server, opened(server) as log:
        assert await log.restore(signed) == len(signed)
        with (
            ArchiveWriter.open(site.archive, IDENTITY) as writer,
            Acknowledged(site.acknowledged) as acknowledged,
        ):
            acknowledged.forget()
            await compare(log, writer, acknowledged)
        await go_on(log)
        assert (await everything(log))[:-1] == signed
