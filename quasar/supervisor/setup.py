"""What a validator is made of, as its command line says."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from quasar.chain import Chain
from quasar.events.signing import Signer
from quasar.log.external import ExternalServer
from quasar.sandbox import SandboxConfig
from quasar.supervisor.log_keys import ReplacedKey


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A validator's keys and secrets."""

    hotkey: Signer
    log_key: Signer
    """The newest one."""
    replaced: Sequence[ReplacedKey] = ()
    """The log keys before it, in order."""
    master: bytes
    """Master secret of the rounds."""


class VolumeLimit(NamedTuple):
    """How long a volume gets before it closes: whichever is reached first."""

    events: int = 2_000_000
    seconds: float = 86_400.0


@dataclass(frozen=True, kw_only=True)
class Setup:
    """One validator on one machine."""

    identity: Identity
    chain: Chain
    state: Path
    """Private: the server's store and contexts of open rounds."""
    archive: Path
    """The copy for everyone."""
    policy: bytes
    mode: Literal["live", "mock", "demo", "simulation"]
    freshness: Literal["beacon", "none"] = "beacon"
    rounds: int | None = None
    """Stop after this round of the log; None goes on for ever."""
    once: int | None = None
    """Instead: stop after so many rounds from now on."""
    volumes: VolumeLimit | None = None
    """With a limit, volumes are folders of the archive, by number; without one there is a single
    volume, which is the archive."""
    reserve_bytes: int = 256 * 2**20
    """With less free space than this no round begins, and the volume closes."""
    keep_contexts: bool = False
    """Contexts of revealed rounds stay in ``state``, though their seeds make them anew."""
    nats: ExternalServer | None = None
    """An operator's log servers; None starts one here."""
    sandbox: SandboxConfig = field(default_factory=SandboxConfig)
    """What programs run with; owner and limits are filled in."""
    recover: bool = False
    """Set the server's store aside, and go on from the archive."""
    allow_private: bool = False
    """Call miners on loopback and private addresses: demo and mock only."""
