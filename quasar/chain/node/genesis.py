"""The first state of a local chain: one subnet and its neurons."""

from quasar.chain.keys import hotkey_from_seed
from quasar.chain.node.options import Options
from quasar.chain.node.runtime import PALLET
from quasar.chain.node.state import Edit

TAO = 10**9
"""The chain counts in rao."""
STAKE = 5_000 * TAO
STAKE_THRESHOLD = 1_000 * TAO


def coldkey_of(options: Options, hotkey: str) -> str:
    """The coldkey that owns a hotkey here: made from the seed, it never signs."""
    return str(hotkey_from_seed(options.seed.encode(), f"coldkey/{hotkey}").ss58_address)


def write_genesis(edit: Edit, options: Options) -> None:
    """Everything that is there at block 0."""
    _write_subnet(edit, options)
    for uid, hotkey in enumerate(options.hotkeys):
        _write_neuron(edit, options, uid, hotkey)
    count = len(options.hotkeys)
    permits = [uid < options.validators for uid in range(count)]
    edit.put(PALLET, "SubnetworkN", [options.netuid], count)
    edit.put(PALLET, "ValidatorPermit", [options.netuid], permits)
    edit.put(PALLET, "LastUpdate", [options.netuid], [0] * count)


def _write_subnet(edit: Edit, o: Options) -> None:
    owner = coldkey_of(o, "owner")
    edit.put(PALLET, "StakeThreshold", [], STAKE_THRESHOLD)
    edit.put(PALLET, "NetworksAdded", [0], True)
    values = {
        "NetworksAdded": True,
        "Tempo": o.tempo,
        "WeightsSetRateLimit": o.weights_rate_limit,
        "ServingRateLimit": o.serving_rate_limit,
        "MinAllowedWeights": o.min_allowed_weights,
        "MaxWeightsLimit": o.max_weights_limit,
        "WeightsVersionKey": o.weights_version,
        "CommitRevealWeightsEnabled": o.commit_reveal,
        "RevealPeriodEpochs": 1,
        "MechanismCountCurrent": 1,
        "TokenSymbol": list("β".encode()),
        "SubnetOwner": owner,
        "SubnetOwnerHotkey": owner,
        "MaxAllowedValidators": max(o.validators, 1),
    }
    for item, value in values.items():
        edit.put(PALLET, item, [o.netuid], value)


def _write_neuron(edit: Edit, o: Options, uid: int, hotkey: str) -> None:
    edit.put(PALLET, "Uids", [o.netuid, hotkey], uid)
    edit.put(PALLET, "Keys", [o.netuid, uid], hotkey)
    edit.put(PALLET, "Owner", [hotkey], coldkey_of(o, hotkey))
    edit.put(PALLET, "IsNetworkMember", [hotkey, o.netuid], True)
    edit.put(PALLET, "BlockAtRegistration", [o.netuid, uid], 0)
    edit.put(PALLET, "TotalHotkeyAlpha", [hotkey, o.netuid], stake_of(o, uid))


def stake_of(options: Options, uid: int) -> int:
    """A neuron's stake in rao; it never changes."""
    return STAKE if uid < options.validators else 0
