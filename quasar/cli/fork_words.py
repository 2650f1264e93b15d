"""What the proof of a fork shows, in words for people and as facts for programs."""

from collections.abc import Iterator

from quasar.cli.output import out, printable, say_json
from quasar.events.fork import Forked, open_fork
from quasar.events.note import Checkpoint

_CHARS = 160
_BEFORE = 60
"""Characters that are shown although they are equal."""


def verify_fork(text: str, hotkey: str | None, json: bool) -> int:
    """Check the proof of a fork and say what it proves; the exit code."""
    forked = open_fork(text.encode(), hotkey)
    if json:
        say_json({"result": "proved", "kind": "fork", **fork_facts(forked)})
        return 0
    out.print("[bold green]PROVED[/]  a fork: two signed histories of one log, and only one can be")
    for line in fork_lines(forked, pinned=hotkey is not None):
        out.print(f"  {line}", markup=False)
    for line in not_proved(forked):
        out.print(f"  [yellow]not proved[/]  {line}")
    return 0


def fork_facts(forked: Forked) -> dict[str, object]:
    """For ``--json``."""
    one, two = forked.lines or (None, None)
    return {
        "hotkey": forked.hotkey,
        "origin": forked.first.origin,
        "seq": forked.seq,
        "is_first": forked.is_first,
        "histories": [
            _fact(forked.first, forked.keys[0], one),
            _fact(forked.second, forked.keys[1], two),
        ],
    }


def fork_lines(forked: Forked, *, pinned: bool = False) -> Iterator[str]:
    """Who, which log, which two histories, and from which number on; a line each."""
    whose = "as you named it" if pinned else "as the log's name says; --hotkey checks it"
    yield f"log         {forked.first.origin}"
    yield f"signed for  {forked.hotkey} ({whose})"
    for name, checkpoint, key in (
        ("one", forked.first, forked.keys[0]),
        ("two", forked.second, forked.keys[1]),
    ):
        yield (
            f"history {name} {checkpoint.size} events, root {checkpoint.root.hex()}, "
            f"signed by log key {key}"
        )
    yield from _parting(forked)


def not_proved(forked: Forked) -> Iterator[str]:
    """What a reader might take for proved."""
    yield "which of the two is the true one, nor who was shown which"
    yield "that no key here was revoked: `quasar log verify` on the newest archive shows them"
    if forked.seq is None:
        yield "which event differs: the histories were compared by their roots alone"


def _parting(forked: Forked) -> Iterator[str]:
    if forked.seq is None or forked.lines is None:
        size = forked.first.size
        yield f"they part   somewhere within the first {size} events: those have two roots"
        return
    before = f"events 1 to {forked.seq - 1} are the same" if forked.is_first else "or before"
    yield f"they part   at event {forked.seq}; {before}"
    start = _common(*forked.lines)
    for name, line in zip(("one", "two"), forked.lines, strict=True):
        shown = line[start:].decode(errors="replace")
        yield f"  in {name}    {'...' if start else ''}{printable(shown, _CHARS)}"


def _common(one: bytes, two: bytes) -> int:
    """Where to begin to show two lines: a little before they part."""
    length = min(len(one), len(two))
    same = next((i for i in range(length) if one[i] != two[i]), length)
    return max(0, same - _BEFORE)


def _fact(checkpoint: Checkpoint, key: str, line: bytes | None) -> dict[str, object]:
    return {
        "events": checkpoint.size,
        "root": checkpoint.root.hex(),
        "log_key": key,
        "event": None if line is None else line.decode(),
    }
