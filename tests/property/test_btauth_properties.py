"""What holds for every request and every order of nonces."""

from hypothesis import given
from hypothesis import strategies as st

from quasar.chain.keys import hotkey_from_seed
from quasar.door import btauth

ALICE = hotkey_from_seed(b"test", "alice")
BOB = hotkey_from_seed(b"test", "bob").ss58_address

methods = st.sampled_from(["GET", "HEAD", "PUT", "POST"])
targets = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=80)
digests = st.binary(min_size=32, max_size=32).map(bytes.hex)
moments = st.integers(min_value=0, max_value=2**63)


@given(methods, targets, digests, moments)
def test_what_is_signed_verifies(method: str, target: str, body: str, now_ns: int) -> None:
    """Every signed request verifies at the moment of its nonce."""
    headers = btauth.sign(ALICE, method, target, body, BOB, now_ns)
    nonces = btauth.NonceStore()
    sender = btauth.verify(headers, body, method, target, BOB, 10, now_ns, nonces)
    assert sender == ALICE.ss58_address


@given(st.lists(st.tuples(methods, targets, digests, moments), min_size=2, max_size=2, unique=True))
def test_payloads_of_different_requests_differ(pair: list[tuple[str, str, str, int]]) -> None:
    """No two requests share their signed bytes."""
    a, b = (btauth.payload(*request, "5Sender", "5Receiver") for request in pair)
    assert a != b


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 60), st.integers(0, 60)), max_size=80)
)
def test_a_nonce_is_taken_at_most_once(calls: list[tuple[str, int, int]]) -> None:
    """Whatever the order and the clock, no nonce of a hotkey is taken twice, none is stale."""
    nonces, taken, oldest = btauth.NonceStore(), set[tuple[str, int]](), 0
    for hotkey, nonce, bound in calls:
        oldest = max(oldest, bound)
        fresh = nonce >= oldest and (hotkey, nonce) not in taken
        assert nonces.add(hotkey, nonce, bound) == fresh
        if fresh:
            taken.add((hotkey, nonce))
        assert len(nonces) == len([1 for _, n in taken if n >= oldest])
