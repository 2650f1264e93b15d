"""The whole vocabulary, in pipeline order."""

from quasar.events.answer import (
    AnswerAbandoned,
    AnswerReceived,
    DeliveryTried,
    SubmissionReceived,
    TaskAccepted,
)
from quasar.events.base import Event, Kind
from quasar.events.chain import BlockObserved, HyperparametersObserved, MetagraphObserved
from quasar.events.execution import CodeExecuted, CodeExecuted1, ExecutionAbandoned
from quasar.events.finding import FindingNoted
from quasar.events.log import (
    LogClosed,
    LogClosing,
    LogKeyRotated,
    LogOpened,
    PolicyAdopted,
    RunEnded,
    RunStarted,
)
from quasar.events.miner import AnswerProduced, OutcomeProved, RequestAccepted, RequestRefused
from quasar.events.mix import MixDrawn
from quasar.events.round import (
    BeaconDelayed,
    RoundAbandoned,
    RoundOpened,
    RoundRevealed,
    RoundScored,
    RoundSealed,
    RoundSkipped,
)
from quasar.events.score import AnswerNotScored, AnswerScored
from quasar.events.source import SourceAdopted
from quasar.events.task import TaskAssigned, TaskSampled
from quasar.events.trust import (
    AnchorFailed,
    CheckpointAnchored,
    CheckpointSigned,
    EventQuarantined,
)
from quasar.events.weights import (
    WeightsComputed,
    WeightsConfirmed,
    WeightsDeferred,
    WeightsFailed,
    WeightsIntended,
    WeightsSubmitted,
    WeightsUnknown,
    WeightsVerified,
)

ValidatorEvent = (
    LogOpened
    | LogClosing
    | LogClosed
    | LogKeyRotated
    | RunStarted
    | RunEnded
    | SourceAdopted
    | PolicyAdopted
    | BlockObserved
    | MetagraphObserved
    | HyperparametersObserved
    | RoundOpened
    | RoundSkipped
    | BeaconDelayed
    | RoundAbandoned
    | MixDrawn
    | TaskSampled
    | TaskAssigned
    | DeliveryTried
    | TaskAccepted
    | AnswerReceived
    | AnswerAbandoned
    | SubmissionReceived
    | RoundSealed
    | RoundRevealed
    | CodeExecuted1
    | CodeExecuted
    | ExecutionAbandoned
    | AnswerScored
    | AnswerNotScored
    | RoundScored
    | FindingNoted
    | WeightsComputed
    | WeightsDeferred
    | WeightsIntended
    | WeightsSubmitted
    | WeightsConfirmed
    | WeightsFailed
    | WeightsUnknown
    | WeightsVerified
    | CheckpointSigned
    | CheckpointAnchored
    | AnchorFailed
    | EventQuarantined
)
"""What may stand in a validator's log."""

MinerEvent = RequestAccepted | RequestRefused | AnswerProduced | OutcomeProved
"""What may stand in a miner's own log."""

AnyEvent = ValidatorEvent | MinerEvent

EVENT_TYPES: dict[str, type[Event]] = {
    str(cls.__struct_config__.tag): cls for cls in AnyEvent.__args__
}
"""Tag to type."""


def types_of(kind: Kind) -> frozenset[str]:
    """Tags of one kind."""
    return frozenset(tag for tag, cls in EVENT_TYPES.items() if cls.kind is kind)
