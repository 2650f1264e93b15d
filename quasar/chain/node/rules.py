"""What subtensor's pallets check and do, for the calls that Quasar makes."""

from collections.abc import Callable
from typing import Any

from quasar.chain.node.genesis import stake_of
from quasar.chain.node.options import Options
from quasar.chain.node.runtime import PALLET
from quasar.chain.node.state import Edit, View
from quasar.errors import ChainError

EMULATED = (
    "block hashes derived from the seed and the number; blocks on the clock; finality two behind",
    "sr25519 and ed25519 signatures, nonces, mortal eras, genesis and version checks",
    "pool: stake threshold (Custom 1) and rate limit (Custom 6) of plain weights, rate limit of "
    "endpoints (Custom 12)",
    "set_weights and set_mechanism_weights: registration, stake, permit, version key, rate limit, "
    "duplicate and unknown uids, minimum count, maximum weight, upscaling to 65535, LastUpdate",
    "set_commitment: registration, three fields, 3100 bytes an epoch",
    "serve_axon: registration, rate limit, address and port",
    "epochs that come every tempo blocks; state of every block since the first",
)
NOT_EMULATED = (
    "consensus of any kind: no Yuma, so incentive, dividends, emission and trust are always 0",
    "money: no balances, fees, staking or registration; stake and permits never change",
    "commit-reveal: with it on, plain weights are refused and commits are not accepted",
    "forks: hashes do not depend on what a block holds, and its roots are placeholders",
    "weights and sizes of blocks; every other call is refused as CallFiltered",
)

MAX_U16 = 65535
MECHANISMS = 4096
"""Storage index of a mechanism's weights: ``mechid * 4096 + netuid``."""
MIN_COMMITMENT_BYTES = 100
_COMMITMENTS = "Commitments"


class Dispatch(ChainError):
    """A call that was included and failed: the pallet's name for the reason."""

    def __init__(self, name: str, pallet: str = PALLET) -> None:
        super().__init__(name)
        self.pallet = pallet
        self.name = name


def dispatch(edit: Edit, options: Options, signer: str, call: tuple[str, str], args: Any) -> None:
    """Do a call. Raises Dispatch."""
    rule = _RULES.get(call)
    if rule is None:
        raise Dispatch("CallFiltered", "System")
    rule(edit, options, signer, **args)


def set_weights(
    edit: Edit,
    options: Options,
    signer: str,
    *,
    netuid: int,
    dests: list[int],
    weights: list[int],
    version_key: int,
    mecid: int = 0,
) -> None:
    """Store a row, upscaled so that its largest weight is 65535."""
    if edit.subtensor("CommitRevealWeightsEnabled", netuid):
        raise Dispatch("CommitRevealEnabled")
    if len(dests) != len(weights):
        raise Dispatch("WeightVecNotEqualSize")
    if mecid >= edit.subtensor("MechanismCountCurrent", netuid):
        raise Dispatch("MechanismDoesNotExist")
    uid = _registered(edit, netuid, signer)
    _check_setter(edit, options, netuid, uid, dests, version_key)
    if not may_set_weights(edit, netuid, mecid, uid, edit.number):
        raise Dispatch("SettingWeightsTooFast")
    _check_row(edit, netuid, uid, dests, weights)
    index = mecid * MECHANISMS + netuid
    edit.put(PALLET, "Weights", [index, uid], list(zip(dests, _upscaled(weights), strict=True)))
    _touch(edit, index, uid)
    edit.emit(PALLET, "WeightsSet", [index, uid])


def may_set_weights(view: View, netuid: int, mecid: int, uid: int, number: int) -> bool:
    """The rate limit: the first call is free."""
    updates = view.subtensor("LastUpdate", mecid * MECHANISMS + netuid)
    last = updates[uid] if uid < len(updates) else 0
    return last == 0 or number - last >= view.subtensor("WeightsSetRateLimit", netuid)


def has_stake(view: View, options: Options, uid: int) -> bool:
    """Whether a neuron's stake reaches the threshold for weights."""
    return stake_of(options, uid) >= int(view.subtensor("StakeThreshold"))


def _check_setter(
    edit: Edit, options: Options, netuid: int, uid: int, dests: list[int], version_key: int
) -> None:
    if not has_stake(edit, options, uid):
        raise Dispatch("NotEnoughStakeToSetWeights")
    wanted = edit.subtensor("WeightsVersionKey", netuid)
    if wanted and version_key < wanted:
        raise Dispatch("IncorrectWeightVersionKey")
    if dests != [uid] and not edit.subtensor("ValidatorPermit", netuid)[uid]:
        raise Dispatch("NeuronNoValidatorPermit")


