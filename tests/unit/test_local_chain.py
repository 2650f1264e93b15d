"""The local chain's blocks, rules, pool, journal and command line, without a socket."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from quasar.chain.keys import hotkey_from_seed
from quasar.chain.local import main
from quasar.chain.node.journal import Began, Journal, Produced
from quasar.chain.node.ledger import FINALITY_LAG, Ledger
from quasar.chain.node.options import Options
from quasar.chain.node.pool import Pool, Reject
from quasar.chain.node.production import Node
from quasar.chain.node.rpc import Methods
from quasar.chain.node.runtime import Runtime, compact, read_compact
from quasar.errors import TryAgain, UsageError

KEYS = [hotkey_from_seed(b"7", f"miner/{i}") for i in range(3)]
VALIDATOR, MINER = KEYS[0], KEYS[1]
OPTIONS = Options(
    seed="7",
    block_ms=100,
    tempo=10,
    netuid=24,
    hotkeys=[key.ss58_address for key in KEYS],
)
START_MS = 1_700_000_000_000
RUNTIME = Runtime()


def changed(**values: Any) -> Options:
    """The options with other values."""
    return msgspec.structs.replace(OPTIONS, **values)


def ledger_of(**values: Any) -> Ledger:
    return Ledger(changed(**values), RUNTIME, START_MS)


def signed(
    ledger: Ledger, key: Any, pallet: str, function: str, nonce: int = 0, **arguments: Any
) -> bytes:
    """A call as a client signs it, mortal for 16 blocks from the head."""
    call = bytes(RUNTIME.core.compose_call(pallet, function, {"netuid": 24, **arguments}))
    era = {"period": 16, "current": ledger.head}
    terms: dict[str, Any] = {"era": era, "nonce": nonce, "tip": 0, "tip_asset_id": None}
    genesis, birth = ledger.hash_of(0), ledger.hash_of(ledger.head)
    payload = RUNTIME.core.signature_payload(
        call,
        **terms,
        genesis_hash=bytes.fromhex(genesis[2:]),
        era_block_hash=bytes.fromhex(birth[2:]),
    )
    raw, _ = RUNTIME.core.encode_signed_extrinsic(
        call,
        public_key=key.public_key,
        signature=key.sign(bytes(payload)),
        signature_version=1,
        **terms,
    )
    return bytes(raw)


def row(ledger: Ledger, key: Any = VALIDATOR, nonce: int = 0, **changes: Any) -> bytes:
    """A row for two miners."""
    values = {"mecid": 0, "dests": [1, 2], "weights": [65535, 7], "version_key": 0}
    return signed(
        ledger, key, "SubtensorModule", "set_mechanism_weights", nonce, **(values | changes)
    )


def axon(ledger: Ledger, key: Any = MINER, nonce: int = 0, **changes: Any) -> bytes:
    """An endpoint."""
    values = {"version": 1, "ip": 0x7F000001, "port": 80, "ip_type": 4, "protocol": 4}
    zeros = {"placeholder1": 0, "placeholder2": 0}
    return signed(ledger, key, "SubtensorModule", "serve_axon", nonce, **(values | zeros | changes))


def include(ledger: Ledger, *raw: bytes, number: int | None = None) -> list[str]:
    """Send calls and make a block of them; the event that ends each."""
    pool = Pool(ledger)
    for one in raw:
        pool.submit(one)
    at = number or ledger.head + 1
    ledger.include(at, pool.take(at))
    return [end_of(record) for record in ledger.view(at).get("System", "Events")][1:]


def end_of(record: Any) -> str:
    """The name of an event, or of the error that it tells of."""
    event = record["event"]
    if event["event_id"] != "ExtrinsicFailed":
        return str(event["event_id"])
    module = event["attributes"]["dispatch_error"]["Module"]
    error = module["error"]
    number = error[0] if isinstance(error, (list, tuple, bytes)) else int(error[2:4], 16)
    return str(RUNTIME.core.module_error(module["index"], number)[0])


def test_blocks_follow_from_seed_and_time() -> None:
    """A block's hash comes from the seed, its time and epoch from its number."""
    ledger = ledger_of()
    ledger.head = 25
    assert (
        ledger.hash_of(25) == "0xe54d17d5a5aa6e084cbe72c4a90ea9301ee55589993425e5f6232bb730ec32d6"
    )
    view = ledger.view(25)
    assert view.get("Timestamp", "Now") == 1_700_000_002_500
    assert view.subtensor("SubnetEpochIndex", 24) == 2
    assert view.subtensor("LastEpochBlock", 24) == 20
    assert ledger.number_of(ledger.hash_of(25)) == 25
    assert ledger.number_of(ledger.hash_of(26)) is None
    assert ledger.final == 25 - FINALITY_LAG


