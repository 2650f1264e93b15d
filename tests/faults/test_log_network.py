"""A network that cuts, stalls, delays and repeats: whole commands, and the answers to them."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio
import pytest
from anyio.abc import ByteStream, SocketAttribute, TaskGroup

from quasar.draw import Draw
from quasar.log.server import NatsServer
from tests.faults.log_faults import Site, judge, running, turns

pytestmark = [pytest.mark.anyio, pytest.mark.nats]

TURNS = {"cut": 6, "stall": 6, "bad": 3}
LIFE_MS = 150
REQUEST_S = 0.1
LATE_S = 0.2


def split(data: bytes) -> tuple[list[bytes], bytes]:
    """Whole commands of NATS, of either side, and what is left of one that is not yet whole."""
    commands: list[bytes] = []
    while (end := data.find(b"\r\n")) >= 0:
        words = data[:end].split()
        carries = words and words[0].upper() in (b"PUB", b"HPUB", b"MSG", b"HMSG")
        size = end + 2 + (int(words[-1]) + 2 if carries else 0)
        if size > len(data):
            break
        commands.append(data[:size])
        data = data[size:]
    return commands, data


class Network:
    """What stands between a writer and its server. Make one with ``open``."""

    def __init__(self, port: int, fates: Draw) -> None:
        self._port = port
        self._fates = fates
        self._ends: set[ByteStream] = set()
        self._flowing = anyio.Event()
        self._flowing.set()
        self.url = ""
        self._batches: dict[bytes, list[bytes]] = {}
        """Commands of batches that are not yet whole."""
        self.bad = False
        """Whether publishes and answers come twice, or late and so behind later ones."""
        self.count: Counter[tuple[str, bool]] = Counter()
        """By fate, and whether it was a publish."""

    @classmethod
    @asynccontextmanager
    async def open(cls, server: NatsServer, seed: bytes) -> AsyncIterator["Network"]:
        """A network in front of a server."""
        network = cls(int(server.url.rpartition(":")[2]), Draw(seed, "fates"))
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        network.url = f"nats://127.0.0.1:{listener.extra(SocketAttribute.local_port)}"
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, network._connect)
            yield network
            tasks.cancel_scope.cancel()

    def stall(self) -> None:
        """Nothing passes either way, and nobody is told."""
        self._flowing = anyio.Event()

    def flow(self) -> None:
        """Everything passes again, also what waited."""
        self._flowing.set()

    async def cut(self) -> None:
        """All connections end, with what was under way."""
        for end in list(self._ends):
            await anyio.aclose_forcefully(end)

    async def _connect(self, client: ByteStream) -> None:
        with suppress(OSError):
            server = await anyio.connect_tcp("127.0.0.1", self._port)
            async with client, server, anyio.create_task_group() as tasks:
                self._ends |= {client, server}
                tasks.start_soon(self._pump, client, server, tasks)
                tasks.start_soon(self._pump, server, client, tasks)
            self._ends -= {client, server}

    async def _pump(self, source: ByteStream, target: ByteStream, tasks: TaskGroup) -> None:
        rest, lock = b"", anyio.Lock()

        async def send(parcel: bytes, seconds: float = 0) -> None:
            await anyio.sleep(seconds)
            with suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
                async with lock:
                    await target.send(parcel)

        with suppress(anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError):
            while True:
                commands, rest = split(rest + await source.receive(65_536))
                await self._flowing.wait()
                for parcel in filter(None, map(self._parcel, commands)):
                    match self._fate(parcel):
                        case "twice":
                            tasks.start_soon(send, parcel, self._seconds())
                            await send(parcel)
                        case "late":
                            tasks.start_soon(send, parcel, self._seconds())
                        case _:
                            await send(parcel)
        tasks.cancel_scope.cancel()

    def _parcel(self, command: bytes) -> bytes:
        """What meets one fate: a command, or with its last one a whole batch; else nothing yet."""
        _, is_batch, rest = command.partition(b"\r\nNats-Batch-Id: ")
        if not is_batch:
            return command
        mark = rest[: rest.index(b"\r\n")]
        self._batches.setdefault(mark, []).append(command)
        return b"".join(self._batches.pop(mark)) if b"\r\nNats-Batch-Commit: " in rest else b""

    def _seconds(self) -> float:
        return self._fates.below(1000) / 1000 * LATE_S

    def _fate(self, parcel: bytes) -> str:
        published = parcel.startswith(b"HPUB q.")
        answered = parcel.startswith(b"MSG _INBOX")
        if not self.bad or not (published or answered):
            return "fine"
        fate = self._fates.choice(["fine"] * 8 + ["twice", "late"])
        if fate != "fine":
            self.count[fate, published] += 1
        return fate


@pytest.mark.timeout(60 + 12 * turns(10))
@pytest.mark.parametrize("fault", TURNS)
async def test_a_network_at_fault(tmp_path: Path, fault: str) -> None:
    """Again and again under one writer; between the faults it comes forward, and loses nothing."""
    site = Site(tmp_path, fault)
    async with (
        NatsServer.open(site.store) as server,
        Network.open(server, site.seed) as network,
    ):
        orders = site.orders(server, url=network.url, request_s=REQUEST_S)
        with running(site, orders) as program:
            for _ in range(turns(TURNS[fault])):
                await program.progress()
                await site.moment(LIFE_MS)
                await strike(network, fault, site)
            await program.progress()
        await judge(server, site)


async def strike(network: Network, fault: str, site: Site) -> None:
    """One fault, over when this returns."""
    match fault:
        case "cut":
            await network.cut()
        case "stall":
            network.stall()
            await site.moment(3 * LIFE_MS)
            network.flow()
        case "bad":
            network.count.clear()
            network.bad = True
            with anyio.fail_after(60):
                while len(network.count) < 4:  # noqa: ASYNC110 - until it did each kind of harm
                    await anyio.sleep(0.01)
            network.bad = False
