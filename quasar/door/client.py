"""The validator's side of the door: calls a miner and believes only what it signed."""

import hashlib
import time
from collections.abc import Collection
from typing import NamedTuple

import aiohttp
import anyio
from aiohttp import ClientSession as ClientSession

from quasar.door import wire
from quasar.door.address import check_endpoint
from quasar.door.calls import Call, Caller
from quasar.door.calls import open_session as open_session
from quasar.door.desk import Answer
from quasar.door.failure import Attempt
from quasar.door.packing import Packed
from quasar.errors import Refused
from quasar.events.receipt import (
    Acceptance,
    QuotedBlock,
    Receipt,
    Refusal,
    SignedCheckpoint,
    TaskRequest,
    request_body,
    statement_bytes,
)
from quasar.events.signing import Signer, verify_hotkey


class ClientLimits(NamedTuple):
    """What a miner may cost."""

    connect_s: float = 10.0
    upload_s: float = 600.0
    """For sending one context."""
    accept_s: float = 60.0
    """For any other short request: is the context there, the request itself, a proof."""
    poll_s: float = 20.0
    """One long poll for an answer."""
    reply_bytes: int = 16_384
    """Of any response but an answer."""
    answer_bytes: int = 1_048_576
    """Of an answer, without its head."""


class MinerDoor:
    """Calls miners. Every failure that a miner can cause is a DoorError with its evidence.

    ``own`` are this validator's addresses, which it never calls; ``allow_private`` is for demo
    and mock only.
    """

    def __init__(
        self,
        signer: Signer,
        limits: ClientLimits,
        session: aiohttp.ClientSession,
        own: Collection[str] = (),
        allow_private: bool = False,
    ) -> None:
        self._caller = Caller(signer, session, limits.connect_s)
        self._limits = limits
        self._own = own
        self._allow_private = allow_private

    async def deliver(
        self,
        endpoint: str,
        request: TaskRequest,
        context: Packed,
        checkpoint: SignedCheckpoint | None,
        block: QuotedBlock | None,
    ) -> tuple[Acceptance | Refusal, str]:
        """Hand over a request and its context; the miner's statement with its signature.

        The context is sent only where the miner lacks it. Raises DoorError, and OSError where
        our own copy of the context cannot be read.
        """
        attempt, limits = Attempt("connect"), self._limits
        target = f"/v1/contexts/{request.context.sha256}"
        with attempt.within(limits.accept_s):
            call = self._call(attempt, endpoint, request.hotkey)
            found = await call.send("HEAD", target, b"", {200, 404}, 0)
        attempt.enter("upload")
        with attempt.within(limits.upload_s):
            if found.status == 404:
                await call.send("PUT", target, context, {200, 201}, limits.reply_bytes)
        attempt.enter("accept")
        with attempt.within(limits.accept_s):
            target = "/v1/tasks" + wire.quote_query(checkpoint, block)
            reply = await call.send(
                "POST", target, request_body(request), {200}, limits.reply_bytes
            )
            attempt.enter("verify")
            attempt.count(len(reply.body))
            verdict = wire.decode(reply.body, wire.Verdict)
            _check(verdict.statement, verdict.signature, request)
            return verdict.statement, verdict.signature

    async def fetch_answer(
        self,
        endpoint: str,
        request: TaskRequest,
        quoted: Collection[SignedCheckpoint | None],
        within_s: float,
    ) -> Answer:
        """Wait for the answer of an accepted request.

        ``quoted`` are the checkpoints quoted with it: a receipt that names another would later
        make this log look forged. Raises DoorError.
        """
        attempt = Attempt("answer")
        with attempt.within(within_s):
            call = self._call(attempt, endpoint, request.hotkey)
            body = await self._poll(call, request)
            attempt.enter("verify")
            attempt.count(len(body))
            head, data = wire.split_answer(body)
            _check(head.receipt, head.signature, request)
            _check_receipt(head.receipt, data, quoted)
            return Answer(data, head.receipt, head.signature)

    async def prove(self, endpoint: str, receiver: str, event: str, proof: str) -> None:
        """Show a miner what the log says of its assignment. Raises DoorError."""
        attempt = Attempt("connect")
        with attempt.within(self._limits.accept_s):
            call = self._call(attempt, endpoint, receiver)
            body = wire.encode(wire.Outcome(event=event, proof=proof))
            await call.send("POST", "/v1/outcomes", body, {204}, self._limits.reply_bytes)

    async def _poll(self, call: Call, request: TaskRequest) -> bytes:
        wait_ms = int(self._limits.poll_s * 1000)
        where = f"/v1/answers/{request.log_id}/{request.round}/{request.task}"
        max_bytes = self._limits.answer_bytes + wire.MAX_HEAD_BYTES
        while True:
            asked = time.monotonic()
            target = f"{where}?wait_ms={wait_ms}"
            reply = await call.send("GET", target, b"", {200, 202}, max_bytes)
            if reply.status == 200:
                return reply.body
            # A miner that does not hold the poll must not make us spin.
            await anyio.sleep(max(0.0, min(1.0, self._limits.poll_s) - time.monotonic() + asked))

    def _call(self, attempt: Attempt, endpoint: str, receiver: str) -> Call:
        address = check_endpoint(endpoint, self._own, self._allow_private)
        return Call(self._caller, attempt, f"http://{address}", receiver)


def _check(statement: Acceptance | Refusal | Receipt, signature: str, request: TaskRequest) -> None:
    """Raises Refused(wrong-assignment) or Refused(bad-signature)."""
    said = (statement.log_id, statement.round, statement.task, statement.hotkey, statement.n)
    asked = (request.log_id, request.round, request.task, request.hotkey, request.n)
    digest = hashlib.sha256(request_body(request)).hexdigest()
    if said != asked or statement.request != digest:
        raise Refused("wrong-assignment", "the statement is about another request")
    if not verify_hotkey(request.hotkey, statement_bytes(statement), signature):
        raise Refused("bad-signature", "the miner's hotkey did not sign this statement")


def _check_receipt(
    receipt: Receipt, data: bytes, quoted: Collection[SignedCheckpoint | None]
) -> None:
    """Raises Refused: wrong-digest, wrong-checkpoint, not-canonical."""
    if receipt.answer != hashlib.sha256(data).hexdigest():
        raise Refused("wrong-digest", "the receipt is for another answer")
    if receipt.checkpoint not in quoted:
        raise Refused("wrong-checkpoint", "the receipt names a checkpoint that was not quoted")
    if len(receipt.unacknowledged) > wire.MAX_UNACKNOWLEDGED:
        raise Refused("not-canonical", f"more than {wire.MAX_UNACKNOWLEDGED} receipts are open")
