"""Stage: what was read from the chain. Only finalised state, only what a decision uses."""

from typing import ClassVar

from quasar.events.base import U16, Blob, BlockHash, Count, Event, Hotkey, Kind, Part


class Neuron(Part, frozen=True):
    """One registered hotkey, as metagraph blobs list it."""

    uid: U16
    hotkey: Hotkey
    endpoint: str | None
    """``ip:port`` of its door, or null when it serves none."""


class BlockObserved(Event, frozen=True, tag="BlockObserved"):
    """A finalised block."""

    kind: ClassVar[Kind] = Kind.FACT

    number: Count
    hash: BlockHash
    timestamp_ms: Count
    """The chain's own time of this block, Unix milliseconds."""
    epoch: Count
    """The chain's epoch index of the subnet at this block."""
    head: Count
    """Newest finalised block when this one was read."""

    @property
    def slot(self) -> str:
        return f"block.{self.hash}"


class MetagraphObserved(Event, frozen=True, tag="MetagraphObserved"):
    """Who was registered at a block. The blob is a JSON list of Neuron, by uid."""

    kind: ClassVar[Kind] = Kind.FACT

    number: Count
    hash: BlockHash
    neurons: Blob

    @property
    def slot(self) -> str:
        return f"metagraph.{self.hash}"


class HyperparametersObserved(Event, frozen=True, tag="HyperparametersObserved"):
    """The subnet's parameters at a block."""

    kind: ClassVar[Kind] = Kind.FACT

    number: Count
    hash: BlockHash
    tempo: Count
    """Blocks an epoch."""
    weights_rate_limit: Count
    """Blocks between two weight calls of one hotkey."""
    min_allowed_weights: Count
    max_weights_limit: U16
    weights_version: Count
    commit_reveal: bool

    @property
    def slot(self) -> str:
        return f"hyper.{self.hash}"
