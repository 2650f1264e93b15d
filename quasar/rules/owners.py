"""Who may write what: one actor owns each type of event, and so the slots that it fills.

An audit checks the actor that an event names; a log server can refuse the others beforehand.
"""

from collections.abc import Mapping

from quasar.rules import delivery, execution, observing, sampling, scoring, weights

SUPERVISOR = "supervisor"
CHECKPOINTER = "checkpointer"

OWNED: Mapping[str, tuple[str, ...]] = {
    SUPERVISOR: (
        "LogOpened",
        "LogClosing",
        "LogClosed",
        "LogKeyRotated",
        "RunStarted",
        "RunEnded",
        "SourceAdopted",
        "PolicyAdopted",
        "EventQuarantined",
    ),
    observing.ACTOR: ("BlockObserved", "MetagraphObserved", "HyperparametersObserved"),
    sampling.ACTOR: (
        "RoundOpened",
        "RoundSkipped",
        "BeaconDelayed",
        "RoundAbandoned",
        "MixDrawn",
        "TaskSampled",
        "TaskAssigned",
        "RoundSealed",
        "RoundRevealed",
    ),
    delivery.ACTOR: (
        "DeliveryTried",
        "TaskAccepted",
        "AnswerReceived",
        "AnswerAbandoned",
        "SubmissionReceived",
    ),
    execution.ACTOR: ("CodeExecuted", "CodeExecuted.2", "ExecutionAbandoned"),
    scoring.ACTOR: ("AnswerScored", "AnswerNotScored", "RoundScored", "FindingNoted"),
    weights.ACTOR: (
        "WeightsComputed",
        "WeightsDeferred",
        "WeightsIntended",
        "WeightsSubmitted",
        "WeightsConfirmed",
        "WeightsFailed",
        "WeightsUnknown",
        "WeightsVerified",
    ),
    CHECKPOINTER: ("CheckpointSigned", "CheckpointAnchored", "AnchorFailed"),
}
"""Actor to the types that only it writes."""

ACTOR_OF: Mapping[str, str] = {tag: actor for actor, tags in OWNED.items() for tag in tags}

SLOTS: Mapping[str, tuple[str, ...]] = {
    SUPERVISOR: ("log.*", "key.*", "run.>", "source.*", "policy.*", "quarantine.>"),
    observing.ACTOR: ("block.*", "metagraph.*", "hyper.*"),
    sampling.ACTOR: (
        "round.*",
        "delayed.*",
        "mix.*",
        "task.*.*",
        "assign.*.*.*",
        "sealed.*",
        "revealed.*",
    ),
    delivery.ACTOR: ("try.>", "accept.*.*.*", "answer.*.*.*", "submission.*"),
    execution.ACTOR: ("exec.*.*.*",),
    scoring.ACTOR: ("score.*.*.*", "scored.*", "finding.>"),
    weights.ACTOR: ("weights.*.*.*",),
    CHECKPOINTER: ("checkpoint.*", "anchor.*.*"),
}
"""Actor to the slots it may fill, as subjects of NATS: ``*`` is one word, ``>`` the rest."""
