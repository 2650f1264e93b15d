"""Blocks and the state after each: a pure function of options, time and included extrinsics.

A block without extrinsics is never stored: its hash, time and epoch follow from its number. So
hashes do not depend on what came in or when, and equal seeds give equal beacons.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from quasar.chain.node.extrinsics import Extrinsic
from quasar.chain.node.genesis import write_genesis
from quasar.chain.node.options import Options
from quasar.chain.node.rules import Dispatch, dispatch
from quasar.chain.node.runtime import PALLET, Runtime
from quasar.chain.node.state import Edit, Store, View
from quasar.draw import derive

FINALITY_LAG = 2
"""Blocks between the newest block and the newest finalised one."""
NO_HASH = "0x" + "00" * 32


class Body(NamedTuple):
    """What a block holds beside its timestamp."""

    extrinsics: list[bytes]
    events: bytes


class Ledger:
    """The chain up to its head."""

    def __init__(self, options: Options, runtime: Runtime, start_ms: int) -> None:
        self.options = options
        self.runtime = runtime
        self.start_ms = start_ms
        """Unix time of block 0."""
        self.head = 0
        self._seed = options.seed.encode()
        self._store = Store()
        self._bodies: dict[int, Body] = {}
        self._numbers: dict[str, int] = {}
        self._computed = self._computed_items()
        self._write(lambda edit: write_genesis(edit, options))

    @property
    def final(self) -> int:
        """Number of the newest finalised block."""
        return max(self.head - FINALITY_LAG, 0)

    def hash_of(self, number: int) -> str:
        """A block's hash; any number has one."""
        return "0x" + derive(self._seed, f"block\0{number}").hex()

    def number_of(self, block_hash: str) -> int | None:
        """The block of a hash, up to the head."""
        if block_hash not in self._numbers:
            for number in range(len(self._numbers), self.head + 1):
                self._numbers[self.hash_of(number)] = number
        return self._numbers.get(block_hash)

    def timestamp_ms(self, number: int) -> int:
        """A block's own time."""
        return self.start_ms + number * self.options.block_ms

    def header(self, number: int) -> dict[str, Any]:
        """As a node sends it. Its roots are placeholders: nobody can recompute the hash from it."""
        return {
            "parentHash": self.hash_of(number - 1) if number else NO_HASH,
            "number": hex(number),
            "stateRoot": NO_HASH,
            "extrinsicsRoot": NO_HASH,
            "digest": {"logs": []},
        }

    def extrinsics(self, number: int) -> list[bytes]:
        """All of a block, the timestamp first."""
        body = self._bodies.get(number)
        inherent = self.runtime.inherent(self.timestamp_ms(number))
        return [inherent, *(body.extrinsics if body else [])]

    def read(self, key: bytes, number: int) -> bytes | None:
        """A storage value after a block."""
        computed = self._computed.get(key)
        return computed(number) if computed else self._store.get(key, number)

    def keys(self, prefix: bytes, number: int) -> list[bytes]:
        """Storage keys with a prefix, in order."""
        computed = [k for k in self._computed if k.startswith(prefix)]
        return sorted(computed + self._store.keys(prefix, number))

    def view(self, number: int) -> View:
        """Decoded reads of the state after a block."""
        return View(self.runtime, lambda key: self.read(key, number), number)

    def include(self, number: int, extrinsics: Sequence[Extrinsic]) -> None:
        """Make block ``number``, above the head, of these."""
        self.head = number
        events = [_applied(0, _success())]
        for index, extrinsic in enumerate(extrinsics, start=1):
            events += [_applied(index, event) for event in self._execute(extrinsic)]
        encoded = self.runtime.encode_item("System", "Events", events)
        self._bodies[number] = Body([x.raw for x in extrinsics], encoded)

    def _execute(self, extrinsic: Extrinsic) -> list[dict[str, Any]]:
        """Count the nonce, do the call, and tell how it went."""
        self._write(lambda edit: _count_nonce(edit, extrinsic.signer))
        call = (extrinsic.pallet, extrinsic.function)
        try:
            events = self._write(
                lambda edit: dispatch(
                    edit, self.options, extrinsic.signer, call, extrinsic.arguments
                )
            )
        except Dispatch as failure:
            return [self._failed(failure)]
        paid = {"who": extrinsic.signer, "actual_fee": 0, "tip": 0}
        return [*events, {"TransactionPayment": {"TransactionFeePaid": paid}}, _success()]

    def _write(self, change: Callable[[Edit], None]) -> list[dict[str, Any]]:
        """Apply a change at the head, whole or not at all; its events."""
        edit = Edit(self.runtime, lambda key: self.read(key, self.head), self.head)
        change(edit)
        for key, value in edit.writes.items():
            self._store.put(key, self.head, value)
        return edit.events

    def _failed(self, failure: Dispatch) -> dict[str, Any]:
        index, error = self.runtime.errors[failure.pallet, failure.name]
        reason = {"Module": {"index": index, "error": [error, 0, 0, 0]}}
        return {"System": {"ExtrinsicFailed": {"dispatch_error": reason, **_dispatch_info()}}}

    def _computed_items(self) -> dict[bytes, Callable[[int], bytes | None]]:
        """Storage that follows from the number alone."""
        tempo, netuid = self.options.tempo, self.options.netuid

        def item(
            pallet: str, name: str, of: Callable[[int], int], *params: int
        ) -> tuple[bytes, Callable[[int], bytes]]:
            encode = self.runtime.encode_item
            return self.runtime.key(pallet, name, *params), lambda n: encode(pallet, name, of(n))

        return {
            self.runtime.key("System", "Events"): self._events,
            **dict(
                [
                    item("System", "Number", lambda n: n),
                    item("Timestamp", "Now", self.timestamp_ms),
                    item(PALLET, "SubnetEpochIndex", lambda n: n // tempo, netuid),
                    item(PALLET, "LastEpochBlock", lambda n: n - n % tempo, netuid),
                    item(PALLET, "BlocksSinceLastStep", lambda n: n % tempo, netuid),
                ]
            ),
        }

    def _events(self, number: int) -> bytes | None:
        body = self._bodies.get(number)
        return body.events if body else None


def _count_nonce(edit: Edit, signer: str) -> None:
    account = edit.get("System", "Account", signer)
    edit.put("System", "Account", [signer], account | {"nonce": account["nonce"] + 1})


def _applied(index: int, event: dict[str, Any]) -> dict[str, Any]:
    return {"phase": {"ApplyExtrinsic": index}, "event": event, "topics": []}


def _success() -> dict[str, Any]:
    return {"System": {"ExtrinsicSuccess": _dispatch_info()}}


def _dispatch_info() -> dict[str, Any]:
    weight = {"ref_time": 1000, "proof_size": 0}
    return {"dispatch_info": {"weight": weight, "class": "Normal", "pays_fee": "No"}}
