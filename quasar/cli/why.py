"""``quasar why``: from a weight down to the raw answers."""

from typing import Annotated

import anyio
from cyclopts import Parameter
from rich.text import Text
from rich.tree import Tree

from quasar.cli.output import out, printable, say_json
from quasar.cli.source import open_source
from quasar.errors import UsageError
from quasar.events import RoundOpened
from quasar.events.envelope import decode
from quasar.log.archive_reader import ArchiveLog
from quasar.replay.why import RoundEarned, ScoredAnswer, Why
from quasar.replay.why import why as explain


def why(
    source: str,
    hotkey: str,
    /,
    *,
    block: int | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Show how a miner's weight follows from its scores, and those from its answers.

    Parameters
    ----------
    source
        Folder of an archive, or ``sample``.
    hotkey
        The miner; the first characters are enough.
    block
        Explain the newest row up to this block.
    json
        Print one JSON object.
    """
    log = open_source(source)
    found = anyio.run(explain, log, complete(log, hotkey), block)
    if json:
        say_json(found)
    else:
        out.print(_tree(found))
        out.print(
            f"event {found.score_index + 1} is leaf {found.score_index} of {found.size}; "
            f"{len(found.score_proof)} hashes lead from it to the root {found.root[:16]}.."
        )
    return 0


def complete(log: ArchiveLog, prefix: str) -> str:
    """The one participant whose hotkey starts so."""
    hotkeys: set[str] = set()
    for _, line in log.lines():
        if b'"type":"RoundOpened"' in line:
            event = decode(line).event
            if isinstance(event, RoundOpened):
                hotkeys.update(event.participants)
    found = sorted(h for h in hotkeys if h.startswith(prefix))
    if len(found) == 1:
        return found[0]
    known = ", ".join(found or sorted(hotkeys)) or "none"
    problem = "more than one miner starts" if found else "no miner of this log starts"
    raise UsageError(f"{problem} with {prefix!r}: {known}")


def _tree(found: Why) -> Tree:
    tree = Tree(Text(_headline(found), style="bold"))
    for earned in reversed(found.rounds):
        branch = tree.add(Text(_round(earned, found.alpha)))
        for answer in earned.answers:
            leaf = branch.add(Text(_score(answer)))
            asked = answer.question.partition("\n")[0]
            leaf.add(Text(f"asked     {printable(asked, 160)}"))
            leaf.add(Text(f"answered  {printable(answer.answer, 160)}"))
            leaf.add(Text(f"expected  {printable(answer.expected, 160)}"))
    return tree


def _headline(found: Why) -> str:
    if found.weight is None or found.highest is None:
        return f"{found.hotkey} has no weight ({found.deferred or 'no row yet'})"
    w = found.weight
    return (
        f"{found.hotkey}  uid {w.uid}  u16 {w.u16} = round({w.score!r} / {found.highest!r} * 65535)"
        f"  epoch {found.epoch}, block {found.block}  (event {found.weight_seq})"
    )


def _round(earned: RoundEarned, alpha: float) -> str:
    if earned.mean is None:
        return f"round {earned.round}: nothing scored, {earned.not_scored} left out"
    return (
        f"round {earned.round}: mean reward {earned.mean!r} of {earned.scored} answers"
        f" -> EMA {earned.ema!r} = {alpha} * mean + {1.0 - alpha:g} * before"
        f"  (event {earned.seq})"
    )


def _score(answer: ScoredAnswer) -> str:
    events = f"(events {answer.assigned_seq}, {answer.outcome_seq}, {answer.score_seq})"
    if answer.reward is None:
        return f"task {answer.task} {answer.bucket}: left out, {answer.failure}  {events}"
    failure = f", {answer.failure}" if answer.failure else ""
    return (
        f"task {answer.task} {answer.bucket}: reward {answer.reward!r}"
        f" = accuracy {answer.accuracy!r} x {answer.multiplier!r}, at most 1{failure}  {events}"
    )
