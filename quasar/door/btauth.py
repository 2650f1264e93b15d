"""``btauth/1``: HTTP requests signed by a hotkey, as bittensor 11 defines them.

Only sr25519 is spoken: every hotkey of a subnet is one. A signature says who sent what to whom
and when; it does not encrypt.
"""

import heapq
import re
from collections.abc import Mapping

from quasar.errors import Refused
from quasar.events.signing import Signer, verify_hotkey

VERSION = "X-Bittensor-Version"
HOTKEY = "X-Bittensor-Hotkey"
RECEIVER = "X-Bittensor-Receiver"
NONCE = "X-Bittensor-Nonce"
CRYPTO = "X-Bittensor-Crypto"
SIGNATURE = "X-Bittensor-Signature"

SKEW_NS = 2_000_000_000
"""How far ahead of ours a sender's clock may be."""

_HOTKEY = re.compile(r"\A[1-9A-HJ-NP-Za-km-z]{47,48}\Z")
_NONCE = re.compile(r"\A[0-9]{1,20}\Z")
_SIGNATURE = re.compile(r"\A(?:0x)?[0-9a-fA-F]{128}\Z")


class NonceStore:
    """Remembers the nonces of one window of time, so that no request counts twice."""

    def __init__(self) -> None:
        self._seen: set[tuple[int, str]] = set()
        self._by_age: list[tuple[int, str]] = []
        self._oldest = 0

    def __len__(self) -> int:
        return len(self._seen)

    def add(self, hotkey: str, nonce_ns: int, oldest_ns: int) -> bool:
        """Record a nonce; False where it was seen before, or is older than the window.

        Nonces below ``oldest_ns`` are forgotten for good: a clock set back re-opens nothing.
        """
        self._oldest = max(self._oldest, oldest_ns)
        while self._by_age and self._by_age[0][0] < self._oldest:
            self._seen.discard(heapq.heappop(self._by_age))
        entry = (nonce_ns, hotkey)
        if nonce_ns < self._oldest or entry in self._seen:
            return False
        self._seen.add(entry)
        heapq.heappush(self._by_age, entry)
        return True


def payload(
    method: str, path: str, body_sha256: str, nonce_ns: int, sender: str, receiver: str
) -> bytes:
    """The bytes that are signed. ``path`` is the request target as sent, query included."""
    lines = ("btauth/1", "sr25519", method.upper(), path, body_sha256, str(nonce_ns))
    # A server decodes the target with surrogateescape: this gives back the bytes as sent.
    return "\n".join((*lines, sender, receiver)).encode("utf-8", "surrogateescape")


def sign(
    signer: Signer, method: str, path: str, body_sha256: str, receiver: str, nonce_ns: int
) -> dict[str, str]:
    """Headers for a request to ``receiver``; each request needs a nonce of its own.

    ``signer`` is an sr25519 hotkey, ``nonce_ns`` Unix nanoseconds, ``body_sha256`` 64 hex digits.
    """
    message = payload(method, path, body_sha256, nonce_ns, signer.ss58_address, receiver)
    return {
        VERSION: "1",
        HOTKEY: signer.ss58_address,
        RECEIVER: receiver,
        NONCE: str(nonce_ns),
        SIGNATURE: "0x" + signer.sign(message).hex(),
    }


def verify(
    headers: Mapping[str, str],
    body_sha256: str,
    method: str,
    path: str,
    self_hotkey: str,
    max_age_s: float,
    now_ns: int,
    nonces: NonceStore,
) -> str:
    """The hotkey that signed the request.

    Raises Refused with ``malformed-auth``, ``wrong-receiver``, ``stale-request``,
    ``bad-signature`` or ``replayed-request``. The nonce is recorded only under a good signature.
    """
    sent = _lowered(headers)
    sender, nonce_ns, signature = _parse(sent)
    if sent.get(RECEIVER.lower()) != self_hotkey:
        raise Refused("wrong-receiver", f"sign the request for {self_hotkey}")
    oldest_ns = now_ns - int(max_age_s * 1e9)
    if not oldest_ns <= nonce_ns <= now_ns + SKEW_NS:
        raise Refused("stale-request", "the nonce is not of now: set the clock, sign again")
    message = payload(method, path, body_sha256, nonce_ns, sender, self_hotkey)
    if not verify_hotkey(sender, message, signature):
        raise Refused("bad-signature", f"{sender} did not sign this method, path and body")
    if not nonces.add(sender, nonce_ns, oldest_ns):
        raise Refused("replayed-request", "this nonce was used: sign each request anew")
    return sender


def _lowered(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers by lower-case name. A multi-dict may hold two hotkeys: one must not hide another."""
    sent: dict[str, str] = {}
    for name, value in headers.items():
        if name.lower() in sent and name.lower().startswith("x-bittensor-"):
            raise Refused("malformed-auth", f"the header {name} is there twice")
        sent[name.lower()] = value
    return sent


def _parse(sent: Mapping[str, str]) -> tuple[str, int, str]:
    """Sender, nonce and signature. Raises Refused(malformed-auth)."""
    if sent.get(VERSION.lower()) != "1":
        raise Refused("malformed-auth", f"the header {VERSION} must be 1")
    if sent.get(CRYPTO.lower(), "sr25519") != "sr25519":
        raise Refused("malformed-auth", "sign with an sr25519 hotkey")
    for name, pattern in ((HOTKEY, _HOTKEY), (NONCE, _NONCE), (SIGNATURE, _SIGNATURE)):
        if not pattern.match(sent.get(name.lower(), "")):
            raise Refused("malformed-auth", f"the header {name} is missing or malformed")
    signature = sent[SIGNATURE.lower()].removeprefix("0x")
    return sent[HOTKEY.lower()], int(sent[NONCE.lower()]), signature
