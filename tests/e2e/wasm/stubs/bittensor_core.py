"""Stands in for the package where there is none: nothing here needs a signature."""

CRYPTO_ED25519, CRYPTO_SR25519 = 0, 1


class Keypair:
    """A name that modules import."""


def verify(*_: object) -> bool:
    """Raises RuntimeError: a rule that asks for a signature must not be told that it is good."""
    raise RuntimeError("no signature can be verified here")


ss58_decode = verify
