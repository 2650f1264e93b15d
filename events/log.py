"""Stage: the log itself, its keys, its runs and its policies."""

from typing import ClassVar, Literal

from quasar.events.base import (
    Blob,
    BlockHash,
    Count,
    Digest,
    Event,
    Hotkey,
    Kind,
    LogId,
    Name,
    Part,
    Reason,
    Signature,
)


class PreviousVolume(Part, frozen=True):
    """What a volume inherits from the one before."""

    checkpoint: str
    """The signed note that closed it."""
    state: Blob
    """The folded state that this volume starts from."""


class LogOpened(Event, frozen=True, tag="LogOpened"):
    """The first event of every volume: whose log this is and which key signs it."""

    kind: ClassVar[Kind] = Kind.FACT

    log_id: LogId
    """First 8 hex digits of SHA-256 over genesis, netuid, hotkey and log number."""
    log_number: Count
    volume: Count
    netuid: Count
    genesis: BlockHash
    hotkey: Hotkey
    log_key: Digest
    """Public Ed25519 key that signs checkpoints, hex."""
    log_key_signature: Signature
    """The hotkey's signature over ``quasar.events.signing.log_key_statement``."""
    secrets_tip: Digest
    """s_0 of the rounds' reverse hash chain: SHA-256 of the first round's secret."""
    previous: PreviousVolume | None

    @property
    def slot(self) -> str:
        return "log.open"


class LogClosing(Event, frozen=True, tag="LogClosing"):
    """The volume is long enough: no new round opens, and what is open comes to its end."""

    kind: ClassVar[Kind] = Kind.FACT

    reason: Reason

    @property
    def slot(self) -> str:
        return "log.closing"


class LogClosed(Event, frozen=True, tag="LogClosed"):
    """The last event of a volume: no round is open and every slot is filled."""

    kind: ClassVar[Kind] = Kind.FACT

    events: Count
    """Number of events before this one."""

    @property
    def slot(self) -> str:
        return "log.close"


class LogKeyRotated(Event, frozen=True, tag="LogKeyRotated"):
    """A new log key signs checkpoints from here on."""

    kind: ClassVar[Kind] = Kind.FACT

    number: Count
    """1 for the first in a volume, whose LogOpened names the key before it."""
    log_key: Digest
    """The new public Ed25519 key, hex."""
    first: Count
    """Events under the smallest checkpoint that the new key may sign: this event's own number."""
    until: Count
    """Events under the largest checkpoint that counts under the key before; less than ``first``."""
    reason: Literal["rotated", "revoked"]
    """``revoked``: others know the key before, so what it signed above ``until`` counts no more."""
    log_key_signature: Signature
    """The hotkey's signature over ``quasar.events.rotation.rotation_statement``."""

    @property
    def slot(self) -> str:
        return f"key.{self.number}"


ROTATION_MARK = b'"event":{"type":"LogKeyRotated","number":'
"""Stands in every line with such an event, and in no other that a log writes. The longer, the
quicker it is found to be absent."""


class RunStarted(Event, frozen=True, tag="RunStarted"):
    """A validator process began to write: what it is made of."""

    kind: ClassVar[Kind] = Kind.FACT

    run: Count
    mode: Literal["live", "mock", "demo", "simulation"]
    freshness: Literal["beacon", "none"]
    """``none``: secrets and blocks come from a public seed, so tasks could be known beforehand."""
    rounds: Count | None
    """No round is opened after this one in this log; null means no end is planned."""
    versions: dict[str, str]
    """Name to version of the program, Python, the server and the packages that act."""
    digests: dict[str, Digest]
    """Name to SHA-256 of code, lock file, tokenizer and data."""
    sandbox: Name | None
    """Driver that runs code; null means the code family is not offered."""

    @property
    def slot(self) -> str:
        return f"run.{self.run}"


class RunEnded(Event, frozen=True, tag="RunEnded"):
    """The process drained and stopped writing."""

    kind: ClassVar[Kind] = Kind.FACT

    run: Count
    reason: Reason

    @property
    def slot(self) -> str:
        return f"run.{self.run}.end"


class PolicyAdopted(Event, frozen=True, tag="PolicyAdopted"):
    """The rules of the game from the next round on."""

    kind: ClassVar[Kind] = Kind.FACT

    number: Count
    name: Name
    toml: Blob
    """The whole policy file."""

    @property
    def slot(self) -> str:
        return f"policy.{self.number}"
