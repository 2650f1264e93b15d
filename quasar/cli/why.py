"""``quasar why``: from a weight down to the raw answers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import anyio
import msgspec
from cyclopts import Parameter

from quasar.cli.output import out, say_json
from quasar.cli.slow_bar import slow_bar
from quasar.cli.source import open_volumes
from quasar.cli.why_words import show
from quasar.errors import CannotJudge, Damaged, LogError, UsageError
from quasar.events import BlockObserved, RoundOpened
from quasar.events.envelope import decode
from quasar.log.archive_folders import unpruned
from quasar.log.archive_reader import ArchiveLog
from quasar.packs import open_sources
from quasar.replay.index_events import ProvedLog, proved_log
from quasar.replay.versions import advised
from quasar.replay.why import ROUNDS, Why, explain
from quasar.replay.why_named import hotkey_of, the_one

ANSWERS = 12
"""Of one round, that are shown unless all are asked for."""


def why(
    source: str,
    miner: str,
    /,
    *,
    block: int | None = None,
    round: int | None = None,  # noqa: A002 - it is the flag's name
    steps: int = ROUNDS,
    all: Annotated[bool, Parameter(negative="")] = False,  # noqa: A002 - as above
    proofs: Path | None = None,
    sources: Annotated[tuple[str, ...], Parameter(name="--source", negative="")] = (),
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Show how a miner's weight follows from its scores, and those from its answers.

    Every event shown is compared with its hash and proved under the newest signed checkpoint, and
    every number is recomputed from what is shown; exit code 1 where one differs. Whether all that
    happened is in the log: that is what `quasar audit` checks.

    Parameters
    ----------
    source
        Folder or URL of an archive, or ``sample``.
    miner
        Its uid, or its hotkey: the first characters are enough, or ``5DAiEU..TaEf``.
    block
        Explain the newest row up to this block.
    round
        Show this round's answers, not those of the newest one.
    steps
        Show at least so many rounds of the moving average.
    all
        Show every answer: of the round named by ``--round``, or of every round shown.
    proofs
        Write a proof file of each event named into this folder, for `quasar proof verify`.
    sources
        A pack that the log names and does not give; to be given for each.
    json
        Print one JSON object, with every answer as by ``--all``.
    """
    if steps < 1:
        raise UsageError(f"--steps {steps}: show at least one")
    open_sources(sources)
    log = _newest(open_volumes(source), block)
    everything = all or json
    into = [round] if round is not None else None if everything else 1
    found = anyio.run(_explained, log, miner, block, _reaching(log, round, steps), into, everything)
    if round is not None and round not in (numbers := [r.round for r in found.rounds]):
        known = ", ".join(map(str, numbers)) or "none"
        raise UsageError(f"round {round} is not behind this weight; these are: {known}")
    if proofs is not None:
        _write_proofs(log, found, proofs)
    if json:
        say_json(found)
    else:
        show(found)
        if proofs is not None:
            files = f"{len(found.events)} proof files in {proofs}"
            out.print(f"{files}: check each with `quasar proof verify`", markup=False)
    return 1 if found.differences else 0


async def _explained(
    log: ProvedLog,
    miner: str,
    block: int | None,
    steps: int,
    into: int | list[int] | None,
    everything: bool,
) -> Why:
    limit = None if everything else ANSWERS
    try:
        hotkey = await hotkey_of(log, miner, block)
        return await explain(log, hotkey, block, rounds=steps, into=into, answers=limit)
    except CannotJudge as missing:
        raise await advised(log.log, missing) from None


def open_indexed(log: ArchiveLog) -> ProvedLog:
    """The archive with its index, made first where it is missing: that is seen on a terminal."""
    with slow_bar("reading the log once, for an index") as seen:
        return proved_log(log, seen)


def complete(log: ArchiveLog, named: str) -> str:
    """The one participant whose hotkey starts so, or is ``start..end``. Reads the whole log."""
    return the_one(_participants(log), named)


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


def _newest(volumes: Sequence[ArchiveLog], block: int | None) -> ProvedLog:
    """The newest volume with a row up to the block; without one, the newest with a round."""
    until = 2**63 if block is None else block
    here = unpruned(volumes) or volumes
    begun = [log for log in here if len(here) == 1 or (_first_block(log) or 0) <= until]
    opened: list[ProvedLog] = []
    for log in reversed(begun or here[:1]):
        opened.append(open_indexed(log))
        if any(row.computed and row.block <= until for row in opened[-1].index.rows):
            return opened[-1]
    return next((log for log in opened if log.index.opened), opened[0])


def _first_block(log: ArchiveLog) -> int | None:
    for _, line in log.lines():
        if b'"type":"BlockObserved"' in line:
            try:
                event = decode(line).event
            except msgspec.DecodeError:
                return None
            return event.number if isinstance(event, BlockObserved) else None
    return None


def _reaching(log: ProvedLog, number: int | None, steps: int) -> int:
    """Steps that reach back to a round."""
    scored = log.index.scored
    if number not in scored:
        return steps
    return max(steps, len([seq for seq in scored.values() if seq >= scored[number]]))


def _write_proofs(log: ProvedLog, found: Why, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for event in found.events:
            file = folder / f"event-{event.seq}.tlog-proof"
            file.write_bytes(log.proof(event.seq).encode())
    except OSError as problem:
        raise LogError(f"{folder} cannot be written: {problem.strerror}") from None
