"""The sentences of a report page: what was found, what it means, and what it does not."""

from collections.abc import Iterable

from msgspec import Struct

from quasar.events import LogOpened
from quasar.replay.finding import Report
from quasar.replay.page_data import Board

ASSUMED = {
    "carried_state": "the state that this volume brings along from the one before it",
    "code_verdicts": "verdicts of programs, by what they returned when the validator ran them",
    "findings": "findings about miners, which a sample takes as recorded",
    "metagraphs_without_chain": "lists of registered miners, as the log gives them",
    "unsampled_rounds": "rounds outside of the sample, whose scores were taken as recorded",
    "unproved_faults": "failures of a miner for which only the validator's word stands",
}
LIMITS = (
    "What a model said, what a clock showed and what the chain answered are recorded, never "
    "recomputed.",
    "An answer that did arrive and was recorded as lost cannot be seen in this log alone: that "
    "miner's own log holds the proof.",
    "A miner silenced for good, or a secret passed to a friend, shows only where the logs of "
    "several validators are compared, with quasar diff.",
)


class AuditPage(Struct, frozen=True, kw_only=True):
    """All that a page is made of."""

    report: Report
    board: Board
    origin: str
    """Name of the newest volume, under which its checkpoints are signed."""
    events: int
    """Of the newest volume."""
    volumes: int
    """Judged as one log."""
    note: str | None
    """The newest signed checkpoint."""
    written: tuple[str, str]
    """When the first and the last event were written, for people."""
    program: str
    """Version of quasar-subnet that judged."""
    command: str
    """Repeats the audit."""

    @property
    def clean(self) -> bool:
        """Whether everything that was checked holds."""
        return self.report.result == "clean"

    @property
    def opened(self) -> LogOpened | None:
        """The newest volume's first event."""
        return self.board.opened


def counted(number: int, one: str, many: str | None = None) -> str:
    """Such as "1 event", "3,999 events"."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def headline(page: AuditPage) -> str:
    """The verdict in a few words."""
    if not page.clean:
        return f"Divergent: {counted(page.report.findings, 'thing does', 'things do')} not hold"
    signer = page.report.signer
    named = "" if signer and signer.pinned else "; the signer was not verified"
    what = "sampled" if sampled(page.report) else "checked"
    return f"Clean: everything that was {what} holds{named}"


def sampled(report: Report) -> bool:
    """Whether rounds were left out by lot."""
    return report.sample is not None and len(report.sample.rounds) < report.sample.of


def lead(page: AuditPage) -> list[str]:
    """What this is, what came out, what it means and what not: a paragraph each."""
    subnet = f"Bittensor subnet {page.opened.netuid}" if page.opened else "a Bittensor subnet"
    volumes = "" if page.volumes == 1 else f", in {page.volumes:,} volumes,"
    read = (
        f"A validator of {subnet} writes every task, answer, score and weight of its work into one "
        f"signed log. This page says what an audit made of {counted(page.report.events, 'event')} "
        f"of that log{volumes}: it checks signatures, and computes decisions again from "
        "what was recorded before them."
    )
    return [read, *(_clean(page.report) if page.clean else _divergent(page.report))]


def _clean(report: Report) -> list[str]:
    decisions = report.decisions
    recomputed = (
        f"{counted(decisions.equal, 'decision was', 'decisions were')} computed again by the same "
        "rules, and each came out as recorded, byte for byte"
    )
    return [
        f"The verdict is clean. {recomputed if decisions.checked else 'No decision was due yet'}; "
        "no event is missing, altered or out of order.",
        "It means: whoever runs the same audit on the same log gets the same numbers, and nobody "
        "changed a score or a weight after it was signed, the validator included. It does not mean "
        f"more than what was checked. {_left(report)} And no log shows alone what was never "
        "written into it.",
    ]


def left_open(report: Report) -> list[str]:
    """What was not checked, and the rounds that nobody can judge yet."""
    pending = report.pending
    if not pending.rounds:
        return report.not_checked
    newest = "" if pending.newest is None else f", the newest of them round {pending.newest:,}"
    said = f"pending: {counted(pending.rounds, 'round')} not revealed yet{newest}"
    return [*report.not_checked, said]


def _left(report: Report) -> str:
    left = counted(len(left_open(report)), "point was", "points were")
    assumed = sum_of(report.assumed.values())
    taken = f" and {counted(assumed, 'fact was', 'facts were')} taken as recorded" * bool(assumed)
    return f"{left} not checked{taken}; they are listed below."


def _divergent(report: Report) -> list[str]:
    first = report.first_divergence
    assert first is not None
    where = f"event {first.seq:,}" + (f" of volume {first.volume}" if first.volume else "")
    return [
        f"The verdict is divergent. The first thing that does not hold is at {where}, at the level "
        f"of {first.level}: {first.reason}.",
        "It means: this log is not what its rules give, or not what was signed. Scores and weights "
        "below are shown as the log claims them, and should not be relied upon. It does not say "
        "why: a program's error, a damaged disk and a forgery look alike from here.",
    ]


def signed_by(page: AuditPage) -> str:
    """What is known of the signer."""
    signer = page.report.signer
    if signer is None:
        return "The log does not say whose it is: its first event could not be read."
    if signer.pinned:
        return "It is the hotkey that the auditor named: nobody can have put in another."
    if page.report.findings and _another(page.report):
        return "This is NOT the hotkey that the auditor named."
    return (
        "So the log says of itself; the auditor named no hotkey. Somebody else could sign a log of "
        "their own in this form: name the validator with --hotkey to exclude that."
    )


def _another(report: Report) -> bool:
    return any(f.field == "hotkey" and f.type == LogOpened.__name__ for f in report.listed)


def checks(report: Report) -> list[tuple[str, int, int]]:
    """What was compared: in words, how many, and how many were equal."""
    rows = [
        ("decisions of the validator, recomputed", report.decisions),
        ("of these: scores and round means", report.scores),
        ("of these: weight rows and deferrals", report.weights),
        ("statements signed by miners, verified", report.receipts),
    ]
    return [(what, tally.checked, tally.equal) for what, tally in rows]


def assumed(report: Report) -> list[tuple[int, str]]:
    """What was taken as recorded, without what there is none of."""
    return [
        (count, ASSUMED.get(name, name.replace("_", " ")))
        for name, count in sorted(report.assumed.items())
        if count
    ]


def sum_of(counts: Iterable[int]) -> int:
    """Of integers."""
    total = 0
    for count in counts:
        total += count
    return total