def test_hashes_do_not_depend_on_what_came_in() -> None:
    """Extrinsics and the wall clock change no block's hash, so beacons repeat with the seed."""
    busy, idle = ledger_of(), Ledger(OPTIONS, RUNTIME, START_MS + 999)
    include(busy, row(busy))
    idle.head = 1
    assert busy.header(1) == idle.header(1)
    assert [busy.hash_of(n) for n in range(5)] == [idle.hash_of(n) for n in range(5)]
    assert ledger_of(seed="8").hash_of(1) != idle.hash_of(1)


def test_old_state_stays() -> None:
    """A row shows from its block on and not before."""
    ledger = ledger_of()
    ends = include(ledger, row(ledger), number=5)
    assert ends == ["WeightsSet", "TransactionFeePaid", "ExtrinsicSuccess"]
    ledger.head = 30
    assert list(ledger.view(4).subtensor("Weights", 24, 0)) == []
    for number in (5, 30):
        assert list(ledger.view(number).subtensor("Weights", 24, 0)) == [(1, 65535), (2, 7)]
        assert list(ledger.view(number).subtensor("LastUpdate", 24)) == [5, 0, 0]
    assert list(ledger.view(6).get("System", "Events")) == []


def test_rows_are_upscaled() -> None:
    """The largest weight becomes 65535 and the others keep their share, to the nearest."""
    ledger = ledger_of()
    include(ledger, row(ledger, dests=[0, 1, 2], weights=[3, 1, 2]))
    assert list(ledger.view(1).subtensor("Weights", 24, 0)) == [(0, 65535), (1, 21845), (2, 43690)]


@pytest.mark.parametrize(
    ("options", "changes", "error"),
    [
        ({}, {"dests": [1], "weights": [1, 2]}, "WeightVecNotEqualSize"),
        ({}, {"mecid": 1}, "MechanismDoesNotExist"),
        ({}, {"dests": [1, 1]}, "DuplicateUids"),
        ({}, {"dests": [1, 9]}, "UidVecContainInvalidOne"),
        ({}, {"dests": [0, 1, 2, 3], "weights": [1] * 4}, "UidsLengthExceedUidsInSubNet"),
        ({"min_allowed_weights": 3}, {}, "WeightVecLengthIsLow"),
        ({"max_weights_limit": 40000}, {}, "MaxWeightExceeded"),
        ({"weights_version": 2}, {"version_key": 1}, "IncorrectWeightVersionKey"),
        ({"commit_reveal": True}, {}, "CommitRevealEnabled"),
    ],
)
def test_a_bad_row_is_included_and_fails(
    options: dict[str, Any], changes: dict[str, Any], error: str
) -> None:
    """Each rule has its name, nothing is stored, and the nonce is used up all the same."""
    ledger = ledger_of(**options)
    assert include(ledger, row(ledger, **changes)) == [error]
    assert list(ledger.view(1).subtensor("Weights", 24, 0)) == []
    assert list(ledger.view(1).subtensor("LastUpdate", 24)) == [0, 0, 0]
    assert Pool(ledger).next_nonce(VALIDATOR.ss58_address) == 1


def test_only_min_of_count_and_rule_is_asked() -> None:
    """A subnet smaller than its minimum takes a row for everybody in it."""
    ledger = ledger_of(min_allowed_weights=8)
    assert "WeightsSet" in include(ledger, row(ledger, dests=[0, 1, 2], weights=[1, 1, 1]))


def test_a_permit_is_needed_for_others() -> None:
    """A neuron with stake but without permit may only weigh itself."""
    ledger = ledger_of(validators=2)
    ledger._write(lambda e: e.put("SubtensorModule", "ValidatorPermit", [24], [True, False, False]))
    assert include(ledger, row(ledger, MINER)) == ["NeuronNoValidatorPermit"]
    alone = row(ledger, MINER, nonce=1, dests=[1], weights=[9])
    assert "WeightsSet" in include(ledger, alone)


def test_the_rate_limit_counts_blocks() -> None:
    """The first row is free; the next must wait, in the pool and in the block."""
    ledger = ledger_of(weights_rate_limit=5)
    include(ledger, row(ledger), row(ledger, nonce=1), number=1)
    assert list(ledger.view(1).subtensor("LastUpdate", 24)) == [1, 0, 0]
    events = [end_of(e) for e in ledger.view(1).get("System", "Events")]
    assert "SettingWeightsTooFast" in events
    ledger.head = 4
    with pytest.raises(Reject, match="Custom error: 6"):
        Pool(ledger).submit(row(ledger, nonce=2))
    ledger.head = 5
    assert "WeightsSet" in include(ledger, row(ledger, nonce=2))


