"""``quasar why``: from a weight down to the raw answers."""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from typing import Annotated

import anyio
import msgspec
from cyclopts import Parameter

from quasar.cli.output import out, printable, say_json
from quasar.cli.source import open_volumes
from quasar.errors import Damaged, UsageError
from quasar.events import RoundOpened
from quasar.events.envelope import decode
from quasar.log.archive_reader import ArchiveLog
from quasar.replay.why import RoundEarned, ScoredAnswer, Why
from quasar.replay.why import why as explain

ASKED_CHARS = 120


def why(
    source: str,
    hotkey: str,
    /,
    *,
    block: int | None = None,
    round: int | None = None,  # noqa: A002 - it is the flag's name
    all: Annotated[bool, Parameter(negative="")] = False,  # noqa: A002 - as above
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Show how a miner's weight follows from its scores, and those from its answers.

    Every line is compared with its hash and the signed checkpoint; exit code 1 where one differs.
    Decisions are not recomputed: that is what `quasar audit` does.

    Parameters
    ----------
    source
        Folder of an archive, or ``sample``.
    hotkey
        The miner; the first characters are enough, or ``5DAiEU..TaEf`` as other commands print it.
    block
        Explain the newest row up to this block.
    round
        Show this round's answers, not those of the newest one.
    all
        Show every round's answers.
    json
        Print one JSON object, with all rounds.
    """
    log = _newest_with_rounds(open_volumes(source))
    found = anyio.run(explain, log, complete(log, hotkey), block)
    if json:
        say_json(found)
        return 0
    for line in _lines(found, _shown(found, round, all)):
        out.print(line, markup=False)
    return 0


def _newest_with_rounds(volumes: Sequence[ArchiveLog]) -> ArchiveLog:
    """A volume that has just begun explains nothing yet."""
    opened = b'"type":"RoundOpened"'
    played = (log for log in reversed(volumes) if any(opened in line for _, line in log.lines()))
    return next(played, volumes[-1])


def complete(log: ArchiveLog, named: str) -> str:
    """The one participant whose hotkey starts so, or is ``start..end``."""
    start, _, end = named.partition("..")
    hotkeys = _participants(log)
    found = sorted(h for h in hotkeys if h.startswith(start) and h.endswith(end))
    if len(found) == 1:
        return found[0]
    known = ", ".join(found or sorted(hotkeys)) or "none"
    problem = "more than one miner starts" if found else "no miner of this log starts"
    raise UsageError(f"{problem} with {named!r}: {known}")


def _participants(log: ArchiveLog) -> set[str]:
    hotkeys: set[str] = set()
    for seq, line in log.verified():
        if b'"type":"RoundOpened"' in line:
            try:
                event = decode(line).event
            except (msgspec.DecodeError, UnicodeDecodeError) as problem:
                raise Damaged(seq, f"not an event: {problem}") from None
            if isinstance(event, RoundOpened):
                hotkeys.update(event.participants)
    return hotkeys


def _shown(found: Why, number: int | None, everything: bool) -> set[int]:
    """Rounds to show in full."""
    rounds = [earned.round for earned in found.rounds]
    if number is not None and number not in rounds:
        known = ", ".join(map(str, rounds)) or "none"
        raise UsageError(f"round {number} is not behind this weight; these are: {known}")
    if everything:
        return set(rounds)
    return set(rounds[-1:]) if number is None else {number}


def _lines(found: Why, shown: set[int]) -> Iterator[str]:
    yield _headline(found)
    for earned in reversed(found.rounds):
        yield _round(earned, found.alpha)
        if earned.round in shown:
            yield from _answers(earned.answers)
    if len(shown) < len(found.rounds):
        yield "answers of the other rounds: --round R, or --all"
    root = b64encode(bytes.fromhex(found.root)).decode()
    yield (
        f"event {found.score_index + 1} is leaf {found.score_index} of {found.size}; "
        f"{len(found.score_proof)} hashes lead from it to the root {root}"
    )


def _answers(answers: list[ScoredAnswer]) -> Iterator[str]:
    openings = [_split(answer.question)[0] for answer in answers]
    for answer, opening in zip(answers, openings, strict=True):
        asked, rest = answer.question.partition("\n")[0], _split(answer.question)[1]
        if openings.count(opening) > 1 and rest:
            asked = rest  # the same words before each question tell nothing
        yield f"  {_score(answer)}"
        yield f"    asked     {printable(asked, ASKED_CHARS)}"
        yield f"    answered  {printable(answer.answer, 160)}"
        yield f"    expected  {printable(answer.expected, 160)}"


def _split(question: str) -> tuple[str, str]:
    """The first line's first sentence, and its rest."""
    sentence, _, rest = question.partition("\n")[0].partition(". ")
    return sentence, rest


def _headline(found: Why) -> str:
    if found.weight is None or found.highest is None:
        return f"{found.hotkey} has no weight ({found.deferred or 'no row yet'})"
    w = found.weight
    return (
        f"{found.hotkey}  uid {w.uid}  u16 {w.u16} = round({w.score:.6g} / {found.highest:.6g}"
        f" * 65535)  epoch {found.epoch}, block {found.block}  (event {found.weight_seq})"
    )


def _round(earned: RoundEarned, alpha: float) -> str:
    if earned.mean is None or earned.ema is None:
        return f"round {earned.round}: nothing scored, {earned.not_scored} left out"
    return (
        f"round {earned.round}: mean reward {earned.mean:.6g} of {earned.scored} answers"
        f" -> EMA {earned.ema:.6g} = {alpha:g} * mean + {1.0 - alpha:g} * before"
        f"  (event {earned.seq})"
    )


def _score(answer: ScoredAnswer) -> str:
    events = f"(events {answer.assigned_seq}, {answer.outcome_seq}, {answer.score_seq})"
    if answer.reward is None or answer.accuracy is None:
        return f"task {answer.task} {answer.bucket}: left out, {answer.failure}  {events}"
    failure = f", {answer.failure}" if answer.failure else ""
    return (
        f"task {answer.task} {answer.bucket}: reward {answer.reward:.6g} = accuracy "
        f"{answer.accuracy:.6g} x {answer.multiplier:.6g}, at most 1{failure}  {events}"
    )
