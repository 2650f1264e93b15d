"""One signed HTTP request to a miner, bounded in every direction."""

import hashlib
import time
from collections.abc import AsyncIterator
from typing import NamedTuple

import aiohttp
import anyio
from yarl import URL

from quasar.door import btauth, wire
from quasar.door.failure import Attempt
from quasar.door.packing import Packed
from quasar.errors import Refused
from quasar.events.signing import Signer

CHUNK_BYTES = 1 << 16


def open_session() -> aiohttp.ClientSession:
    """A session that keeps nothing and follows nothing.

    Connections are not kept: on a kept one aiohttp may send a request twice, nonce and all.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(force_close=True, limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        headers={"Accept-Encoding": "identity", "User-Agent": "quasar"},
    )


class Reply(NamedTuple):
    """A response, read to its end."""

    status: int
    body: bytes


class Caller:
    """Signs with one hotkey, each request under a nonce of its own."""

    def __init__(self, signer: Signer, session: aiohttp.ClientSession, connect_s: float) -> None:
        self.session = session
        # Total time is bounded by the attempt.
        self.timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_s)
        self._signer = signer
        self._nonce_ns = 0

    def sign(self, method: str, target: str, body_sha256: str, receiver: str) -> dict[str, str]:
        """Headers of one request."""
        self._nonce_ns = max(time.time_ns(), self._nonce_ns + 1)
        headers = btauth.sign(self._signer, method, target, body_sha256, receiver, self._nonce_ns)
        return headers | {wire.BODY_SHA256: body_sha256}


class Call(NamedTuple):
    """The requests to one miner in one attempt."""

    caller: Caller
    attempt: Attempt
    origin: str
    """``http://ip:port``"""
    receiver: str
    """The miner's hotkey."""

    async def send(
        self, method: str, target: str, body: bytes | Packed, expect: set[int], max_bytes: int
    ) -> Reply:
        """Send one request and read its response, of at most ``max_bytes``.

        Raises Refused (``http-NNN`` for a status that is not expected, ``too-large``,
        ``encoded``), and whatever aiohttp raises.
        """
        sha256, size, data = self._open(body)
        headers = self.caller.sign(method, target, sha256, self.receiver)
        if size:
            headers["Content-Length"] = str(size)
        async with self.caller.session.request(
            method,
            URL(self.origin + target, encoded=True),
            data=data,
            headers=headers,
            allow_redirects=False,
            timeout=self.caller.timeout,
        ) as response:
            reply = Reply(response.status, await self._receive(response, max_bytes))
        if reply.status not in expect:
            raise Refused(f"http-{reply.status}", f"to {method}: {reply.body[:200]!a}")
        return reply

    def _open(self, body: bytes | Packed) -> tuple[str, int, bytes | AsyncIterator[bytes] | None]:
        if isinstance(body, Packed):
            return body.sha256, body.size, self._read(body)
        return hashlib.sha256(body).hexdigest(), len(body), body or None

    async def _read(self, packed: Packed) -> AsyncIterator[bytes]:
        try:
            async with await anyio.open_file(packed.path, "rb") as file:
                while chunk := await file.read(CHUNK_BYTES):
                    yield chunk
                    self.attempt.count(len(chunk))
        except OSError as failure:
            self.attempt.blame_self(failure)
            raise

    async def _receive(self, response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise Refused("encoded", "the response is compressed, though that was not asked for")
        chunks, left = list[bytes](), max_bytes
        async for chunk in response.content.iter_chunked(CHUNK_BYTES):
            self.attempt.count_received(len(chunk))
            left -= len(chunk)
            if left < 0:
                raise Refused("too-large", f"the response has more than {max_bytes} bytes")
            chunks.append(chunk)
        return b"".join(chunks)
