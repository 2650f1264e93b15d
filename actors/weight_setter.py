"""WeightSetter: computes the row of each epoch. Submitting it to a chain comes after."""

from quasar.actors.actor import Decider
from quasar.log import Log
from quasar.rules.weights import WeightRule, WeightState


class WeightSetter(Decider[WeightState]):
    """Decides WeightsComputed and WeightsDeferred."""

    def __init__(self, log: Log) -> None:
        super().__init__(log, WeightRule())
