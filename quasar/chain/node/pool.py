"""Extrinsics that wait for a block, and what a node refuses before that."""

from quasar.chain.node.extrinsics import Extrinsic, Undecodable, decode_extrinsic, is_signed
from quasar.chain.node.ledger import Ledger
from quasar.chain.node.rules import has_stake, may_serve, may_set_weights
from quasar.errors import ChainError

LIMIT = 4096
_WEIGHTS = frozenset({"set_weights", "set_mechanism_weights"})
BAD_STAKE = 1
TOO_FAST = 6
SERVED_TOO_FAST = 12


class Reject(ChainError):
    """An answer of JSON-RPC that is an error, in the words of a Substrate node."""

    def __init__(self, code: int, message: str, data: str | None = None) -> None:
        super().__init__(f"{message}: {data}" if data else message)
        self.code = code
        self.message = message
        self.data = data


class Pool:
    """Valid extrinsics in the order of their coming."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiting: list[Extrinsic] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def next_nonce(self, signer: str) -> int:
        """The nonce that a signer's next extrinsic must have."""
        account = self._ledger.view(self._ledger.head).get("System", "Account", signer)
        return int(account["nonce"]) + sum(x.signer == signer for x in self._waiting)

    def submit(self, raw: bytes) -> Extrinsic:
        """Take an extrinsic. Raises Reject."""
        try:
            extrinsic = decode_extrinsic(self._ledger.runtime, raw)
        except Undecodable as error:
            raise Reject(1002, "Verification Error", str(error)) from None
        if any(x.hash == extrinsic.hash for x in self._waiting):
            raise Reject(1013, "Transaction Already Imported", extrinsic.hash)
        if len(self._waiting) >= LIMIT:
            raise Reject(1016, "Immediately Dropped", "The transaction pool is full")
        self._check_signature(extrinsic)
        self._check_nonce(extrinsic)
        self._check_call(extrinsic)
        self._waiting.append(extrinsic)
        return extrinsic

    def take(self, number: int) -> list[Extrinsic]:
        """Empty the pool for a block; what no longer lives, or whose nonce is off, is dropped."""
        chosen: list[Extrinsic] = []
        waiting, self._waiting = self._waiting, []
        for extrinsic in waiting:
            nonce = self.next_nonce(extrinsic.signer)
            nonce += sum(x.signer == extrinsic.signer for x in chosen)
            if _lives(extrinsic, self._ledger.head, number) and extrinsic.nonce == nonce:
                chosen.append(extrinsic)
        return chosen

    def _check_signature(self, extrinsic: Extrinsic) -> None:
        head = self._ledger.head
        birth = extrinsic.era.birth(head) if extrinsic.era else 0
        if not _lives(extrinsic, head, head + 1):
            raise _invalid("Transaction has an ancient birth block")
        genesis, born = self._ledger.hash_of(0), self._ledger.hash_of(birth)
        if not is_signed(self._ledger.runtime, extrinsic, genesis, born):
            raise _invalid("Transaction has a bad signature")

    def _check_nonce(self, extrinsic: Extrinsic) -> None:
        expected = self.next_nonce(extrinsic.signer)
        if extrinsic.nonce < expected:
            raise _invalid("Transaction is outdated")
        if extrinsic.nonce > expected:
            raise _invalid("Transaction will be valid in the future")

    def _check_call(self, extrinsic: Extrinsic) -> None:
        """What subtensor's own transaction extension refuses."""
        if extrinsic.function == "serve_axon":
            self._check_serve(extrinsic)
        if extrinsic.function in _WEIGHTS:
            self._check_weights(extrinsic)

    def _check_serve(self, extrinsic: Extrinsic) -> None:
        view, number = self._ledger.view(self._ledger.head), self._ledger.head + 1
        if not may_serve(view, extrinsic.arguments["netuid"], extrinsic.signer, number):
            raise _custom(SERVED_TOO_FAST)

    def _check_weights(self, extrinsic: Extrinsic) -> None:
        view = self._ledger.view(self._ledger.head)
        netuid = extrinsic.arguments["netuid"]
        uid = view.subtensor("Uids", netuid, extrinsic.signer)
        if uid is None or not has_stake(view, self._ledger.options, uid):
            raise _custom(BAD_STAKE)
        mechanism = extrinsic.arguments.get("mecid", 0)
        if view.subtensor("CommitRevealWeightsEnabled", netuid):
            return
        if not may_set_weights(view, netuid, mechanism, uid, self._ledger.head + 1):
            raise _custom(TOO_FAST)


def _lives(extrinsic: Extrinsic, head: int, number: int) -> bool:
    """Whether a block may hold an extrinsic that was signed at or before the head."""
    era = extrinsic.era
    if era is None:
        return True
    birth = era.birth(head)
    return birth <= head and number < birth + era.period


def _invalid(reason: str) -> Reject:
    return Reject(1010, "Invalid Transaction", reason)


def _custom(number: int) -> Reject:
    return _invalid(f"Custom error: {number}")
