"""What a local chain is made of."""

from bittensor_core import ss58_decode

from quasar.errors import UsageError
from quasar.events.base import U16, Count, Hotkey, Part


class Options(Part, frozen=True):
    """Equal options give equal block hashes, keys and first state."""

    seed: str
    block_ms: int
    tempo: int
    """Blocks an epoch."""
    netuid: int
    hotkeys: list[Hotkey]
    """Registered for ever, by uid."""
    validators: int = 1
    """The first so many hotkeys have stake and a permit."""
    weights_rate_limit: Count = 10
    """Blocks between two weight calls of one hotkey."""
    serving_rate_limit: Count = 1
    """Blocks between two endpoints of one hotkey."""
    min_allowed_weights: U16 = 1
    max_weights_limit: U16 = 65535
    weights_version: Count = 0
    commit_reveal: bool = False
    """Plain weights are refused then; commits are not emulated."""

    def __post_init__(self) -> None:
        if self.block_ms < 1 or not 0 < self.tempo < 65536:
            raise UsageError("--block-ms must be at least 1, and --tempo between 1 and 65535")
        if not 0 < self.netuid < 4096:
            raise UsageError("--netuid must be between 1 and 4095")
        if not self.hotkeys or len(set(self.hotkeys)) != len(self.hotkeys):
            raise UsageError("--hotkeys needs one or more different SS58 addresses")
        for hotkey in self.hotkeys:
            _check_address(hotkey)


def _check_address(text: str) -> None:
    try:
        ss58_decode(text)
    except ValueError:
        raise UsageError(f"--hotkeys: {text!r} is not an SS58 address") from None
