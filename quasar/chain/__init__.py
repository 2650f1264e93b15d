"""The chain as Quasar sees it: finalised state to read, and three calls of a hotkey."""

from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from quasar.events.base import U16, BlockHash, Count, Digest, Name, Part, Reason
from quasar.events.chain import Neuron
from quasar.events.signing import Signer


class Block(Part, frozen=True):
    """A finalised block."""

    number: Count
    hash: BlockHash
    timestamp_ms: Count
    """The chain's own time of this block, Unix milliseconds."""
    epoch: Count
    """The chain's epoch index of the subnet at this block."""


class Hyperparameters(Part, frozen=True):
    """The subnet's parameters at a block, as HyperparametersObserved records them."""

    tempo: Count
    """Blocks an epoch."""
    weights_rate_limit: Count
    """Blocks between two weight calls of one hotkey."""
    min_allowed_weights: Count
    max_weights_limit: U16
    weights_version: Count
    commit_reveal: bool


class Commitment(Part, frozen=True):
    """What a hotkey last committed to."""

    digest: Digest
    """SHA-256."""
    block: Count
    """Where it was written."""


class Outcome(Part, frozen=True):
    """What a block says about an extrinsic that it holds."""

    done: bool
    """False where the call was included and failed."""
    code: Name | None = None
    """Of the failure, as ``quasar.chain.errors`` names it."""
    reason: Reason | None = None


ERA_BLOCKS = 16
"""A call that is in none of so many blocks after the finalised head of its sending never will."""


class ChainReader(Protocol):
    """Finalised state.

    Every call ends within a deadline. All raise ChainError where the chain does not answer or
    refuses; trying again is the caller's business.
    """

    @property
    def netuid(self) -> int:
        """The subnet."""
        ...

    async def genesis(self) -> str:
        """Hash of block 0, ``0x`` and 64 hex digits."""
        ...

    async def head(self) -> Block:
        """The newest finalised block."""
        ...

    async def block(self, number: int) -> Block:
        """A finalised block. Raises ChainError for one that is not finalised yet."""
        ...

    async def metagraph(self, number: int) -> list[Neuron]:
        """Who was registered at a finalised block, by uid."""
        ...

    async def hyperparameters(self, number: int) -> Hyperparameters:
        """The subnet's parameters at a finalised block."""
        ...

    def blocks(self, after: int) -> AsyncIterator[Block]:
        """Finalised heads with a number above ``after``, as they come, for ever.

        It may jump: a slow reader gets the newest head only.
        """
        ...


class Chain(ChainReader, Protocol):
    """What Quasar needs of a chain.

    The three calls that send (``serve``, ``submit_weights``, ``set_commitment``) sign with the
    hotkey, return when the chain's pool has the call, and raise CallRefused or FateUnknown of
    ``quasar.chain.errors``; whether it then lands is read from finalised state.
    """

    async def weights(self, uid: int, number: int) -> dict[int, int]:
        """A validator's row at a finalised block, uid to u16; empty where it set none."""
        ...

    async def last_update(self, uid: int, number: int) -> int:
        """Block of a validator's last weight call, as of a finalised block; 0 for none."""
        ...

    async def commitment(self, hotkey: str, number: int) -> Commitment | None:
        """A hotkey's commitment at a finalised block; None for none, or one of another kind."""
        ...

    async def outcome(self, extrinsic: str, number: int) -> Outcome | None:
        """How an extrinsic went in a finalised block; None where that block does not hold it."""
        ...

    async def serve(self, signer: Signer, endpoint: str) -> None:
        """Publish ``ip:port`` as the endpoint of the signer's hotkey; later metagraphs show it.

        Sends nothing where the chain shows it already. Raises UsageError for a malformed one.
        """
        ...

    async def submit_weights(self, signer: Signer, row: Mapping[int, int], version_key: int) -> str:
        """Send a row, uid to u16, to stand on chain exactly so; the extrinsic's hash.

        Raises UsageError where the chain would alter the row: the largest weight must be 65535,
        none 0.
        """
        ...

    async def set_commitment(self, signer: Signer, digest: Digest) -> str:
        """Send a SHA-256 that replaces the hotkey's commitment; the extrinsic's hash."""
        ...
