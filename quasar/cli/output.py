"""Results on stdout, everything else on stderr."""

import shutil
import sys
from pathlib import Path

import msgspec
from rich.console import Console


class _Lines(Console):
    """Breaks no line: a command, a path or a hash stays in one piece to be copied."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, highlight=False, soft_wrap=True)

    def on_broken_pipe(self) -> None:
        """Leaves the exit code to ``run``: rich would take that of a check that failed."""
        raise BrokenPipeError


out = _Lines()
err = _Lines(stderr=True)


def say_json(value: object) -> None:
    """One JSON object a line, keys in a fixed order."""
    sys.stdout.buffer.write(msgspec.json.encode(value, order="deterministic") + b"\n")
    sys.stdout.buffer.flush()


def printable(text: str, limit: int = 200) -> str:
    """A stranger's text for a terminal: control and direction characters are shown, not obeyed."""
    shown = "".join(
        c if c.isprintable() and not _redirects(c) else f"\\x{ord(c):02x}" for c in text
    )
    return shown if len(shown) <= limit else shown[:limit] + "..."


def program() -> str:
    """How this very program is called from here: by name if it is on the path."""
    called = Path(sys.argv[0])
    found = shutil.which("quasar")
    if called.name != "quasar" or (found and Path(found).samefile(called)):
        return "quasar"
    return str(called)


def short(hotkey: str) -> str:
    """A hotkey as people recognise it."""
    return f"{hotkey[:6]}..{hotkey[-4:]}"


def _redirects(char: str) -> bool:
    return "\u202a" <= char <= "\u202e" or "\u2066" <= char <= "\u2069"
