"""What the minimal local block source remembers: a pure function of options, time and serves."""

from ipaddress import ip_address

import msgspec

from quasar.chain import Block, Hyperparameters
from quasar.draw import derive
from quasar.errors import ChainError
from quasar.events.base import Part
from quasar.events.chain import Neuron
from quasar.events.signing import verify_hotkey

FINALITY_LAG = 2
"""Blocks between the newest block and the newest finalised one."""


class Options(Part, frozen=True):
    """What a local chain is made of. Equal options give equal block hashes."""

    seed: str
    start_ms: int
    """Unix time of block 0."""
    block_ms: int
    tempo: int
    """Blocks an epoch."""
    netuid: int
    hotkeys: list[str]
    """Registered for ever, by uid."""


class Serve(Part, frozen=True):
    """A hotkey's signed word where its door is."""

    hotkey: str
    endpoint: str
    signature: str


def serve_statement(genesis: str, netuid: int, hotkey: str, endpoint: str) -> bytes:
    """The bytes that a hotkey signs to publish its endpoint."""
    return f"quasar-local-serve/1\n{genesis}\n{netuid}\n{hotkey}\n{endpoint}\n".encode()


class History:
    """Blocks and endpoints. The caller says how many milliseconds have passed since block 0."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.genesis = self._hash(0)
        self._serves: list[tuple[int, Serve]] = []
        """Block from which each holds, in that order."""

    def begin(self, start_ms: int) -> None:
        """Block 0 was produced at this time."""
        self.options = msgspec.structs.replace(self.options, start_ms=start_ms)

    def head(self, elapsed_ms: int) -> int:
        """Number of the newest finalised block; block 0 is final from the start."""
        return max(elapsed_ms // self.options.block_ms - FINALITY_LAG, 0)

    def final_at_ms(self, number: int) -> int:
        """When a block becomes final, in milliseconds since block 0."""
        return (number + FINALITY_LAG) * self.options.block_ms if number else 0

    def block(self, number: int, elapsed_ms: int) -> Block:
        """A finalised block. Raises ChainError for any other."""
        head = self.head(elapsed_ms)
        if not 0 <= number <= head:
            raise ChainError(f"block {number} is not final, the head is {head}: ask again later")
        o = self.options
        return Block(
            number=number,
            hash=self._hash(number),
            timestamp_ms=o.start_ms + number * o.block_ms,
            epoch=number // o.tempo,
        )

    def metagraph(self, number: int, elapsed_ms: int) -> list[Neuron]:
        """The neurons at a finalised block. Raises ChainError for any other."""
        self.block(number, elapsed_ms)
        served = {s.hotkey: s.endpoint for since, s in self._serves if since <= number}
        return [
            Neuron(uid=uid, hotkey=hotkey, endpoint=served.get(hotkey))
            for uid, hotkey in enumerate(self.options.hotkeys)
        ]

    def hyperparameters(self, number: int, elapsed_ms: int) -> Hyperparameters:
        """The same at every finalised block. Raises ChainError for any other."""
        self.block(number, elapsed_ms)
        return Hyperparameters(
            tempo=self.options.tempo,
            weights_rate_limit=0,
            min_allowed_weights=1,
            max_weights_limit=65535,
            weights_version=0,
            commit_reveal=False,
        )

    def serve(self, serve: Serve, elapsed_ms: int) -> int:
        """Take an endpoint; it holds from the returned block, which is never final yet.

        Raises ChainError for a stranger, a wrong signature or a malformed endpoint.
        """
        if serve.hotkey not in self.options.hotkeys:
            raise ChainError(f"{serve.hotkey} is not registered: start the chain with it")
        o = self.options
        statement = serve_statement(self.genesis, o.netuid, serve.hotkey, serve.endpoint)
        if not verify_hotkey(serve.hotkey, statement, serve.signature):
            raise ChainError("the signature is not the hotkey's: sign with the served hotkey")
        if not _is_endpoint(serve.endpoint):
            raise ChainError(f"{serve.endpoint!r} is not an endpoint: give it as ip:port")
        since = elapsed_ms // o.block_ms + 1
        self.restore(since, serve)
        return since

    def restore(self, since: int, serve: Serve) -> None:
        """Put back an endpoint that was taken before a restart."""
        self._serves.append((since, serve))

    def _hash(self, number: int) -> str:
        return "0x" + derive(self.options.seed.encode(), f"block\0{number}").hex()


def _is_endpoint(text: str) -> bool:
    host, _, port = text.rpartition(":")
    try:
        ip_address(host.removeprefix("[").removesuffix("]"))
        return 0 < int(port) < 65536 and port.isdecimal()
    except ValueError:
        return False
