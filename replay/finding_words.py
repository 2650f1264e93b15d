"""A finding about a miner, in one line for people."""

from quasar.events import FindingNoted


def short(hotkey: str) -> str:
    """A hotkey as people recognise it."""
    return f"{hotkey[:6]}..{hotkey[-4:]}"


def finding_words(found: FindingNoted) -> str:
    """Whom it names, what their answers did, how often, and how likely that is by chance."""
    rounds = f"round {found.round}"
    if found.rounds > 1:
        rounds = f"{found.rounds} rounds up to {found.round}"
    return f"{short(found.hotkey)} {_did(found)}, in {rounds}{_chance(found)}"


def _did(found: FindingNoted) -> str:
    other = short(found.other) if found.other else "nobody"
    if found.what == "canary":
        return (
            f"gave {found.matched} of {found.of} answers that stand in the unchanged text only, "
            "as if from memory"
        )
    if found.what == "other-variant":
        return (
            f"gave {found.matched} answers, of {found.of} wrong ones, that are right in "
            f"{other}'s variant"
        )
    return (
        f"made {found.matched} of {found.of} mistakes as {other} did, in words of {other}'s variant"
    )


def _chance(found: FindingNoted) -> str:
    if found.chance is None:
        return ""
    return f" (by chance {found.chance:.2g}; {found.tests:,} such chances were looked at)"
