"""Which processes wrote a log, and by whose rules: a fold for people."""

import msgspec
from msgspec import Struct

from quasar.events import PolicyAdopted, RunEnded, RunStarted
from quasar.rules.machine import Recorded


class Run(Struct, frozen=True, kw_only=True):
    """One validator process."""

    run: int
    seq: int
    mode: str
    freshness: str
    sandbox: str | None
    program: str
    """Version of quasar-subnet."""
    ended: str | None
    """Why it stopped; None while it goes on, or when it was killed."""


class PolicyInForce(Struct, frozen=True, kw_only=True):
    """The newest policy."""

    number: int
    name: str
    sha256: str
    seq: int


class RunsFold:
    """Feeds on every event in order."""

    def __init__(self) -> None:
        self._runs: dict[int, Run] = {}
        self.policy: PolicyInForce | None = None

    @property
    def runs(self) -> list[Run]:
        """In the order of their start."""
        return list(self._runs.values())

    def feed(self, seen: Recorded) -> None:
        """Fold one event."""
        match seen.event:
            case RunStarted() as started:
                self._runs[started.run] = _run(seen.seq, started)
            case RunEnded(run=number, reason=reason) if number in self._runs:
                self._runs[number] = msgspec.structs.replace(self._runs[number], ended=reason)
            case PolicyAdopted(number=number, name=name, toml=toml):
                self.policy = PolicyInForce(
                    number=number, name=name, sha256=toml.sha256, seq=seen.seq
                )


def _run(seq: int, started: RunStarted) -> Run:
    return Run(
        run=started.run,
        seq=seq,
        mode=started.mode,
        freshness=started.freshness,
        sandbox=started.sandbox,
        program=started.versions.get("quasar-subnet", ""),
        ended=None,
    )
