"""Whose failure it was."""

from enum import StrEnum


class Fault(StrEnum):
    """The owner of a failure. Only the miner's costs the miner anything."""

    MINER = "miner"
    VALIDATOR = "validator"
    NETWORK = "network"
    SANDBOX = "sandbox"
    CHAIN = "chain"
