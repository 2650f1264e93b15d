"""``quasar proof``: files that prove to a stranger what stands in a log, and their check."""

import re
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from quasar.cli.fork_words import verify_fork
from quasar.cli.output import out, say_json
from quasar.cli.proof_words import details, facts, headline, not_proved
from quasar.cli.source import check_hotkey, open_source
from quasar.cli.why import complete
from quasar.errors import CannotJudge, LogError, UsageError
from quasar.events.exhibits import open_file
from quasar.events.proof import MAX_PROOF_CHARS
from quasar.events.score_proof import check_score
from quasar.log.prove import Prover

Json = Annotated[bool, Parameter(negative="")]
Out = Annotated[Path | None, Parameter(alias="-o")]

_TASK = re.compile(r"([0-9]{1,16})\.([0-9]{1,16})", re.ASCII)


def inclusion(
    source: str,
    seq: int,
    /,
    *,
    checkpoint: int | None = None,
    output: Out = None,
    json: Json = False,
) -> int:
    """Prove that an event stands in the log. `quasar proof verify` needs nothing but the file.

    Parameters
    ----------
    source
        Folder or URL of an archive, or ``sample``.
    seq
        Number of the event.
    checkpoint
        Size of the kept checkpoint to prove it under; else the newest.
    output
        Write the proof into this file, usually ``*.tlog-proof``; else it is printed.
    json
        Print one JSON object with the proof's text in it.
    """
    return _give(Prover(open_source(source), checkpoint).inclusion(seq), output, json)


def score(
    source: str,
    hotkey: str,
    task: str,
    /,
    *,
    checkpoint: int | None = None,
    output: Out = None,
    json: Json = False,
) -> int:
    """Prove what a miner was asked, what it answered under its signature, and the score it got.

    Parameters
    ----------
    source
        Folder or URL of an archive, or ``sample``.
    hotkey
        The miner; the first characters are enough.
    task
        Round and task, such as ``3.5``.
    checkpoint
        Size of the kept checkpoint to prove it under; else the newest.
    output
        Write the proof into this file, usually ``*.tlog-proof``; else it is printed.
    json
        Print one JSON object with the proof's text in it.
    """
    named = _TASK.fullmatch(task)
    if not named:
        raise UsageError(f"{task!r} is not ROUND.TASK: give it like 3.5, as `quasar why` counts")
    log = open_source(source)
    miner = complete(log, hotkey)
    text = Prover(log, checkpoint).score(miner, int(named[1]), int(named[2]))
    return _give(text, output, json)


def consistency(
    source: str,
    old: str,
    new: int | None = None,
    /,
    *,
    output: Out = None,
    json: Json = False,
) -> int:
    """Prove that the log only grew between two checkpoints.

    Exit code 1 where the older one is signed and the log does not begin with it.

    Parameters
    ----------
    source
        Folder or URL of an archive, or ``sample``.
    old
        Size of an older checkpoint that the archive keeps, or a file with one that you kept.
    new
        Size of the newer checkpoint; else the newest.
    output
        Write the proof into this file, usually ``*.tlog-proof``; else it is printed.
    json
        Print one JSON object with the proof's text in it.
    """
    known = int(old) if old.isascii() and old.isdecimal() else read_proof(Path(old))
    return _give(Prover(open_source(source), new).consistency(known), output, json)


def verify(file: Path, /, *, hotkey: str | None = None, json: Json = False) -> int:
    """Check a proof file and say what it proves. Nothing else is read: no log, no network.

    Exit code 0: proved. 1: it does not hold. 2: it cannot be read.

    Parameters
    ----------
    file
        What `quasar proof inclusion`, `score` or `consistency` wrote, or `quasar diff --evidence`.
    hotkey
        The validator whose log this must be. Without it, the file itself says whose it is.
    json
        Print one JSON object.
    """
    if hotkey is not None:
        check_hotkey(hotkey)
    text = read_proof(file)
    if text.startswith("{"):
        return verify_fork(text, hotkey, json)
    proved = open_file(text, hotkey)
    shown = check_score(proved) if proved.kind == "score" else None
    if json:
        say_json(facts(proved, shown, pinned=hotkey is not None))
        return 0
    out.print(f"[bold green]PROVED[/]  {headline(proved, shown)}")
    whose = "as you named it" if hotkey else "as the file says; --hotkey checks it"
    out.print(f"  log         {proved.opening.origin}", markup=False)
    out.print(f"  signed by   {proved.opening.event.hotkey} ({whose})", markup=False)
    for line in details(proved, shown):
        out.print(f"  {line}", markup=False)
    for line in not_proved(proved):
        out.print(f"  [yellow]not proved[/]  {line}")
    return 0


def read_proof(path: Path) -> str:
    """The text of a proof file. Raises UsageError where there is none, CannotJudge for no text."""
    try:
        with path.open("rb") as file:
            data = file.read(4 * MAX_PROOF_CHARS)
    except OSError as problem:
        raise UsageError(f"{path} cannot be read: {problem.strerror}; give a file") from None
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise CannotJudge(f"{path} is not a proof: it is not UTF-8") from None


def _give(text: str, output: Path | None, json: bool) -> int:
    if output is not None:
        try:
            output.write_bytes(text.encode())
        except OSError as problem:
            raise LogError(f"{output} cannot be written: {problem.strerror}") from None
    if json:
        say_json({"file": None if output is None else str(output), "proof": text})
    elif output is None:
        sys.stdout.buffer.write(text.encode())
        sys.stdout.buffer.flush()
    else:
        out.print(f"{output}: check it with `quasar proof verify {output}`", markup=False)
    return 0
