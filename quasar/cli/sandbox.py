"""``quasar sandbox build`` and ``run``: the walls made ready, and a program behind them."""

import sys
from json import dumps
from pathlib import Path
from typing import Annotated, Any

import anyio
from cyclopts import Parameter
from rich.markup import escape
from rich.table import Table

from quasar.cli import logs
from quasar.cli.output import out, printable, say_json
from quasar.cli.sandbox_flags import ANY_DRIVER, DEFAULT_WALLS, Driver, Walls
from quasar.errors import UsageError
from quasar.sandbox import Outcome, Sandbox, SandboxConfig, SandboxIdentity, open_sandbox
from quasar.sandbox.http_request import Call, call_of
from quasar.sandbox.prepare import Prepared, prepare

OWNER = "quasar sandbox"
PRINTED = 100
"""Lines of what a call printed that are shown."""
WHY = {
    "found": "it was there already",
    "pulled": "from its registry, since it was named",
    "built": "from this interpreter, since no image was named",
}


def build(
    *,
    driver: Driver = ANY_DRIVER,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Have ready what cells are made of, and see that their walls stand.

    Without --image it is built from this interpreter: the same one gives the same bytes on every
    machine. A validator does this by itself when it starts.

    Parameters
    ----------
    json
        Print one JSON object.
    """
    logs.set_up()
    config = driver.config(owner=OWNER)
    with driver.explained():
        ready = anyio.run(prepare, config)
    if json:
        say_json(_report(ready))
    else:
        _show_prepared(ready)
    return 0


def _report(ready: Prepared) -> dict[str, Any]:
    return {
        "how": ready.files.how,
        "name": ready.files.name,
        "size": ready.files.size,
        "seconds": round(ready.seconds, 3),
        "reason": ready.driver,
        "identity": ready.identity,
    }


def _show_prepared(ready: Prepared) -> None:
    files, identity = ready.files, ready.identity
    rows = {
        "driver": f"{identity.driver}: {ready.driver}",
        files.how: f"{files.name} in {ready.seconds:.2f} s, {WHY[files.how]}",
        "image": identity.image,
        "layers": " ".join(identity.layers),
        "digests": " ".join(identity.repo_digests),
        "python": f"{identity.python}, {identity.machine}",
        "size": f"{files.size / 1e6:.1f} MB",
        "walls": f"stand: {identity.engine}, {identity.runtime}",
    }
    for name, value in rows.items():
        if value:
            out.print(f"{name:<8} {escape(printable(value, 2000))}")


def run(
    file: Annotated[Path, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    function: str | None = None,
    input_: Annotated[
        list[str] | None, Parameter(name="--input", negative="", allow_leading_hyphen=True)
    ] = None,
    walls: Walls = DEFAULT_WALLS,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Run a program's function in the sandbox, as a validator would. Exit code 1: a call failed.

    Parameters
    ----------
    file
        A program, or an answer with one in a fenced block; - for standard input.
    function
        What to call; else solve, main, solution, or the first function by name.
    input_
        JSON: a list holds the arguments, anything else is the only one. Repeat it for several
        calls, each in a process of its own; without it there is one call without arguments.
    json
        Print one JSON object.
    """
    logs.set_up()
    config, text = walls.config(owner=OWNER, pool=0), _text(file)
    calls = [_call(text, function, given) for given in input_ or ["[]"]]
    with walls.explained():
        identity, outcomes = anyio.run(_run, config, calls)
    if json:
        _say_outcomes(identity, outcomes)
    else:
        _show_outcomes(calls, outcomes)
    return int(not all(outcome.success for outcome in outcomes))


def _text(file: Path) -> str:
    try:
        raw = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file} is not UTF-8 text: name a Python file") from None


def _call(text: str, function: str | None, given: str) -> Call:
    if function is not None and not function.isidentifier():
        raise UsageError(f"--function {function!r} is no name that a function can have")
    try:
        return call_of(text, function, given)
    except UsageError as error:
        raise UsageError(f"--input {printable(given, 60)}: {error}") from None


async def _run(config: SandboxConfig, calls: list[Call]) -> tuple[SandboxIdentity, list[Outcome]]:
    sandbox: Sandbox
    async with open_sandbox(config) as sandbox:
        inputs = [call.arguments for call in calls]
        outcomes = await sandbox.run(calls[0].code, calls[0].function_name, inputs)
        return sandbox.identity, outcomes


def _say_outcomes(identity: SandboxIdentity, outcomes: list[Outcome]) -> None:
    import msgspec

    shown = {
        "identity": msgspec.to_builtins(identity),
        "outcomes": [msgspec.structs.asdict(outcome) for outcome in outcomes],
    }
    # Not say_json: an output may be an integer of any length.
    sys.stdout.write(dumps(shown, allow_nan=False, sort_keys=True) + "\n")


def _show_outcomes(calls: list[Call], outcomes: list[Outcome]) -> None:
    table = Table("input", "status", "output", "ms", box=None)
    for call, outcome in zip(calls, outcomes, strict=True):
        said = dumps(outcome.output) if outcome.success else outcome.error or ""
        given = escape(printable(dumps(call.arguments), 60))
        ms = str(outcome.execution_time_ms)
        table.add_row(given, outcome.status, escape(printable(said)), ms)
    out.print(table)
    for number, outcome in enumerate(outcomes, 1):
        for line in outcome.stdout.splitlines()[:PRINTED]:
            out.print(escape(f"{number}: {printable(line)}"))
