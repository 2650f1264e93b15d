"""Round secrets: none can be chosen late, none gives away the next."""

import hashlib

import pytest

from quasar.errors import UsageError
from quasar.rules.secrets import (
    CHAIN_LENGTH,
    RevealedSecrets,
    SecretChain,
    last_round,
    links,
    round_seed,
)

CHAIN = SecretChain(b"master", "0a1b2c3d", 1)


def test_each_secret_is_the_hash_of_the_next() -> None:
    """From the tip to the end, by SHA-256."""
    before = bytes.fromhex(CHAIN.tip)
    for number in range(1, CHAIN_LENGTH + 1):
        secret = CHAIN.secret(number)
        assert hashlib.sha256(secret).digest() == before
        before = secret


@pytest.mark.parametrize("number", [-1, 0, CHAIN_LENGTH + 1])
def test_there_is_no_secret_past_either_end(number: int) -> None:
    """Round 0 would be the tip; past the end a volume is over."""
    with pytest.raises(UsageError, match=f"round {number}"):
        CHAIN.secret(number)


def test_a_secret_links_to_what_came_before() -> None:
    """Any number of steps, and not one more or less."""
    ninth = CHAIN.secret(9).hex()
    assert links(CHAIN.tip, ninth, 9)
    assert links(CHAIN.secret(8).hex(), ninth, 1)
    assert links(ninth, ninth, 0)
    assert not links(CHAIN.tip, ninth, 8)
    assert not links(CHAIN.tip, ninth, 10)
    assert not links(ninth, CHAIN.tip, 1)


def test_chains_differ_by_owner_log_and_volume() -> None:
    """No two volumes share a secret, and each comes from the master secret alone."""
    tips = {
        SecretChain(master, log, volume).tip
        for master in (b"master", b"other")
        for log in ("0a1b2c3d", "00000000")
        for volume in (1, 2)
    }
    assert len(tips) == 8
    assert SecretChain(b"master", "0a1b2c3d", 1).tip == CHAIN.tip


def test_only_revealed_secrets_are_known() -> None:
    """An auditor knows what the log says and no more."""
    revealed = RevealedSecrets({2: CHAIN.secret(2).hex()})
    assert revealed.secret(2) == CHAIN.secret(2)
    assert revealed.secret(1) is None


def test_the_seed_needs_both_sides() -> None:
    """Another secret or another block gives another seed."""
    seeds = {round_seed(s, h) for s in (b"one", b"two") for h in ("0x00", "0x01")}
    assert len(seeds) == 4


def test_no_round_opens_past_the_secrets() -> None:
    """A plan may end earlier, and never later."""
    assert last_round(None) == CHAIN_LENGTH
    assert last_round(3) == 3
    assert last_round(0) == 0
    assert last_round(CHAIN_LENGTH + 1) == CHAIN_LENGTH
