"""The optional tables of a policy: how a round is drawn, and what moves and delays it."""

from typing import Annotated

from msgspec import Meta

from quasar.events.base import Part

Positive = Annotated[int, Meta(ge=1, le=2**53)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]


class Section(Part, frozen=True):
    """A table of the policy file."""


class Sampling(Section, frozen=True):
    """Which tasks and miners a round has. Without it: the whole mix, for everyone.

    With a budget, tasks are drawn one by one while one of them still fits; then ``tasks`` of an
    entry is how many tickets it has in that draw.
    """

    upload_bytes: Positive | None = None
    """Most bytes of context for one miner in a round, ``BYTES_A_TOKEN`` a token."""
    miner_ms: Positive | None = None
    """Most time of one miner in a round: the sum of its deadlines."""
    coverage_rounds: Annotated[int, Meta(ge=1, le=1000)] = 1
    """Everyone present takes part at least once in so many rounds, and all equally often."""
    anchors: Share = 0.0
    """Share of a round's tasks, drawn from its seed, that are the same for all miners."""

    @property
    def drawn(self) -> bool:
        """Whether there is a budget to draw tasks for."""
        return self.upload_bytes is not None or self.miner_ms is not None


class Adaptive(Section, frozen=True):
    """Moves levels and tickets to where answers tell most (``quasar.rules.difficulty``)."""

    low: Share
    """An entry whose median accuracy is below this gets easier."""
    high: Share
    """And harder above this."""
    answers: Annotated[int, Meta(ge=1, le=1000)]
    """Scored answers of a miner, on average, before an entry moves."""


class Execution(Section, frozen=True):
    """What a program in an answer may use, so that all validators give it the same.

    Without it the sandbox's own limits stand, which a log does not tell.
    """

    timeout_s: Annotated[float, Meta(gt=0.0, le=600.0)]
    """Processor time of one case, in seconds."""
    memory_mib: Annotated[int, Meta(ge=64, le=2**20)]
    """Memory of one case, in MiB."""
    budget_s: Annotated[float, Meta(gt=0.0, le=86_400.0)]
    """Time of all programs of one miner in a round, in seconds, second runs apart. Cases that it
    does not suffice for count as timeouts."""


class Beacon(Section, frozen=True):
    """What happens while the beacon block cannot be read."""

    late_blocks: Positive
    """Read so many blocks late or more, the delay is recorded."""
    wait_blocks: Positive
    """So many blocks after it the round is given up."""
