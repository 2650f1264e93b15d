"""A validator that exists for one benchmark: its keys, its identity, the first event of its log."""

import hashlib

from quasar.chain.keys import hotkey_from_seed, log_key_from_seed
from quasar.events import LogOpened
from quasar.events.signing import log_id_of, log_key_statement
from quasar.log.archive import ArchiveIdentity

NETUID = 24


class MadeValidator:
    """Everything follows from the benchmark's name."""

    def __init__(self, benchmark: str) -> None:
        self.seed = hashlib.sha256(benchmark.encode()).digest()
        self.hotkey = hotkey_from_seed(self.seed, "validator")
        self.log_key = log_key_from_seed(self.seed)
        self.genesis = "0x" + self.seed.hex()
        address = self.hotkey.ss58_address
        self.identity = ArchiveIdentity(
            log_id=log_id_of(self.genesis, NETUID, address, 1),
            volume=1,
            netuid=NETUID,
            hotkey=address,
            genesis=self.genesis,
        )

    def opened(self, secrets_tip: str) -> LogOpened:
        """Event 1."""
        key = self.log_key.public_key.hex()
        statement = log_key_statement(self.identity.origin, self.genesis, key)
        return LogOpened(
            log_id=self.identity.log_id,
            log_number=1,
            volume=1,
            netuid=NETUID,
            genesis=self.genesis,
            hotkey=self.hotkey.ss58_address,
            log_key=key,
            log_key_signature=self.hotkey.sign(statement).hex(),
            secrets_tip=secrets_tip,
            previous=None,
        )
