"""Runs a command: one clear line for an error, and the exit code that scripts rely on."""

import errno
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress

from cyclopts import App, CycloptsError

from quasar.errors import QuasarError

_CUT = 141
"""As of a program that SIGPIPE ends: neither clean nor a finding."""
_SHOWN = 4000
"""Characters of a line."""
_REFUSALS = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.EISDIR, errno.ENOTDIR, errno.EIO}
)
"""What a machine says to a path that a person named. A missing file may be a mistake of ours."""


def run(app: App, arguments: Sequence[str] | None) -> int:
    """The exit code."""
    if sys.stdout is None:  # what Python makes of a closed one
        return _say_plain("standard output is closed; send it elsewhere")
    try:
        result = app(
            list(arguments) if arguments is not None else None,
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
        )
        sys.stdout.flush()  # here, and not at exit, where an error is a traceback
    except CycloptsError as error:
        return _say_usage(error)
    except QuasarError as error:
        return _say(error)
    except BaseExceptionGroup as group:
        return _say_first(group)
    except ImportError as missing:
        return _say_missing(missing, sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _discard_output()  # its reader has seen enough, but may have missed a finding
        return _CUT
    except OSError as error:
        if not (said := _of_machine(error)):
            raise
        if error.errno == errno.ENOSPC:
            _discard_output()
        return _say_plain(said)
    return result if isinstance(result, int) else 0


def _discard_output() -> None:
    """What is left of it: Python would try again at exit, and complain."""
    with suppress(OSError):
        sys.stdout.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _of_machine(error: OSError) -> str | None:
    """What is wrong with a file or a disk; None for what may be a mistake of this program."""
    if error.errno == errno.ENOSPC:
        return f"{error.strerror}: standard output, or a file that was to be written"
    if error.filename is not None and error.errno in _REFUSALS:
        return f"{error.filename}: {error.strerror}"
    return None


def _say_plain(why: str) -> int:
    if sys.stderr is not None:
        sys.stderr.write(f"quasar: {why}\n")
    return 2


def _say_usage(error: CycloptsError) -> int:
    command = " ".join(["quasar", *(error.command_chain or ())])
    sys.stderr.write(f"quasar: {' '.join(str(error).split())} See {command} --help\n")
    return 2


def _say(error: QuasarError) -> int:
    from quasar.cli.output import printable  # not needed for help, and slow to load

    lines = (printable(line, _SHOWN) for line in str(error).split("\n"))  # it may quote a stranger
    sys.stderr.write("quasar: " + "\n".join(lines) + "\n")
    return error.exit_code


def _say_first(group: BaseExceptionGroup[BaseException]) -> int:
    """Several actors may fail at once; the first cause is what matters."""
    for error in _leaves(group):
        if isinstance(error, QuasarError):
            return _say(error)
    if any(isinstance(e, KeyboardInterrupt) for e in _leaves(group)):
        return 130
    for error in _leaves(group):
        if isinstance(error, OSError) and (said := _of_machine(error)):
            return _say_plain(said)
    raise group


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


EXTRAS = {"validate": "validator", "nats": "validator", "serve": "validator", "mine": "miner"}
"""What a command's packages come with; a demo needs both."""


def _say_missing(missing: ImportError, arguments: Sequence[str]) -> int:
    cause = missing.__cause__ or missing  # cyclopts wraps what a lazy command raises
    name = (getattr(cause, "name", None) or "").partition(".")[0]
    if name not in {"nats", "aiohttp"}:
        raise missing
    extra = next((EXTRAS[a] for a in arguments if a in EXTRAS), "validator,miner")
    sys.stderr.write(
        f"quasar: this command needs the package {name!r}: pip install 'quasar-subnet[{extra}]'\n"
    )
    return 2
