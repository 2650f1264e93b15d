"""What clients asked to be told: new heads, finalised heads, the fate of an extrinsic."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import anyio
import msgspec
from anyio.streams.memory import MemoryObjectSendStream

from quasar.chain.node.pool import Reject
from quasar.chain.node.production import Node

Outbox = MemoryObjectSendStream[bytes]

_HEADS = {"chain_subscribeNewHeads": "new", "chain_subscribeFinalizedHeads": "final"}
_WATCH = "author_submitAndWatchExtrinsic"
_END = frozenset(
    {
        "chain_unsubscribeNewHeads",
        "chain_unsubscribeFinalizedHeads",
        "author_unwatchExtrinsic",
    }
)


@dataclass
class _Subscription:
    send: Outbox
    topic: str
    """``new``, ``final``, or the hash of an extrinsic."""
    block: int | None = None
    """Where a watched extrinsic was included."""


class Subscriptions:
    """All of a node's, by id."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._open: dict[str, _Subscription] = {}
        self._count = 0
        self._final = 0

    def handles(self, method: str) -> bool:
        """Whether a method is about subscriptions."""
        return method in _HEADS or method in _END or method == _WATCH

    def answer(
        self, method: str, params: list[Any], send: Outbox, submit: Callable[[str], str]
    ) -> str | bool:
        """Begin or end one. Raises Reject."""
        if method in _END:
            return bool(self._open.pop(str(params[0]) if params else "", None))
        if method == _WATCH and not (params and isinstance(params[0], str)):
            raise Reject(-32602, "Invalid params: give an extrinsic")
        topic = submit(params[0]) if method == _WATCH else _HEADS[method]
        self._count += 1
        name = f"quasar-{self._count}"
        self._open[name] = _Subscription(send, topic)
        return name

    def forget(self, send: Outbox) -> None:
        """End all of a client that left."""
        self._open = {n: s for n, s in self._open.items() if s.send is not send}

    def publish(self, included: dict[str, int]) -> None:
        """Tell about a new head, and about extrinsics by their hash and block."""
        ledger = self._node.ledger
        final_moved, self._final = ledger.final > self._final, ledger.final
        for name, one in list(self._open.items()):
            if one.topic == "new":
                self._tell(name, one, ledger.header(ledger.head))
            elif one.topic == "final":
                if final_moved:
                    self._tell(name, one, ledger.header(ledger.final))
            else:
                self._follow(name, one, included)

    def _follow(self, name: str, one: _Subscription, included: dict[str, int]) -> None:
        """Tell where a watched extrinsic is now."""
        ledger = self._node.ledger
        if one.block is None and one.topic in included:
            one.block = included[one.topic]
            self._tell(name, one, {"inBlock": ledger.hash_of(one.block)})
        elif one.block is None:
            # The pool is empty after every block: what is not included was dropped.
            self._tell(name, one, "dropped")
            self._open.pop(name, None)
        elif one.block <= ledger.final:
            self._tell(name, one, {"finalized": ledger.hash_of(one.block)})
            self._open.pop(name, None)

    def _tell(self, name: str, one: _Subscription, result: Any) -> None:
        note = {"subscription": name, "result": result}
        message = {"jsonrpc": "2.0", "method": "quasar_update", "params": note}
        try:
            one.send.send_nowait(msgspec.json.encode(message))
        except (anyio.WouldBlock, anyio.ClosedResourceError, anyio.BrokenResourceError):
            # A client that does not read is left to its own requests.
            self._open.pop(name, None)