def _check_row(edit: Edit, netuid: int, uid: int, dests: list[int], weights: list[int]) -> None:
    count = edit.subtensor("SubnetworkN", netuid)
    if len(dests) > count:
        raise Dispatch("UidsLengthExceedUidsInSubNet")
    if len(set(dests)) != len(dests):
        raise Dispatch("DuplicateUids")
    if any(dest >= count for dest in dests):
        raise Dispatch("UidVecContainInvalidOne")
    if dests == [uid]:
        return
    if len(weights) < min(count, edit.subtensor("MinAllowedWeights", netuid)):
        raise Dispatch("WeightVecLengthIsLow")
    limit, total = edit.subtensor("MaxWeightsLimit", netuid), sum(weights)
    if limit < MAX_U16 and total and max(weights) * MAX_U16 // total > limit:
        raise Dispatch("MaxWeightExceeded")


def _upscaled(weights: list[int]) -> list[int]:
    top = max(weights, default=0)
    # To the nearest integer, halves up.
    return [(2 * w * MAX_U16 + top) // (2 * top) for w in weights] if top else weights


def _touch(edit: Edit, index: int, uid: int) -> None:
    updates = list(edit.subtensor("LastUpdate", index))
    updates += [0] * (uid + 1 - len(updates))
    updates[uid] = edit.number
    edit.put(PALLET, "LastUpdate", [index], updates)


def set_commitment(edit: Edit, _: Options, signer: str, *, netuid: int, info: Any) -> None:
    """Keep a record of the hotkey; it replaces the one before."""
    if edit.subtensor("Uids", netuid, signer) is None:
        raise Dispatch("AccountNotAllowedCommit", _COMMITMENTS)
    if len(info["fields"]) > edit.runtime.core.constant(_COMMITMENTS, "MaxFields"):
        raise Dispatch("TooManyFieldsInCommitmentInfo", _COMMITMENTS)
    record = {"deposit": 0, "block": edit.number, "info": info}
    size = len(edit.runtime.encode_item(_COMMITMENTS, "CommitmentOf", record))
    _use_space(edit, netuid, signer, size)
    edit.put(_COMMITMENTS, "CommitmentOf", [netuid, signer], record)
    edit.put(_COMMITMENTS, "LastCommitment", [netuid, signer], edit.number)
    edit.emit(_COMMITMENTS, "Commitment", {"netuid": netuid, "who": signer})


def _use_space(edit: Edit, netuid: int, signer: str, size: int) -> None:
    epoch = edit.subtensor("SubnetEpochIndex", netuid)
    used = edit.get(_COMMITMENTS, "UsedSpaceOf", netuid, signer)
    if used is None or used["last_epoch"] != epoch:
        used = {"last_epoch": epoch, "used_space": 0}
    used["used_space"] += max(MIN_COMMITMENT_BYTES, size)
    if used["used_space"] > edit.get(_COMMITMENTS, "MaxSpace"):
        raise Dispatch("SpaceLimitExceeded", _COMMITMENTS)
    edit.put(_COMMITMENTS, "UsedSpaceOf", [netuid, signer], used)


def serve_axon(
    edit: Edit,
    _: Options,
    signer: str,
    *,
    netuid: int,
    ip: int,
    port: int,
    ip_type: int,
    **rest: int,
) -> None:
    """Publish where a hotkey can be called."""
    _registered(edit, netuid, signer)
    if ip_type not in (4, 6):
        raise Dispatch("InvalidIpType")
    if ip == 0 or ip >= 1 << (32 if ip_type == 4 else 128):
        raise Dispatch("InvalidIpAddress")
    if port == 0:
        raise Dispatch("InvalidPort")
    if not may_serve(edit, netuid, signer, edit.number):
        raise Dispatch("ServingRateLimitExceeded")
    axon = {"block": edit.number, "ip": ip, "port": port, "ip_type": ip_type, **rest}
    edit.put(PALLET, "Axons", [netuid, signer], axon)
    edit.emit(PALLET, "AxonServed", [netuid, signer])


def may_serve(view: View, netuid: int, hotkey: str, number: int) -> bool:
    """The rate limit of endpoints."""
    before = view.subtensor("Axons", netuid, hotkey)
    limit = view.subtensor("ServingRateLimit", netuid)
    return before is None or number - before["block"] >= limit


def _registered(edit: Edit, netuid: int, signer: str) -> int:
    uid = edit.subtensor("Uids", netuid, signer)
    if uid is None:
        raise Dispatch("HotKeyNotRegisteredInSubNet")
    return int(uid)


_RULES: dict[tuple[str, str], Callable[..., None]] = {
    (PALLET, "set_weights"): set_weights,
    (PALLET, "set_mechanism_weights"): set_weights,
    (PALLET, "serve_axon"): serve_axon,
    (_COMMITMENTS, "set_commitment"): set_commitment,
}
