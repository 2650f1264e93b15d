"""What stands behind the miner's door: the inference actor, as the door sees it."""

from typing import NamedTuple, Protocol

from quasar.events.receipt import (
    Acceptance,
    QuotedBlock,
    Receipt,
    Refusal,
    SignedCheckpoint,
    TaskRequest,
)


class Answer(NamedTuple):
    """An answer and the miner's word for it."""

    data: bytes
    receipt: Receipt
    signature: str
    """By the miner's hotkey over ``statement_bytes(receipt)``, 128 hex digits."""


class Desk(Protocol):
    """Takes requests and gives answers. ``validator`` is the hotkey that signed the call.

    A method raises Refused to turn a call down: ``unknown`` becomes 404, any other code 400.
    """

    async def accept(
        self,
        validator: str,
        request: TaskRequest,
        checkpoint: SignedCheckpoint | None,
        block: QuotedBlock | None,
    ) -> tuple[Acceptance | Refusal, str]:
        """A statement and the hotkey's signature over it. The context is in the store by now.

        The same request gives the same statement, however often it comes.
        """
        ...

    async def answer(self, validator: str, log_id: str, round_: int, task: int, /) -> Answer:
        """Wait for the answer of an accepted request; cancelled when the caller's wait is over.

        Raises Refused(unknown) for what this validator never asked.
        """
        ...

    async def outcome(self, validator: str, event: str, proof: str) -> None:
        """Take the stored line of an outcome, and the tlog-proof that the log holds it."""
        ...