@pytest.mark.parametrize("key", [MINER, hotkey_from_seed(b"7", "stranger")])
def test_rows_without_stake_do_not_enter_the_pool(key: Any) -> None:
    """A miner's and a stranger's row are refused with subtensor's number for it."""
    ledger = ledger_of()
    with pytest.raises(Reject, match="Custom error: 1"):
        Pool(ledger).submit(row(ledger, key))


def test_endpoints_have_rules() -> None:
    """Wrong addresses and ports fail; the rate limit is the pool's; strangers cannot serve."""
    ledger = ledger_of(serving_rate_limit=3)
    bad = {"ip": 0}, {"port": 0}, {"ip_type": 5}, {"ip": 1 << 40}
    for nonce, changes in enumerate(bad):
        (end,) = include(ledger, axon(ledger, nonce=nonce, **changes))
        assert end.startswith("Invalid")
    assert "AxonServed" in include(ledger, axon(ledger, nonce=4))
    with pytest.raises(Reject, match="Custom error: 12"):
        Pool(ledger).submit(axon(ledger, nonce=5))
    stranger = hotkey_from_seed(b"7", "stranger")
    assert include(ledger, axon(ledger, stranger)) == ["HotKeyNotRegisteredInSubNet"]


def test_other_calls_are_filtered() -> None:
    """What is not emulated is refused by name and does nothing."""
    ledger = ledger_of()
    hotkey = hotkey_from_seed(b"7", "stranger").ss58_address
    call = signed(ledger, MINER, "SubtensorModule", "burned_register", hotkey=hotkey)
    assert include(ledger, call) == ["CallFiltered"]


def test_the_pool_refuses_what_a_node_refuses() -> None:
    """Nonces, signatures, eras, copies and noise each have the node's words."""
    ledger, other = ledger_of(), ledger_of(seed="other chain")
    pool = Pool(ledger)
    good = row(ledger)
    pool.submit(good)
    forged = bytearray(row(ledger, nonce=1))
    forged[-1] ^= 1
    ledger.head = 20
    cases = [
        (good, "Already Imported"),
        (row(ledger), "outdated"),
        (row(ledger, nonce=2), "valid in the future"),
        (bytes(forged), "bad signature"),
        (row(other, nonce=1), "bad signature"),
        (b"\x00\x01noise", "Verification Error"),
    ]
    for raw, words in cases:
        with pytest.raises(Reject, match=words):
            pool.submit(raw)
    assert len(pool) == 1


def test_a_call_dies_with_its_era() -> None:
    """Signed at block 0 for 16 blocks: block 15 still takes it, block 16 drops it."""
    for number, lands in ((15, True), (16, False)):
        ledger = ledger_of()
        assert ("AxonServed" in include(ledger, axon(ledger), number=number)) is lands
        assert Pool(ledger).next_nonce(MINER.ss58_address) == int(lands)


def test_metagraph_and_neurons_tell_the_same() -> None:
    """Two runtime calls encode: hotkeys, permits, endpoints and updates of one block."""
    ledger = ledger_of()
    include(ledger, row(ledger), axon(ledger))
    methods = Methods(node_of(ledger))
    netuid = "0x1800"
    apis = RUNTIME.core.runtime_api_map()
    found = {}
    for api, method in (
        ("SubnetInfoRuntimeApi", "get_metagraph"),
        ("NeuronInfoRuntimeApi", "get_neurons_lite"),
    ):
        raw = bytes.fromhex(methods.answer("state_call", [f"{api}_{method}", netuid])[2:])
        found[method] = RUNTIME.core.decode(apis[api][method]["output"], raw, True)
    graph, neurons = found["get_metagraph"], found["get_neurons_lite"]
    assert [n["hotkey"] for n in neurons] == list(graph["hotkeys"]) == OPTIONS.hotkeys
    assert [n["validator_permit"] for n in neurons] == list(graph["validator_permit"])
    assert [n["axon_info"]["port"] for n in neurons] == [a["port"] for a in graph["axons"]]
    assert [a["port"] for a in graph["axons"]] == [0, 80, 0]
    assert list(graph["last_update"]) == [1, 0, 0]


def node_of(ledger: Ledger) -> Node:
    """A held node around a ledger."""
    node = Node(ledger.options, held=True)
    node.ledger = ledger
    node.pool = Pool(ledger)
    return node


def test_rpc_says_what_is_wrong() -> None:
    """Unknown methods, wrong parameters and unknown blocks are errors, not crashes."""
    methods = Methods(node_of(ledger_of()))
    for method, params, code in (
        ("no_such", [], -32601),
        ("state_getStorage", ["0xzz"], -32602),
        ("state_getStorage", [], -32602),
        ("chain_getBlockHash", [[]], -32602),
        ("state_getStorage", ["0x00", "0x" + "11" * 32], 4003),
        ("state_call", ["Core_version", "0x"], 4003),
    ):
        with pytest.raises(Reject) as caught:
            methods.answer(method, params)
        assert caught.value.code == code
    assert methods.answer("chain_getBlockHash", [10**6]) is None
    assert methods.answer("chain_getHeader", ["0x" + "11" * 32]) is None


