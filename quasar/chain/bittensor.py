"""The chain through bittensor 11.3: implements ``quasar.chain.Chain``.

Blocks are polled, not subscribed to, and no wait of the SDK is used: plain requests under a
deadline recover by themselves (see ``quasar.chain.link``).
"""

import time
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Self

import anyio

from quasar.chain import (
    ERA_BLOCKS,
    Block,
    Commitment,
    Hyperparameters,
    Outcome,
)
from quasar.chain.endpoints import endpoint_of, parse_endpoint
from quasar.chain.errors import (
    CommitRevealChanged,
    NoPermit,
    NotRegistered,
    VersionRefused,
    refusal,
)
from quasar.chain.link import Link
from quasar.errors import ChainError, UsageError
from quasar.events.base import Digest
from quasar.events.chain import Neuron
from quasar.events.signing import Signer

DEADLINE_S = 30.0
"""Of one call."""
PATIENCE_S = 60.0
"""``blocks`` goes on so long without an answer before it gives up."""
RETRY_S = 0.5
MAX_POLL_S = 3.0
MAX_U16 = 65535
_PALLET = "SubtensorModule"


class BittensorChain:
    """A network by name (finney, test, local) or URL. Enter it before use."""

    def __init__(
        self,
        network: str,
        netuid: int,
        *,
        deadline_s: float = DEADLINE_S,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._link = Link(network, deadline_s)
        self._netuid = netuid
        self._patience_s = patience_s
        self._final = -1
        """Newest block known to be finalised."""
        self._sending = anyio.Lock()
        """One call at a time: two would take one nonce."""

    async def __aenter__(self) -> Self:
        await self.genesis()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._link.close()

    @property
    def netuid(self) -> int:
        """The subnet."""
        return self._netuid

    async def genesis(self) -> str:
        """Hash of block 0."""
        return await self._hash(0)

    async def head(self) -> Block:
        """The newest finalised block."""
        return await self._block(*await self._finalised())

    async def block(self, number: int) -> Block:
        """A finalised block. Raises ChainError for one that is not finalised yet."""
        await self._require_final(number)
        return await self._block(number, await self._hash(number))

    async def metagraph(self, number: int) -> list[Neuron]:
        """Who was registered at a finalised block, by uid."""
        found = await self._subnet(number)
        axons = found["axons"]
        return [
            Neuron(uid=uid, hotkey=str(hotkey), endpoint=endpoint_of(axons[uid]))
            for uid, hotkey in enumerate(found["hotkeys"])
        ]

    async def hyperparameters(self, number: int) -> Hyperparameters:
        """The subnet's parameters at a finalised block."""
        found = await self._subnet(number)
        return Hyperparameters(
            tempo=int(found["tempo"]),
            weights_rate_limit=int(found["weights_rate_limit"]),
            min_allowed_weights=int(found["min_allowed_weights"]),
            max_weights_limit=int(found["max_weights_limit"]),
            weights_version=int(found["weights_version"]),
            commit_reveal=bool(found["commit_reveal_weights_enabled"]),
        )

    async def weights(self, uid: int, number: int) -> dict[int, int]:
        """A validator's row at a finalised block."""
        row = await self._query(number, "Weights", self._netuid, uid)
        return {int(target): int(weight) for target, weight in row or []}

    async def last_update(self, uid: int, number: int) -> int:
        """Block of a validator's last weight call, as of a finalised block; 0 for none."""
        updates = await self._query(number, "LastUpdate", self._netuid)
        return int(updates[uid]) if uid < len(updates) else 0

    async def commitment(self, hotkey: str, number: int) -> Commitment | None:
        """A hotkey's SHA-256 commitment at a finalised block."""
        parameters = (self._netuid, hotkey)
        found = await self._query(number, "CommitmentOf", *parameters, pallet="Commitments")
        for field in found["info"]["fields"] if found else []:
            if isinstance(field, dict) and "Sha256" in field:
                digest = str(field["Sha256"]).removeprefix("0x")
                return Commitment(digest=digest, block=int(found["block"]))
        return None

    async def outcome(self, extrinsic: str, number: int) -> Outcome | None:
        """How an extrinsic went in a finalised block."""
        await self._require_final(number)
        block_hash = await self._hash(number)
        found = await self._link.ask(lambda s: s.find_extrinsic(extrinsic, block_hash))
        if found is None:
            return None
        if found.success:
            return Outcome(done=True)
        why = refusal(found.error.name if found.error else None, str(found.message))
        return Outcome(done=False, code=why.code, reason=str(why)[:200])

    async def serve(self, signer: Signer, endpoint: str) -> None:
        """Publish ``ip:port``; sends nothing where the chain shows it already."""
        host, port = parse_endpoint(endpoint)
        head = await self._newest()
        await self._registered(signer, head)
        shown = await self._query(head, "Axons", self._netuid, signer.ss58_address)
        if shown and endpoint_of(shown) == endpoint:
            return
        await self._send(
            signer,
            _PALLET,
            "serve_axon",
            version=1,
            ip=int(host),
            port=port,
            ip_type=host.version,
            protocol=4,
            placeholder1=0,
            placeholder2=0,
        )

    async def submit_weights(self, signer: Signer, row: Mapping[int, int], version_key: int) -> str:
        """Send a row; the extrinsic's hash."""
        if not row or max(row.values()) != MAX_U16 or min(row.values()) < 1:
            raise UsageError("a row needs weights from 1 to 65535, one of them 65535")
        await self._check_setter(signer, version_key)
        return await self._send(
            signer,
            _PALLET,
            "set_mechanism_weights",
            mecid=0,
            dests=list(row),
            weights=list(row.values()),
            version_key=version_key,
        )

    async def set_commitment(self, signer: Signer, digest: Digest) -> str:
        """Send a SHA-256; the extrinsic's hash."""
        if len(bytes.fromhex(digest)) != 32:
            raise UsageError("a commitment is a SHA-256, 64 hex digits")
        await self._registered(signer, await self._newest())
        info = {"fields": [[{"Sha256": "0x" + digest}]]}
        return await self._send(signer, "Commitments", "set_commitment", info=info)

    async def blocks(self, after: int) -> AsyncIterator[Block]:
        """Finalised heads above ``after``, for ever; a slow reader gets the newest only."""
        answered = time.monotonic()
        while True:
            try:
                wait_s = await self._poll_s()
                number, block_hash = await self._finalised()
                block = await self._block(number, block_hash) if number > after else None
            except ChainError:
                if time.monotonic() - answered > self._patience_s:
                    raise
                await anyio.sleep(RETRY_S)
                continue
            answered = time.monotonic()
            if block is None:
                await anyio.sleep(wait_s)
                continue
            after = number
            yield block
            answered = time.monotonic()

    async def request(self, method: str, *params: Any) -> Any:
        """A JSON-RPC method that the SDK has no name for, such as ``quasar_release``."""
        return await self._link.ask(lambda s: s.raw.rpc_request(method, list(params)))

    async def _newest(self) -> int:
        return (await self._finalised())[0]

    async def _finalised(self) -> tuple[int, str]:
        """Number and hash of the newest finalised block."""
        block_hash = str(await self._link.ask(lambda s: s.raw.get_chain_finalised_head()))
        number = int(await self._link.ask(lambda s: s.raw.get_block_number(block_hash)))
        self._final = max(self._final, number)
        return number, block_hash

    async def _hash(self, number: int) -> str:
        return str(await self._link.ask(lambda s: s.block_hash(number)))

    async def _require_final(self, number: int) -> None:
        if number > self._final and number > await self._newest():
            raise ChainError(
                f"block {number} is not final, the head is {self._final}: ask again later"
            )

    async def _poll_s(self) -> float:
        """A quarter of a block."""
        return min(float(await self._link.ask(lambda s: s.block_time())) / 4, MAX_POLL_S)

    async def _block(self, number: int, block_hash: str) -> Block:
        now = await self._link.ask(lambda s: s.query("Timestamp", "Now", [], block_hash))
        index = [self._netuid]
        epoch = await self._link.ask(
            lambda s: s.query(_PALLET, "SubnetEpochIndex", index, block_hash)
        )
        return Block(number=number, hash=block_hash, timestamp_ms=int(now), epoch=int(epoch))

    async def _subnet(self, number: int) -> dict[str, Any]:
        """Everything about the subnet at a finalised block, as the runtime tells it."""
        found = await self._call(number, "SubnetInfoRuntimeApi", "get_metagraph", [self._netuid])
        if not found:
            raise ChainError(f"there is no subnet {self._netuid} at block {number}: check --netuid")
        return dict(found)

    async def _call(self, number: int, api: str, method: str, params: list[Any]) -> Any:
        await self._require_final(number)
        block_hash = await self._hash(number)
        return await self._link.ask(lambda s: s.runtime_call(api, method, params, block_hash))

    async def _query(self, number: int, item: str, *params: Any, pallet: str = _PALLET) -> Any:
        """A storage value at a finalised block."""
        await self._require_final(number)
        block_hash = await self._hash(number)
        return await self._link.ask(lambda s: s.query(pallet, item, list(params), block_hash))

    async def _registered(self, signer: Signer, number: int) -> int:
        """The signer's uid. Raises NotRegistered."""
        uid = await self._query(number, "Uids", self._netuid, signer.ss58_address)
        if uid is None:
            raise NotRegistered(
                f"{signer.ss58_address} is not registered on subnet {self._netuid}: register it"
            )
        return int(uid)

    async def _check_setter(self, signer: Signer, version_key: int) -> None:
        """What would fail only after inclusion, or under a misleading name in the pool."""
        head = await self._newest()
        uid = await self._registered(signer, head)
        if not (await self._query(head, "ValidatorPermit", self._netuid))[uid]:
            raise NoPermit(f"uid {uid} has no validator permit: it may have one next epoch")
        wanted = int(await self._query(head, "WeightsVersionKey", self._netuid))
        if wanted and version_key < wanted:
            raise VersionRefused(f"the subnet wants version key {wanted}: update quasar-subnet")
        if await self._query(head, "CommitRevealWeightsEnabled", self._netuid):
            raise CommitRevealChanged("the subnet takes commits only: plain weights are refused")

    async def _send(self, signer: Signer, pallet: str, function: str, **arguments: Any) -> str:
        """Make, sign and submit a call of this subnet that lives ERA_BLOCKS."""
        address, arguments = signer.ss58_address, {"netuid": self._netuid, **arguments}
        async with self._sending:
            call = await self._link.ask(lambda s: s.raw.compose_call(pallet, function, arguments))
            unsigned = await self._link.ask(
                lambda s: s.prepare(call, address=address, period=ERA_BLOCKS)
            )
            return await self._link.send(unsigned, signer.sign(unsigned.payload))
