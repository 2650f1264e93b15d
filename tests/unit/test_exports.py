"""The public names. A line less here breaks somebody's program."""

import quasar.events

PUBLIC = """
AnswerAbandoned AnswerReceived DeliveryTried Evidence SubmissionReceived TaskAccepted
Blob Event Kind EVENT_TYPES AnyEvent MinerEvent ValidatorEvent types_of
BlockObserved HyperparametersObserved MetagraphObserved Neuron
Draft Envelope
CaseOutcome CodeExecuted CodeExecuted1 ExecutionAbandoned Fault
LogClosed LogClosing LogKeyRotated LogOpened PolicyAdopted RunEnded RunStarted SourceAdopted
AnswerProduced OutcomeProved RequestAccepted RequestRefused
FindingNoted Match
BeaconDelayed DrawnTask MeanReward MixDrawn MixEntry
RoundAbandoned RoundOpened RoundRevealed RoundScored RoundSealed RoundSkipped
AnswerNotScored AnswerScored
Context TaskAssigned TaskSampled TextPart
AnchorFailed CheckpointAnchored CheckpointSigned EventQuarantined
Weight WeightsComputed WeightsConfirmed WeightsDeferred WeightsFailed WeightsIntended
WeightsSubmitted WeightsUnknown WeightsVerified
""".split()  # noqa: SIM905  # one stage a line reads better than one name a line


def test_public_names_of_events() -> None:
    """quasar.events exports these names and no others, apart from its own modules."""
    names = {n for n in vars(quasar.events) if not n.startswith("_")}
    modules = {n for n in names if type(getattr(quasar.events, n)).__name__ == "module"}
    assert sorted(names - modules) == sorted(PUBLIC)


def test_every_event_is_exported() -> None:
    """No event type is left out of the public names."""
    assert {cls.__name__ for cls in quasar.events.EVENT_TYPES.values()} <= set(PUBLIC)
