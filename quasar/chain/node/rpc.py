"""JSON-RPC: the methods of a Substrate node that bittensor's client calls."""

from collections.abc import Callable
from typing import Any

from quasar.chain.node.calls import runtime_call
from quasar.chain.node.pool import Reject
from quasar.chain.node.production import Node
from quasar.chain.node.rules import EMULATED, NOT_EMULATED
from quasar.chain.node.runtime import SPEC_VERSION, TRANSACTION_VERSION

Method = Callable[..., Any]


class Methods:
    """Everything that needs no subscription. Parameters as in the protocol, hashes in hex."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._ledger = node.ledger
        self._table: dict[str, Method] = {
            "chain_getHead": self._head,
            "chain_getFinalizedHead": self._finalized_head,
            "chain_getFinalisedHead": self._finalized_head,
            "chain_getBlockHash": self._block_hash,
            "chain_getHeader": self._header,
            "chain_getBlock": self._block,
            "state_getRuntimeVersion": self._runtime_version,
            "state_getMetadata": self._metadata,
            "state_getStorage": self._storage,
            "state_getStorageAt": self._storage,
            "state_queryStorageAt": self._query_storage,
            "state_getKeysPaged": self._keys,
            "state_call": self._call,
            "account_nextIndex": node.pool.next_nonce,
            "system_accountNextIndex": node.pool.next_nonce,
            "author_submitExtrinsic": self.submit,
            "system_health": self._health,
            "system_chain": lambda: "Quasar local chain (emulated)",
            "quasar_release": self._release,
            "quasar_rules": self._rules,
        }

    def answer(self, method: str, params: list[Any]) -> Any:
        """The result of a call. Raises Reject."""
        function = self._table.get(method)
        if function is None:
            raise Reject(-32601, f"Method not found: {method}")
        try:
            return function(*params)
        except (TypeError, ValueError, LookupError, OverflowError, AttributeError) as error:
            raise Reject(-32602, f"Invalid params: {error}"[:300]) from None

    def submit(self, extrinsic: str) -> str:
        """Take an extrinsic into the pool; its hash."""
        return self._node.pool.submit(_bytes(extrinsic)).hash

    def _at(self, block_hash: str | None) -> int:
        """The number of a block, the newest where none is named."""
        if block_hash is None:
            return self._ledger.head
        number = self._ledger.number_of(block_hash)
        if number is None:
            raise Reject(4003, "Client error: UnknownBlock", f"Header was not found: {block_hash}")
        return number

    def _head(self) -> str:
        return self._ledger.hash_of(self._ledger.head)

    def _finalized_head(self) -> str:
        return self._ledger.hash_of(self._ledger.final)

    def _block_hash(self, number: int | None = None) -> str | None:
        number = self._ledger.head if number is None else number
        return self._ledger.hash_of(number) if 0 <= number <= self._ledger.head else None

    def _header(self, block_hash: str | None = None) -> dict[str, Any] | None:
        if block_hash is not None and self._ledger.number_of(block_hash) is None:
            return None
        return self._ledger.header(self._at(block_hash))

    def _block(self, block_hash: str | None = None) -> dict[str, Any] | None:
        header = self._header(block_hash)
        if header is None:
            return None
        extrinsics = [_hex(x) for x in self._ledger.extrinsics(self._at(block_hash))]
        return {"block": {"header": header, "extrinsics": extrinsics}, "justifications": None}

    def _runtime_version(self, _: str | None = None) -> dict[str, Any]:
        return {
            "specName": "node-subtensor",
            "implName": "quasar-local",
            "authoringVersion": 1,
            "specVersion": SPEC_VERSION,
            "implVersion": 1,
            "transactionVersion": TRANSACTION_VERSION,
            "apis": [],
        }

    def _metadata(self, _: str | None = None) -> str:
        return _hex(self._ledger.runtime.metadata)

    def _storage(self, key: str, block_hash: str | None = None) -> str | None:
        value = self._ledger.read(_bytes(key), self._at(block_hash))
        return None if value is None else _hex(value)

    def _query_storage(self, keys: list[str], block_hash: str | None = None) -> list[Any]:
        number = self._at(block_hash)
        changes = [[key, self._storage(key, block_hash)] for key in keys]
        return [{"block": self._ledger.hash_of(number), "changes": changes}]

    def _keys(
        self, prefix: str, count: int, start: str | None = None, block_hash: str | None = None
    ) -> list[str]:
        after = _bytes(start) if start else b""
        found = self._ledger.keys(_bytes(prefix), self._at(block_hash))
        return [_hex(key) for key in found if key > after][:count]

    def _call(self, method: str, argument: str, block_hash: str | None = None) -> str:
        return _hex(runtime_call(self._ledger, method, _bytes(argument), self._at(block_hash)))

    def _health(self) -> dict[str, Any]:
        return {"peers": 0, "isSyncing": False, "shouldHavePeers": False}

    def _release(self) -> bool:
        """Start a chain that is held at block 0."""
        self._node.release()
        return True

    def _rules(self) -> dict[str, Any]:
        """What this node emulates, and what not."""
        return {"emulated": EMULATED, "not_emulated": NOT_EMULATED}


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
