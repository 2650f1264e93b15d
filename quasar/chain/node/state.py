"""State by block: every key remembers its values and since which block each holds."""

from bisect import bisect_right
from collections.abc import Callable
from typing import Any

from quasar.chain.node.runtime import PALLET, Runtime

Read = Callable[[bytes], bytes | None]


class Store:
    """Keys and values in SCALE bytes. Old blocks read as they were."""

    def __init__(self) -> None:
        self._since: dict[bytes, list[int]] = {}
        self._values: dict[bytes, list[bytes]] = {}

    def get(self, key: bytes, number: int) -> bytes | None:
        """The value at a block."""
        at = bisect_right(self._since.get(key, ()), number)
        return self._values[key][at - 1] if at else None

    def put(self, key: bytes, number: int, value: bytes) -> None:
        """Set the value from a block on; blocks come in order."""
        since = self._since.setdefault(key, [])
        values = self._values.setdefault(key, [])
        if since and since[-1] == number:
            values[-1] = value
        else:
            since.append(number)
            values.append(value)

    def keys(self, prefix: bytes, number: int) -> list[bytes]:
        """All keys with this prefix that have a value at a block, in order."""
        return sorted(k for k, s in self._since.items() if k.startswith(prefix) and s[0] <= number)


class View:
    """Decoded reads of the state at one block."""

    def __init__(self, runtime: Runtime, read: Read, number: int) -> None:
        self.runtime = runtime
        self.number = number
        self._read = read

    def get(self, pallet: str, item: str, *params: Any) -> Any:
        """A storage value; its default where there is none."""
        raw = self._read(self.runtime.key(pallet, item, *params))
        return self.runtime.decode_item(pallet, item, raw)

    def subtensor(self, item: str, *params: Any) -> Any:
        """A value of pallet SubtensorModule."""
        return self.get(PALLET, item, *params)


class Edit(View):
    """What one call does: kept aside, so that a call that fails leaves nothing."""

    def __init__(self, runtime: Runtime, read: Read, number: int) -> None:
        super().__init__(runtime, self._read_own, number)
        self._below = read
        self.writes: dict[bytes, bytes] = {}
        self.events: list[dict[str, Any]] = []

    def put(self, pallet: str, item: str, params: list[Any], value: Any) -> None:
        """Set a storage value."""
        key = self.runtime.key(pallet, item, *params)
        self.writes[key] = self.runtime.encode_item(pallet, item, value)

    def emit(self, pallet: str, event: str, attributes: Any) -> None:
        """Tell what happened."""
        self.events.append({pallet: {event: attributes}})

    def _read_own(self, key: bytes) -> bytes | None:
        return self.writes[key] if key in self.writes else self._below(key)
