"""Why the chain refuses a call: one type a reason, since each asks for another reaction."""

from typing import ClassVar

from quasar.errors import ChainError


class CallRefused(ChainError):
    """Raised when the chain does not take a call. Nothing of it is or will be on chain."""

    code: ClassVar[str] = "refused"
    """Short name for the log."""


class RateLimited(CallRefused):
    """Raised when the last call of the kind is too recent: not a failure, wait and try again."""

    code = "rate-limited"


class NotRegistered(CallRefused):
    """Raised when the hotkey has no place on the subnet: stop; a person must register it."""

    code = "not-registered"


class NoPermit(CallRefused):
    """Raised when the hotkey is no validator: it may become one at the next epoch."""

    code = "no-permit"


class StakeTooLow(CallRefused):
    """Raised when the hotkey's stake is below the chain's threshold: add stake."""

    code = "stake-too-low"


class VersionRefused(CallRefused):
    """Raised when the subnet asks for a newer version key: update, do not raise the key."""

    code = "version-key"


class CommitRevealChanged(CallRefused):
    """Raised when weights must be committed instead of set, or the other way round."""

    code = "commit-reveal"


class RowRefused(CallRefused):
    """Raised when the row breaks a rule: too few weights, one too large, an unknown uid."""

    code = "bad-row"


class NoSpace(CallRefused):
    """Raised when this epoch's room for commitments is used up: wait for the next epoch."""

    code = "no-space"


class Stale(CallRefused):
    """Raised when nonce, era or priority no longer fit: make and sign the call again."""

    code = "stale"


class Busy(ChainError):
    """Raised when the provider refuses traffic: wait ``retry_after`` or take another endpoint."""

    def __init__(self, message: str, retry_after: str | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RuntimeMismatch(ChainError):
    """Raised when the chain's runtime and the installed bittensor do not fit: update bittensor."""


class FateUnknown(ChainError):
    """Raised when a call left and no answer came: it may be on chain. Never send it again blindly;
    look for it in finalised state until its era has passed."""

    def __init__(self, extrinsic: str, reason: str) -> None:
        super().__init__(f"no answer to extrinsic {extrinsic} ({reason}): look for it on chain")
        self.extrinsic = extrinsic


_NAMES: dict[type[CallRefused], tuple[str, ...]] = {
    RateLimited: (
        "RateLimitExceeded",
        "SettingWeightsTooFast",
        "CommittingWeightsTooFast",
        "ServingRateLimitExceeded",
    ),
    NotRegistered: (
        "HotKeyNotRegisteredInSubNet",
        "HotKeyNotRegisteredInNetwork",
        "HotKeyAccountNotExists",
        "AccountNotAllowedCommit",
    ),
    NoPermit: ("NeuronNoValidatorPermit",),
    StakeTooLow: ("StakeAmountTooLow", "NotEnoughStakeToSetWeights"),
    VersionRefused: ("IncorrectWeightVersionKey",),
    CommitRevealChanged: ("CommitRevealEnabled", "CommitRevealDisabled"),
    RowRefused: (
        "WeightVecNotEqualSize",
        "WeightVecLengthIsLow",
        "MaxWeightExceeded",
        "DuplicateUids",
        "UidVecContainInvalidOne",
        "UidsLengthExceedUidsInSubNet",
    ),
    NoSpace: ("SpaceLimitExceeded",),
    Stale: (
        "Stale",
        "Future",
        "AncientBirthBlock",
        "BadProof",
        "PriorityTooLow",
        "InvalidRevealRound",
    ),
}
_BY_NAME = {name: kind for kind, names in _NAMES.items() for name in names}


def refusal(name: str | None, message: str) -> CallRefused:
    """The error for the chain's own name of a reason."""
    kind = _BY_NAME.get(name or "", CallRefused)
    return kind(f"the chain refuses the call, {name or 'unnamed'}: {message}")