def test_it_says_what_it_is() -> None:
    """Anybody who connects can read what is emulated and what not."""
    rules = Methods(node_of(ledger_of())).answer("quasar_rules", [])
    assert any("Yuma" in line for line in rules["not_emulated"])
    assert any("set_mechanism_weights" in line for line in rules["emulated"])


def test_a_journal_continues_the_chain(tmp_path: Path) -> None:
    """After a restart blocks keep their times, and state is what it was."""
    path = tmp_path / "journal"
    journal = Journal.open(path, OPTIONS)
    journal.write(Began(start_ms=START_MS))
    ledger = ledger_of()
    raws = [row(ledger), axon(ledger)]
    journal.write(Produced(number=7, extrinsics=raws))
    journal.close()
    again = Journal.open(path, OPTIONS)
    node = Node(OPTIONS, journal=again, held=True)
    include(ledger, *raws, number=7)
    assert node.ledger.start_ms == START_MS
    assert node.ledger.head == 7
    for item, *params in (
        ("Weights", 24, 0),
        ("LastUpdate", 24),
        ("Axons", 24, OPTIONS.hotkeys[1]),
    ):
        wanted = ledger.view(7).subtensor(item, *params)
        assert node.ledger.view(7).subtensor(item, *params) == wanted
    assert node.ledger.view(7).get("System", "Events") == ledger.view(7).get("System", "Events")
    assert node.advance() == {}
    assert node.ledger.head > 7
    again.close()


def test_a_line_cut_short_is_removed(tmp_path: Path) -> None:
    """A crash in the middle of a write costs that block, which nobody saw, and no more."""
    path = tmp_path / "journal"
    journal = Journal.open(path, OPTIONS)
    journal.write(Began(start_ms=START_MS))
    journal.close()
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"type":"produced","num')
    again = Journal.open(path, OPTIONS)
    assert again.entries == [Began(start_ms=START_MS)]
    again.close()
    assert path.read_bytes() == whole


def test_a_journal_has_one_chain(tmp_path: Path) -> None:
    """A second process on the same journal is sent away."""
    path = tmp_path / "journal"
    journal = Journal.open(path, OPTIONS)
    with pytest.raises(TryAgain, match="another local chain"):
        Journal.open(path, OPTIONS)
    journal.close()


@pytest.mark.parametrize("content", [b"something else\n", b"something else", b'{"seed":"7"}\n'])
def test_a_journal_belongs_to_one_chain(tmp_path: Path, content: bytes) -> None:
    """Other options, or another file, are refused before anything is written."""
    path = tmp_path / "journal"
    Journal.open(path, OPTIONS).close()
    with pytest.raises(UsageError, match="other options"):
        Journal.open(path, changed(netuid=25))
    path.write_bytes(content)
    with pytest.raises(UsageError, match="not a local chain's journal"):
        Journal.open(path, OPTIONS)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "arguments",
    [
        ["--hotkeys", "a"],
        ["--hotkeys", ","],
        ["--hotkeys", f"{OPTIONS.hotkeys[0]},{OPTIONS.hotkeys[0]}"],
        ["--hotkeys", OPTIONS.hotkeys[0], "--tempo", "65536"],
        ["--hotkeys", OPTIONS.hotkeys[0], "--netuid", "0"],
    ],
)
def test_the_command_says_what_is_wrong(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Options that make no chain end the command with exit code 2 and one line."""
    assert main(["--seed", "7", *arguments]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_compact_numbers_come_back() -> None:
    """SCALE's three lengths, at their edges."""
    for number in (0, 1, 63, 64, 16383, 16384, 2**30 - 1):
        encoded = compact(number)
        assert read_compact(encoded + b"rest") == (number, len(encoded))
        assert encoded == bytes(RUNTIME.core.encode("Compact", number))


def test_a_held_node_waits() -> None:
    """Block 0 is the only one until the release."""
    node = Node(OPTIONS, held=True)
    assert node.wait_s() == float("inf")
    assert node.advance() is None
    node.release()
    assert 0 < node.wait_s() <= 0.1


def test_a_late_process_moves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits at the release lands in block 1, also where the machine comes to it far too late;
    so equal seeds give equal metagraphs."""
    node = Node(OPTIONS, held=True)
    sent = node.pool.submit(axon(node.ledger))
    node.release()
    monkeypatch.setattr(node, "_due", lambda: 40)
    assert node.advance() == {sent.hash: 1}
    assert node.ledger.head == 40
    assert node.ledger.view(0).subtensor("Axons", 24, MINER.ss58_address) is None
    assert node.ledger.view(1).subtensor("Axons", 24, MINER.ss58_address)["port"] == 80
