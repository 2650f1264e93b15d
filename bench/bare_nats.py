"""The limit that ``bench/log.py`` measures by: a NATS client that does as little as possible."""

import asyncio  # noqa: TID251 - the limit is a bare protocol
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from quasar.log.jetstream_api import Login, Message, frame
from quasar.log.jetstream_stream import stream_config
from quasar.log.server import NatsServer

LOG_ID = "0000abcd"


class Place(NamedTuple):
    """An empty stream."""

    server: NatsServer
    volume: int

    @property
    def login(self) -> Login:
        return Login(self.server.user, self.server.password)


class Bare(asyncio.Protocol):
    """A NATS client that does nothing but send bytes and match answers. Make one with ``open``."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._received = bytearray()
        self._awaited: dict[bytes, asyncio.Future[bytes]] = {}

    @classmethod
    @asynccontextmanager
    async def open(cls, place: Place) -> AsyncIterator["Bare"]:
        """Connected, with the volume's stream made."""
        host, port = place.server.url.removeprefix("nats://").split(":")
        loop = asyncio.get_running_loop()
        transport, bare = await loop.create_connection(cls, host, int(port))
        bare.transport = transport
        hello: dict[str, object] = {"verbose": False, "headers": True, "no_responders": True}
        hello |= {"user": place.server.user, "pass": place.server.password}
        transport.write(f"CONNECT {json.dumps(hello)}\r\nSUB i.* 1\r\n".encode())
        name, subject = f"Q-{LOG_ID}-{place.volume}", f"q.{LOG_ID}.{place.volume}"
        config = json.dumps(stream_config(name, subject, 1)).encode()
        request = Message(f"$JS.API.STREAM.CREATE.{name}", config)
        await bare.ask(b"i.create", frame([request], "i.create"))
        try:
            yield bare
        finally:
            transport.close()

    async def ask(self, reply: bytes, commands: bytes) -> bytes:
        """Send, and wait for the first answer that is not empty."""
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._awaited[reply] = answer
        self.transport.write(commands)
        data = await answer
        if b'"error"' in data:
            raise RuntimeError(data.decode())
        return data

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n")) >= 0:
            line = bytes(self._received[:end])
            if line.startswith(b"MSG "):
                _, subject, *_, size = line.split()
                stop = end + 2 + int(size)
                if len(self._received) < stop + 2:
                    return
                if payload := bytes(self._received[end + 2 : stop]):
                    self._awaited.pop(subject).set_result(payload)
                end = stop
            elif line == b"PING":
                self.transport.write(b"PONG\r\n")
            elif line.startswith(b"-ERR"):
                raise RuntimeError(line.decode())
            del self._received[: end + 2]
