"""The chain as Quasar sees it: finalised blocks, the metagraph, and serving an endpoint."""

from collections.abc import AsyncIterator
from typing import Protocol

from quasar.events.base import U16, BlockHash, Count, Part
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


class Chain(Protocol):
    """What Quasar needs of a chain. Only finalised state is read.

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

    async def serve(self, signer: Signer, endpoint: str) -> None:
        """Publish ``ip:port`` as the endpoint of the signer's hotkey; later metagraphs show it."""
        ...

    def blocks(self, after: int) -> AsyncIterator[Block]:
        """Finalised heads with a number above ``after``, as they come, for ever.

        It may jump: a slow reader gets the newest head only.
        """
        ...
