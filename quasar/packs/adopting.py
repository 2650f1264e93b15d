"""The packs that a policy names, from the files and folders that a person names."""

from collections.abc import Sequence

from quasar.benchmarks import packs
from quasar.errors import UsageError
from quasar.packs.source import open_source
from quasar.rules.policy import Policy


def open_sources(specs: Sequence[str], families: Sequence[str] = ()) -> list[str]:
    """Install every pack that these sources hold for these families; their digests.

    Without families, sources are packs or documents. Raises UsageError for a source that holds
    nothing for any of them.
    """
    found: list[str] = []
    for spec in specs:
        problem: UsageError | None = None
        opened = len(found)
        for family in families or [""]:
            try:
                found.append(open_source(spec, family))
            except UsageError as error:
                problem = error
        if problem is not None and len(found) == opened:
            raise problem
    return found


def require(policy: Policy, specs: Sequence[str]) -> None:
    """Install what a policy names. Raises UsageError where a source is missing or another one."""
    wanted = {entry.source: entry.family for entry in policy.mix if entry.source is not None}
    found = open_sources(specs, sorted(set(wanted.values())))
    for digest, family in sorted(wanted.items()):
        if not packs.is_installed(digest):
            raise UsageError(
                f"the policy's {family} needs the source {digest}: name its pack, or the folder it "
                f"was made from, with --source{_other(found)}"
            )


def _other(found: Sequence[str]) -> str:
    return f" (what you named is {', '.join(sorted(set(found)))})" if found else ""
