"""``quasar diff``: validators side by side; two copies of one log, and the proof of a fork."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, NamedTuple

import anyio
import msgspec
from cyclopts import Parameter

from quasar.cli.diff_words import show_difference
from quasar.cli.fork_words import fork_facts, fork_lines
from quasar.cli.output import out, say_json
from quasar.cli.proof import read_proof
from quasar.cli.slow_bar import slow_bar
from quasar.cli.source import check_hotkey, open_volumes
from quasar.errors import CannotJudge, Damaged, LogError, UsageError
from quasar.events.fork import hotkey_of, open_fork
from quasar.log.archive_folders import unpruned
from quasar.log.archive_reader import ArchiveLog
from quasar.log.fork import find_fork
from quasar.log.history import History, read_archive, read_seal, read_text
from quasar.replay.diff import diff as compare

Source = ArchiveLog | History


class Ends(NamedTuple):
    """How far two sources go in one log, when neither contradicts the other."""

    origin: str
    one: int
    two: int


def diff(
    *sources: str,
    evidence: Annotated[bool, Parameter(negative="")] = False,
    output: Annotated[Path, Parameter(name=("--out", "-o"))] = Path("fork.json"),
    hotkey: str | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Put validators side by side; of two copies of one log, say where they part.

    Validators: their tasks, what they made of the same answers, accuracy by miner, weights, and
    whom one of them fails or spares more than the others do. Exit code 1: other scores for the same
    answers, or a miner treated unlike (p below 0.01, corrected for the number of pairs). Copies:
    exit code 1 where they differ; with --evidence, the proof of a fork was written. 2: they cannot
    be compared.

    Parameters
    ----------
    sources
        Two logs or more: folders of an archive or of volumes, or ``sample``; with --evidence also a
        checkpoint or a proof file.
    evidence
        Both must be of one log. If they contradict each other under valid signatures, write a file
        that proves it to a stranger: `quasar proof verify` needs nothing else.
    output
        That file.
    hotkey
        The validator whose log this must be, with --evidence.
    json
        Print one JSON object.
    """
    if len(sources) < 2:
        raise UsageError("a difference is between two logs or more: name another one")
    if evidence:
        if hotkey is not None:
            check_hotkey(hotkey)
        one, two = _two(sources)
        return _evidence(_sources(one), _sources(two), output, hotkey, json)
    if hotkey is not None:
        raise UsageError("--hotkey says whose fork --evidence must prove: give both or neither")
    logs = [open_volumes(source) for source in sources]
    if len(logs) == 2 and _whose(logs[0]) == _whose(logs[1]):
        return _numbers(logs[0], logs[1], json)
    return _validators(sources, logs, json)


def _two(sources: Sequence[str]) -> tuple[str, str]:
    if len(sources) != 2:
        raise UsageError(f"a fork is proved between two sources, not {len(sources)}")
    return sources[0], sources[1]


def _whose(log: Sequence[ArchiveLog]) -> tuple[str, str]:
    identity = log[0].manifest.identity
    return identity.hotkey, identity.log_id


def _validators(sources: Sequence[str], logs: Sequence[list[ArchiveLog]], json: bool) -> int:
    """Different validators side by side."""
    known: dict[tuple[str, str], str] = {}
    for source, log in zip(sources, logs, strict=True):
        same = known.setdefault(_whose(log), source)
        if same is not source:
            raise UsageError(
                f"{same} and {source} are one log: name each validator once, or these two alone"
            )
    whole = [unpruned(log) for log in logs]
    for source, log in zip(sources, whole, strict=True):
        if not log:
            raise CannotJudge(f"the events of {source} were pruned: compare the other copy")
    with slow_bar("comparing", shown=not json) as seen:
        found = anyio.run(partial(compare, whole, progress=seen))
    if json:
        result = "different" if found.matters else "alike"
        say_json({"result": result, **msgspec.structs.asdict(found)})
    else:
        show_difference(found)
    return 1 if found.matters else 0


