"""btauth/1 against its golden bytes and against bittensor's own implementation."""

import hashlib
from collections.abc import Iterator

import bittensor as bt
import pytest
from multidict import CIMultiDict

from quasar.chain.keys import hotkey_from_seed
from quasar.door import btauth
from quasar.errors import Refused

ALICE = hotkey_from_seed(b"test", "alice")
BOB = hotkey_from_seed(b"test", "bob").ss58_address
NOW = 1_752_076_800_000_000_000
BODY = b'{"a":1}'
BODY_SHA256 = hashlib.sha256(BODY).hexdigest()
PATH = "/v1/tasks?checkpoint=1-ab&block=2-0xcd"


def signed(nonce_ns: int = NOW) -> dict[str, str]:
    return btauth.sign(ALICE, "POST", PATH, BODY_SHA256, BOB, nonce_ns)


def check(headers: dict[str, str], **other: object) -> str:
    """Verify as Bob, who expects what ``signed`` sends, except for ``other``."""
    expected: dict[str, object] = {
        "body_sha256": BODY_SHA256,
        "method": "POST",
        "path": PATH,
        "self_hotkey": BOB,
        "max_age_s": 10.0,
        "now_ns": NOW,
        "nonces": btauth.NonceStore(),
    }
    return btauth.verify(headers, **(expected | other))  # type: ignore[arg-type]


def code_of(headers: dict[str, str], **other: object) -> str:
    with pytest.raises(Refused) as refused:
        check(headers, **other)
    return refused.value.code


def test_payload_bytes_are_golden() -> None:
    """The signed bytes are the eight lines that the protocol fixes."""
    assert btauth.payload("post", "/generate?x=1", "ab" * 32, 17, "5Sender", "5Receiver") == (
        b"btauth/1\nsr25519\nPOST\n/generate?x=1\n" + b"ab" * 32 + b"\n17\n5Sender\n5Receiver"
    )


def test_payload_bytes_are_bittensors() -> None:
    """bittensor builds the same bytes."""
    theirs = bt.http_auth.build_payload(
        scheme="sr25519",
        method="POST",
        path=PATH,
        body=BODY,
        nonce_ns=NOW,
        sender_ss58=ALICE.ss58_address,
        receiver_ss58=BOB,
    )
    assert btauth.payload("POST", PATH, BODY_SHA256, NOW, ALICE.ss58_address, BOB) == theirs


def test_bittensor_accepts_our_headers() -> None:
    """bittensor's verifier names our signer as the caller."""
    caller = bt.http_auth.verify(
        signed(), BODY, method="POST", path=PATH, self_hotkey_ss58=BOB, now_ns=NOW
    )
    assert (caller.hotkey_ss58, caller.nonce_ns) == (ALICE.ss58_address, NOW)


def test_we_accept_bittensors_headers() -> None:
    """Our verifier names bittensor's signer as the sender."""
    headers = bt.http_auth.sign(
        ALICE, method="POST", path=PATH, body=BODY, receiver_ss58=BOB, nonce_ns=NOW
    )
    assert check(headers) == ALICE.ss58_address


def test_header_names_have_no_case() -> None:
    """HTTP header names come in any case."""
    assert check({name.lower(): v for name, v in signed().items()}) == ALICE.ss58_address


def broken() -> Iterator[tuple[str, str, str]]:
    yield btauth.VERSION, "2", "malformed-auth"
    yield btauth.HOTKEY, "", "malformed-auth"
    yield btauth.HOTKEY, "5" + "1" * 47, "bad-signature"
    yield btauth.HOTKEY, BOB, "bad-signature"
    yield btauth.HOTKEY, "\udcff" * 48, "malformed-auth"
    yield btauth.NONCE, "", "malformed-auth"
    yield btauth.NONCE, "1e18", "malformed-auth"
    yield btauth.NONCE, "١" * 19, "malformed-auth"
    yield btauth.NONCE, str(NOW + 1), "bad-signature"
    yield btauth.SIGNATURE, "", "malformed-auth"
    yield btauth.SIGNATURE, "0x" + "00" * 64, "bad-signature"
    yield btauth.SIGNATURE, "0x" + "0 " * 64, "malformed-auth"
    yield btauth.CRYPTO, "ed25519", "malformed-auth"
    yield btauth.RECEIVER, ALICE.ss58_address, "wrong-receiver"


@pytest.mark.parametrize(("name", "value", "code"), list(broken()))
def test_a_changed_header_is_refused(name: str, value: str, code: str) -> None:
    """Each header is checked, and the code says what is wrong."""
    assert code_of(signed() | {name: value}) == code


@pytest.mark.parametrize("name", list(signed()))
def test_a_missing_header_is_refused(name: str) -> None:
    """No header may be left out; a request bound to nobody is not for us."""
    headers = signed()
    del headers[name]
    assert code_of(headers) == ("wrong-receiver" if name == btauth.RECEIVER else "malformed-auth")


def test_a_doubled_header_is_refused() -> None:
    """Two hotkeys in one request could be judged apart by two readers."""
    headers = CIMultiDict(signed())
    headers.add(btauth.HOTKEY, BOB)
    with pytest.raises(Refused, match="twice"):
        btauth.verify(headers, BODY_SHA256, "POST", PATH, BOB, 10, NOW, btauth.NonceStore())


@pytest.mark.parametrize(
    "other",
    [{"method": "PUT"}, {"path": "/v1/tasks"}, {"body_sha256": "0" * 64}, {"path": "\udcff"}],
)
def test_another_request_is_refused(other: dict[str, object]) -> None:
    """The signature covers method, target with query, and body."""
    assert code_of(signed(), **other) == "bad-signature"


def test_age_has_two_bounds() -> None:
    """A request is good from max_age before our clock to two seconds after it, no further."""
    second = 1_000_000_000
    assert check(signed(NOW - 10 * second))
    assert check(signed(NOW + 2 * second))
    assert code_of(signed(NOW - 10 * second - 1)) == "stale-request"
    assert code_of(signed(NOW + 2 * second + 1)) == "stale-request"


def test_a_nonce_counts_once() -> None:
    """The same request a second time is a replay."""
    nonces = btauth.NonceStore()
    headers = signed()
    assert check(headers, nonces=nonces)
    assert code_of(headers, nonces=nonces) == "replayed-request"
    assert check(signed(NOW + 1), nonces=nonces)


def test_a_forged_request_burns_no_nonce() -> None:
    """A nonce is recorded only under a good signature, so nobody can spend another's."""
    nonces = btauth.NonceStore()
    assert code_of(signed() | {btauth.SIGNATURE: "00" * 64}, nonces=nonces) == "bad-signature"
    assert len(nonces) == 0
    assert check(signed(), nonces=nonces)


def test_the_store_forgets_what_is_stale() -> None:
    """Nonces older than the window leave the store, and do not come back with the clock."""
    nonces = btauth.NonceStore()
    for nonce in range(1000):
        assert nonces.add("a", nonce, max(nonce - 10, 0))
    assert len(nonces) == 11
    assert not nonces.add("a", 5, 0)
