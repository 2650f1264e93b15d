"""One connection to a chain through the bittensor SDK, which nobody else may touch.

The SDK's own waits can hang for ever (a clean close of the websocket kills its reader, in
11.3.0), so every call here has a deadline, and a link that missed one is thrown away.
"""

import atexit
import os
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import cache
from typing import Any, TypeVar
from urllib.parse import urlsplit

import anyio

from quasar.chain.errors import Busy, FateUnknown, RuntimeMismatch, refusal
from quasar.errors import ChainError, MissingExtra, QuasarError, UsageError

CLOSE_S = 2.0
"""The SDK gets so long to close a connection."""

T = TypeVar("T")


class Link:
    """The SDK's backend for one network: ``ask`` it, and it connects by itself, again if need be.

    What it hands out is ``bittensor.RpcSubstrate``, connected.
    """

    def __init__(self, network: str, deadline_s: float) -> None:
        self._network = network
        self._deadline_s = deadline_s
        self._substrate: Any = None
        self._connecting = anyio.Lock()

    async def ask(self, question: Callable[[Any], Awaitable[T]]) -> T:
        """The answer. Raises ChainError, at the deadline at the latest."""
        substrate = None
        try:
            with anyio.fail_after(self._deadline_s):
                substrate = await self._connected()
                return await question(substrate)
        except QuasarError:
            raise
        except Exception as error:
            if not _answered(error):
                await self._drop(substrate)
            raise self._translated(error) from error

    async def send(self, unsigned: Any, signature: bytes) -> str:
        """Submit a signed call; its hash once the chain's pool has it.

        Raises CallRefused where a node says no, FateUnknown where nothing was said.
        """
        signed = await self.ask(lambda s: s.raw.attach_signature(unsigned, signature))
        name = str(signed.extrinsic_hash)
        substrate = await self.ask(_itself)
        try:
            with anyio.fail_after(self._deadline_s):
                await substrate.raw.submit_extrinsic(signed)
        except Exception as error:
            if not _answered(error):
                await self._drop(substrate)
                raise FateUnknown(name, type(error).__name__) from error
            raise self._translated(error) from error
        return name

    async def close(self) -> None:
        """End the connection."""
        await self._drop(self._substrate)

    async def _connected(self) -> Any:
        async with self._connecting:
            if self._substrate is not None and _reader_ended(self._substrate):
                await self._drop(self._substrate)
            if self._substrate is None:
                substrate = _substrate(self._network)
                await substrate.connect()
                self._substrate = substrate
            return self._substrate

    async def _drop(self, substrate: Any) -> None:
        """Forget a connection; another task may have replaced it already."""
        if substrate is None:
            return
        if self._substrate is substrate:
            self._substrate = None
        # Its reader may be dead, then close() raises what killed it.
        with anyio.move_on_after(CLOSE_S, shield=True), suppress(Exception):
            await substrate.close()

    def _translated(self, error: Exception) -> ChainError:
        """The SDK's errors in our words."""
        import bittensor as bt
        from bittensor.result import chain_error_from_substrate_request as classify

        if hasattr(error, "retry_after"):
            return Busy(f"{self._network} refuses traffic: {error}", error.retry_after)
        if isinstance(error, (ValueError, KeyError, LookupError, TypeError)):
            return RuntimeMismatch(
                f"this bittensor does not fit the chain's runtime ({error}): update bittensor"
            )
        if isinstance(error, bt.ChainError):
            return refusal(error.name, str(error)) if error.name else ChainError(str(error))
        if _answered(error):
            known = classify(error)
            return refusal(known.name, str(known))
        return ChainError(
            f"the chain at {self._network} does not answer ({type(error).__name__}): check the "
            "address, or start a local one with `quasar chain up`"
        )


def _reader_ended(substrate: Any) -> bool:
    """Whether the task that reads the socket is over: then every request would wait for ever.

    The SDK tells nobody, so this looks inside; the answer is only ever an early hint.
    """
    session = getattr(substrate.raw, "_session", None)
    reader = getattr(session, "_supervisor", None)
    if reader is None or not reader.done():
        return False
    # Fetched, or asyncio would complain that nobody did.
    if not reader.cancelled():
        reader.exception()
    return True


async def _itself(substrate: Any) -> Any:
    return substrate


def _answered(error: Exception) -> bool:
    """Whether a node spoke: the connection works."""
    import bittensor as bt

    if isinstance(error, (ValueError, KeyError, LookupError, TypeError)):
        return True
    if isinstance(error, bt.ChainError):
        return not isinstance(error, bt.RpcConnectionError) and error.name is not None
    return getattr(error, "payload", None) is not None


def _substrate(network: str) -> Any:
    """An SDK backend that is not connected yet. Raises UsageError, MissingExtra."""
    try:
        import bittensor as bt
        from bittensor import settings
    except ModuleNotFoundError as missing:
        raise MissingExtra("validator", missing.name or "bittensor") from missing
    try:
        label, url = settings.resolve_endpoint(_websocket(network))
    except ValueError as error:
        raise UsageError(str(error)) from None
    if urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1"):
        _keep_caches_apart()
    return bt.RpcSubstrate(
        url,
        fallback_endpoints=settings.default_fallback_endpoints(label),
        archive_endpoints=settings.default_archive_endpoints(label),
    )


def _websocket(network: str) -> str:
    """A node speaks HTTP and websocket on one port; the SDK wants the latter named."""
    for web, socket in (("http://", "ws://"), ("https://", "wss://")):
        if network.startswith(web):
            return socket + network.removeprefix(web)
    return network


@cache
def _keep_caches_apart() -> None:
    """A local chain's metadata must not land beside that of the networks in the home folder."""
    folder = tempfile.TemporaryDirectory(prefix="quasar-bittensor-")
    atexit.register(folder.cleanup)
    os.environ.setdefault("BITTENSOR_RUNTIME_CACHE_DIR", folder.name)
    os.environ.setdefault("BTCLI_TOKEN_SYMBOLS_CACHE", f"{folder.name}/symbols.json")
