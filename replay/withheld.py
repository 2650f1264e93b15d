"""Rounds whose tasks cannot be made anew here, since their log keeps a pack to itself.

What depends on no pack is judged all the same: signatures, order, reveals, means and weights.
"""

from quasar.benchmarks import packs
from quasar.events import PolicyAdopted, RoundOpened, SourceAdopted
from quasar.events.blobs import Blobs
from quasar.rules.machine import Recorded
from quasar.rules.policy import recorded_policy
from quasar.rules.sampling import Secrets
from quasar.rules.sources import adopt, sources_of


class WithheldRounds:
    """Follows a log; keeps the secrets of such rounds from the rule that would make their tasks."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._missing: dict[str, list[str]] = {}
        """Policy to the packs that it names and that are not here."""
        self.rounds: set[int] = set()
        self.sources: set[str] = set()
        """Digests of the packs that they need."""
        self.kept = 0
        """How often a secret was kept back."""

    def feed(self, seen: Recorded, blobs: Blobs) -> None:
        """Take what the log gives, and see what it does not."""
        match seen.event:
            case SourceAdopted() as adopted:
                adopt(adopted, blobs)
            case PolicyAdopted(toml=toml):
                named = sources_of(recorded_policy(blobs.get(toml)))
                self._missing[toml.sha256] = [n for n in named if not packs.is_installed(n)]
            case RoundOpened(round=number, policy=policy) if self._missing.get(policy):
                self.rounds.add(number)
                self.sources.update(self._missing[policy])

    def secret(self, number: int) -> bytes | None:
        """As the log revealed it, or None for such a round."""
        if number not in self.rounds:
            return self._secrets.secret(number)
        self.kept += 1
        return None

    def words(self) -> list[str]:
        """For the list of what was not checked."""
        if not self.rounds:
            return []
        rounds = "1 round" if len(self.rounds) == 1 else f"{len(self.rounds)} rounds"
        return [
            f"tasks and scores of {rounds}: committed, not regenerated, as the log withholds "
            f"{' and '.join(sorted(self.sources))}; name the pack with --source"
        ]