def _sources(source: str) -> list[Source]:
    """What a source holds, a volume each."""
    path = Path(source)
    if path.is_file():
        return [read_text(source, read_proof(path))]
    logs = open_volumes(source)
    return [*read_seal(logs[0]), *logs]


def _evidence(
    one: Sequence[Source], two: Sequence[Source], output: Path, hotkey: str | None, json: bool
) -> int:
    compared: list[Ends] = []
    for a, b in _pairs(one, two, hotkey):
        left, right = _history(a), _history(b)
        found = find_fork(left, right)
        if found is not None:
            return _give(found, output, json)
        compared.append(Ends(left.origin, left.size, right.size))
    _say_consistent(compared, json)
    return 0


def _pairs(
    one: Sequence[Source], two: Sequence[Source], hotkey: str | None
) -> list[tuple[Source, Source]]:
    """Those of the same name. Raises CannotJudge where there are none."""
    named = {_origin(source): source for source in two}
    pairs = [(source, named[_origin(source)]) for source in one if _origin(source) in named]
    if not pairs:
        raise CannotJudge(
            f"the first is of {_origin(one[-1])}, the second of {_origin(two[-1])}: a fork is of "
            "one volume of one log; leave out --evidence to compare two logs"
        )
    signer = hotkey_of(_origin(one[0]))
    if hotkey not in (None, signer):
        raise CannotJudge(f"both are of {signer}, not of {hotkey}")
    return pairs


def _origin(source: Source) -> str:
    return source.origin if isinstance(source, History) else source.manifest.identity.origin


def _history(source: Source) -> History:
    return source if isinstance(source, History) else read_archive(source)


def _give(found: bytes, output: Path, json: bool) -> int:
    forked = open_fork(found)
    try:
        output.write_bytes(found)
    except OSError as problem:
        raise LogError(f"{output} cannot be written: {problem.strerror}") from None
    if json:
        say_json({"result": "fork", "file": str(output), **fork_facts(forked)})
        return 1
    out.print("[bold red]FORK[/]  two signed histories of one log")
    for line in fork_lines(forked):
        out.print(f"  {line}", markup=False)
    out.print(f"{output}: anyone can check it with `quasar proof verify {output}`", markup=False)
    return 1


def _say_consistent(compared: Sequence[Ends], json: bool) -> None:
    if json:
        say_json({"result": "consistent", "volumes": [ends._asdict() for ends in compared]})
        return
    for origin, one, two in compared:
        what = f"both end with event {one}"
        if one != two:
            what = f"the one of {min(one, two)} events begins that of {max(one, two)}"
        out.print(f"[bold green]NO FORK[/]  {origin}: {what}")


def _numbers(one: Sequence[ArchiveLog], two: Sequence[ArchiveLog], json: bool) -> int:
    """Sizes, and the first number with different events, volume by volume."""
    try:
        place = next(_differences(one, two), None)
    except Damaged as damage:
        raise CannotJudge(
            f"one of them is damaged ({damage}): quasar log verify says which"
        ) from None
    sizes = [sum(log.manifest.last for log in logs) for logs in (one, two)]
    origins = [logs[-1].manifest.identity.origin for logs in (one, two)]
    if json:
        volume, seq = place or (None, None)
        result = "equal" if place is None else "different"
        say_json(
            {"result": result, "events": sizes, "origins": origins, "volume": volume, "seq": seq}
        )
        return 0 if place is None else 1
    for origin, size in zip(origins, sizes, strict=True):
        out.print(f"{size:>9} events  {origin}", markup=False)
    if place is None:
        equal = sizes[0] == sizes[1]
        out.print("every event is equal" if equal else f"the first {min(sizes)} events are equal")
        return 0
    out.print(f"they differ from event {place[1]} of volume {place[0]} on")
    return 1


def _differences(one: Sequence[ArchiveLog], two: Sequence[ArchiveLog]) -> Iterator[tuple[int, int]]:
    """Volume and number of events that differ, while both logs go on."""
    for a, b in zip(one, two, strict=False):
        for (seq, line), (_, other) in zip(a.verified(), b.verified(), strict=False):
            if line != other:
                yield a.manifest.volume, seq
