"""The recorded runtime metadata, and how values become SCALE bytes under it."""

import hashlib
import json
import lzma
from functools import cached_property
from importlib.resources import files
from typing import Any

import bittensor_core

from quasar.errors import CannotJudge

SPEC_VERSION = 461
TRANSACTION_VERSION = 1
SS58_FORMAT = 42
METADATA_SHA256 = "0d812a161c40efbe58ac13785cb579ab79b0bc7c4b57f5bcd27981501a8c8ca8"
PALLET = "SubtensorModule"


def load_metadata() -> bytes:
    """Metadata (V15) of spec 461 and the storage item that bittensor 11.3 reads beyond it."""
    packed = (files("quasar.chain") / "data" / "runtime-461.xz").read_bytes()
    metadata = lzma.decompress(packed)
    if hashlib.sha256(metadata).hexdigest() != METADATA_SHA256:
        raise CannotJudge("the runtime metadata is not as pinned: reinstall quasar-subnet")
    return declare_epoch_consensus(metadata)


def declare_epoch_consensus(metadata: bytes) -> bytes:
    """Add ``SubtensorModule.SubnetEpochConsensus`` (netuid to u8, 0 is Yuma)."""
    core = _core(metadata)
    netuid = _type_id(core.storage_entry(PALLET, "Tempo").param_types[0])
    name = b"SubnetEpochConsensus"
    # Modifier Default, a map of one Identity-hashed key, default byte 0, no documentation.
    entry = compact(len(name)) + name + b"\x01\x01" + compact(1) + b"\x05"
    entry += compact(netuid) + compact(core.type_id_of("u8")) + compact(1) + b"\x00" + compact(0)
    prefix = compact(len(PALLET)) + PALLET.encode()
    # The pallet's name, Some(storage), the storage's prefix, then the count of its items.
    before, after = metadata.split(prefix + b"\x01" + prefix)
    count, length = read_compact(after)
    return before + prefix + b"\x01" + prefix + compact(count + 1) + entry + after[length:]


class Runtime:
    """One runtime: names and values to bytes, and back."""

    def __init__(self) -> None:
        self.metadata = load_metadata()
        self.core = _core(self.metadata)
        self._apis: dict[str, Any] = self.core.runtime_api_map()

    def key(self, pallet: str, item: str, *params: Any) -> bytes:
        """A storage key; a prefix where params are missing."""
        return bytes(self.core.storage_key(pallet, item, list(params)))

    def encode_item(self, pallet: str, item: str, value: Any) -> bytes:
        """A storage value as bytes."""
        return bytes(self.core.encode(self.core.storage_entry(pallet, item).value_type, value))

    def decode_item(self, pallet: str, item: str, raw: bytes | None) -> Any:
        """A storage value; its default, or None where it is optional, if there is none."""
        entry = self.core.storage_entry(pallet, item)
        if raw is None and entry.modifier == "Optional":
            return None
        return self.core.decode(
            entry.value_type, bytes(entry.default_bytes) if raw is None else raw
        )

    def encode_result(self, api: str, method: str, value: Any) -> bytes:
        """What a runtime call answers, as bytes."""
        if value is None:
            return b"\x00"
        return bytes(self.core.encode(self._apis[api][method]["output"], value))

    def zero_result(self, api: str, method: str) -> Any:
        """What a runtime call answers, with every number 0 and every list empty."""
        return self._zero(_type_id(self._apis[api][method]["output"]), top=True)

    def inherent(self, timestamp_ms: int) -> bytes:
        """The unsigned extrinsic at the start of a block, which tells its time."""
        call = bytes(self.core.compose_call("Timestamp", "set", {"now": timestamp_ms}))
        return compact(len(call) + 1) + b"\x05" + call

    @cached_property
    def errors(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Pallet and name of a module error to the two numbers that stand for it."""
        pallets = self.core.metadata_ir()["pallets"]
        return {
            (p["name"], e["name"]): (p["index"], e["index"]) for p in pallets for e in p["errors"]
        }

    @cached_property
    def _types(self) -> dict[int, Any]:
        return {t["id"]: t["type"] for t in json.loads(self.core.registry_json())["types"]}

    def _zero(self, type_id: int, *, top: bool = False) -> Any:
        ((kind, body),) = self._types[type_id]["def"].items()
        match kind:
            case "primitive":
                return {"bool": False, "str": ""}.get(body, 0)
            case "compact":
                return self._zero(body["type"])
            case "tuple":
                return [self._zero(t) for t in body]
            case "array":
                return [self._zero(body["type"])] * body["len"]
            case "sequence":
                return []
            case "variant":
                return self._zero_variant(body["variants"], top)
        return self._zero_struct(body.get("fields", []))

    def _zero_variant(self, variants: list[Any], top: bool) -> Any:
        names = [v["name"] for v in variants]
        if names != ["None", "Some"]:
            return names[0]
        return self._zero(variants[1]["fields"][0]["type"]) if top else None

    def _zero_struct(self, fields: list[Any]) -> Any:
        if fields and fields[0].get("name"):
            return {f["name"]: self._zero(f["type"]) for f in fields}
        values = [self._zero(f["type"]) for f in fields]
        return values[0] if len(values) == 1 else values


def compact(number: int) -> bytes:
    """SCALE's compact form of a number below 2**30."""
    if number < 1 << 6:
        return bytes([number << 2])
    if number < 1 << 14:
        return (number << 2 | 1).to_bytes(2, "little")
    return (number << 2 | 2).to_bytes(4, "little")


def read_compact(data: bytes) -> tuple[int, int]:
    """The number at the start, below 2**30, and how many bytes it takes."""
    length = (1, 2, 4, 4)[data[0] & 3]
    return int.from_bytes(data[:length], "little") >> 2, length


def _core(metadata: bytes) -> Any:
    return bittensor_core.Runtime(metadata, SPEC_VERSION, TRANSACTION_VERSION, SS58_FORMAT)


def _type_id(reference: str) -> int:
    return int(reference.removeprefix("scale_info::"))
