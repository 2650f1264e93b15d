"""A signed extrinsic: decoded from its bytes, and whether its signature holds."""

from hashlib import blake2b
from typing import Any, NamedTuple

from bittensor_core import CRYPTO_ED25519, CRYPTO_SR25519, verify

from quasar.chain.node.runtime import Runtime, read_compact
from quasar.errors import ChainError

# A version byte, a MultiAddress (tag and 32 bytes), a MultiSignature (tag and 64 bytes).
_HEAD_BYTES = 1 + 33 + 65
_SCHEMES = {"Sr25519": CRYPTO_SR25519, "Ed25519": CRYPTO_ED25519}


class Era(NamedTuple):
    """The blocks in which a mortal extrinsic may stand."""

    period: int
    phase: int

    def birth(self, number: int) -> int:
        """First block of the era that a block lies in."""
        return (max(number, self.phase) - self.phase) // self.period * self.period + self.phase


class Extrinsic(NamedTuple):
    """What a hotkey asks of the chain."""

    raw: bytes
    hash: str
    signer: str
    nonce: int
    era: Era | None
    """None lives for ever."""
    tip: int
    pallet: str
    function: str
    arguments: dict[str, Any]
    scheme: str
    signature: bytes


class Undecodable(ChainError):
    """Raised for bytes that are no signed extrinsic of this runtime."""


def decode_extrinsic(runtime: Runtime, raw: bytes) -> Extrinsic:
    """The extrinsic in these bytes. Raises Undecodable."""
    try:
        value = runtime.core.decode_extrinsic(raw)
        call = value["call"]
        ((scheme, signature),) = value["signature"].items()
        return Extrinsic(
            raw=raw,
            hash=hash_of(raw),
            signer=value["address"],
            nonce=value["nonce"],
            era=None if value["era"] == "00" else Era(*value["era"]),
            tip=value["tip"],
            pallet=call["call_module"],
            function=call["call_function"],
            arguments={a["name"]: a["value"] for a in call["call_args"]},
            scheme=scheme,
            signature=bytes.fromhex(signature.removeprefix("0x")),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Undecodable(f"undecodable: {error}") from None


def is_signed(runtime: Runtime, extrinsic: Extrinsic, genesis: str, birth: str) -> bool:
    """Whether the signer signed exactly this, for this chain and the era born at that block."""
    scheme = _SCHEMES.get(extrinsic.scheme)
    if scheme is None:
        return False
    terms = {
        "era": extrinsic.era._asdict() if extrinsic.era else "00",
        "nonce": extrinsic.nonce,
        "tip": extrinsic.tip,
        "tip_asset_id": None,
        "genesis_hash": bytes.fromhex(genesis[2:]),
        "era_block_hash": bytes.fromhex(birth[2:]),
    }
    extra, _ = runtime.core.signature_payload_parts(**terms)
    _, length = read_compact(extrinsic.raw)
    call = extrinsic.raw[length + _HEAD_BYTES + len(extra) :]
    payload = bytes(runtime.core.signature_payload(call, **terms))
    return bool(verify(payload, extrinsic.signature, extrinsic.signer, scheme))


def hash_of(raw: bytes) -> str:
    """The name of an extrinsic."""
    return "0x" + blake2b(raw, digest_size=32).hexdigest()
