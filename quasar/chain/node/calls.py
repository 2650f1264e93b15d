"""Runtime calls: what ``state_call`` computes from the state of a block."""

from collections.abc import Callable
from typing import Any

from quasar.chain.node.genesis import coldkey_of, stake_of
from quasar.chain.node.ledger import Ledger
from quasar.chain.node.pool import Reject
from quasar.chain.node.runtime import compact
from quasar.chain.node.state import View

_V15 = bytes([15, 0, 0, 0])
_AXON = ("block", "version", "ip", "port", "ip_type", "protocol", "placeholder1", "placeholder2")
_COMPUTED = ("pruning_score", "emission", "dividends", "consensus", "trust", "rank")
"""By consensus, which this node has not; beside incentives, whose name differs."""


def runtime_call(ledger: Ledger, method: str, argument: bytes, number: int) -> bytes:
    """The SCALE bytes of the answer. Raises Reject for a call that this node does not have."""
    if method == "Metadata_metadata_at_version":
        metadata = ledger.runtime.metadata
        return b"\x01" + compact(len(metadata)) + metadata if argument == _V15 else b"\x00"
    api, _, name = method.partition("_")
    call = _CALLS.get((api, name))
    if call is None:
        raise Reject(4003, "Client error: Execution failed", f"Exported method {method} not found")
    return ledger.runtime.encode_result(api, name, call(ledger, ledger.view(number), argument))


def _metagraph(ledger: Ledger, view: View, argument: bytes) -> dict[str, Any] | None:
    """The subnet at a block; what consensus would compute stays 0."""
    o, netuid = ledger.options, _netuid(argument)
    if netuid != o.netuid:
        return None
    count = len(o.hotkeys)
    stakes = [stake_of(o, uid) for uid in range(count)]
    zeros = [0] * count
    known = {
        "netuid": netuid,
        "name": list(b"quasar"),
        "symbol": list("β".encode()),
        "owner_hotkey": coldkey_of(o, "owner"),
        "owner_coldkey": coldkey_of(o, "owner"),
        "block": view.number,
        "tempo": o.tempo,
        "last_step": view.subtensor("LastEpochBlock", netuid),
        "blocks_since_last_step": view.subtensor("BlocksSinceLastStep", netuid),
        "num_uids": count,
        "max_uids": 256,
        "hotkeys": o.hotkeys,
        "coldkeys": [coldkey_of(o, hotkey) for hotkey in o.hotkeys],
        "identities": [None] * count,
        "axons": [_axon(view, netuid, hotkey) for hotkey in o.hotkeys],
        "active": [True] * count,
        "validator_permit": view.subtensor("ValidatorPermit", netuid),
        "last_update": view.subtensor("LastUpdate", netuid),
        "block_at_registration": zeros,
        "alpha_stake": stakes,
        "tao_stake": zeros,
        "total_stake": stakes,
        "weights_rate_limit": o.weights_rate_limit,
        "serving_rate_limit": o.serving_rate_limit,
        "min_allowed_weights": o.min_allowed_weights,
        "max_weights_limit": o.max_weights_limit,
        "weights_version": o.weights_version,
        "commit_reveal_weights_enabled": o.commit_reveal,
        "commit_reveal_period": 1,
    }
    zeroed = dict.fromkeys([*_COMPUTED, "incentives"], zeros)
    zero = ledger.runtime.zero_result("SubnetInfoRuntimeApi", "get_metagraph")
    return {**zero, **known, **zeroed, "identity": None}


def _neurons_lite(ledger: Ledger, view: View, argument: bytes) -> list[dict[str, Any]]:
    o, netuid = ledger.options, _netuid(argument)
    if netuid != o.netuid:
        return []
    updates = view.subtensor("LastUpdate", netuid)
    permits = view.subtensor("ValidatorPermit", netuid)
    return [
        {
            "hotkey": hotkey,
            "coldkey": coldkey_of(o, hotkey),
            "uid": uid,
            "netuid": netuid,
            "active": True,
            "axon_info": _axon(view, netuid, hotkey),
            "prometheus_info": {"block": 0, "version": 0, "ip": 0, "port": 0, "ip_type": 0},
            "stake": [[coldkey_of(o, hotkey), stake_of(o, uid)]],
            "last_update": updates[uid],
            "validator_permit": permits[uid],
            **dict.fromkeys([*_COMPUTED, "incentive", "validator_trust"], 0),
        }
        for uid, hotkey in enumerate(o.hotkeys)
    ]


def _next_epoch(ledger: Ledger, view: View, argument: bytes) -> int:
    return int(view.subtensor("LastEpochBlock", _netuid(argument))) + ledger.options.tempo


def _query_info(*_: object) -> dict[str, Any]:
    weight = {"ref_time": 1000, "proof_size": 0}
    return {"weight": weight, "class": "Normal", "partial_fee": 0}


def _axon(view: View, netuid: int, hotkey: str) -> dict[str, int]:
    return view.subtensor("Axons", netuid, hotkey) or dict.fromkeys(_AXON, 0)


def _netuid(argument: bytes) -> int:
    return int.from_bytes(argument[:2], "little")


_CALLS: dict[tuple[str, str], Callable[[Ledger, View, bytes], Any]] = {
    ("SubnetInfoRuntimeApi", "get_metagraph"): _metagraph,
    ("SubnetInfoRuntimeApi", "get_next_epoch_start_block"): _next_epoch,
    ("NeuronInfoRuntimeApi", "get_neurons_lite"): _neurons_lite,
    ("TransactionPaymentApi", "query_info"): _query_info,
}
