"""``quasar doctor``: what this machine has for Quasar, and what to do about the rest."""

import platform
from collections.abc import AsyncIterator, Iterator
from importlib.util import find_spec
from typing import Annotated, Literal, NamedTuple

import anyio
from cyclopts import Parameter
from msgspec.structs import replace
from rich.markup import escape

from quasar.cli import logs
from quasar.cli.output import out, printable, program, say_json
from quasar.cli.sandbox_flags import ANY_SANDBOX, Programs
from quasar.errors import QuasarError
from quasar.log.server_program import find_server, version_of
from quasar.sandbox import SandboxConfig, choose, open_sandbox, probe_engine
from quasar.sandbox.bwrap import find_bwrap, forbidding

State = Literal["ok", "optional", "needed"]
"""``optional``: missing, and what it is for does not work. ``needed``: nothing much works."""
MARKS = {"ok": "[green]ok[/]", "optional": "[yellow]--[/]", "needed": "[red]!![/]"}


class Extra(NamedTuple):
    """Packages that ``pip install 'quasar-subnet[...]'`` brings."""

    modules: tuple[str, ...]
    use: str
    missing: State = "optional"


EXTRAS = {
    "validator": Extra(("nats", "aiohttp", "bittensor"), "quasar validate and demo", "needed"),
    "miner": Extra(("aiohttp", "bittensor"), "quasar mine"),
    "torch": Extra(("torch", "transformers", "gguf"), "miners with a language model"),
    "longbench": Extra(("datasets", "jieba"), "tasks from LongBench's files"),
    "export": Extra(("pyarrow",), "quasar export --to parquet"),
}


class Check(NamedTuple):
    """One line of the answer."""

    name: str
    state: State
    detail: str
    """What was found, or what to do."""


def doctor(
    *,
    programs: Programs = ANY_SANDBOX,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Say what this machine has for Quasar, and what to do about the rest.

    A sandbox is opened to see that its walls stand. Exit code 1: `quasar demo` cannot run here.

    Parameters
    ----------
    json
        Print one JSON object.
    """
    logs.set_up(quiet=True)
    checks = anyio.run(examine, programs.config())
    ready = all(check.state != "needed" for check in checks)
    if json:
        say_json({"ready": ready, "checks": [check._asdict() for check in checks]})
    else:
        for check in checks:
            detail = escape(printable(check.detail, 600))
            out.print(f"{MARKS[check.state]}  {check.name:<16}{detail}")
        out.print(f"ready: {program()} demo" if ready else "not ready: see the lines with !!")
    return 0 if ready else 1


async def examine(config: SandboxConfig) -> list[Check]:
    """All checks, in the order in which people need what they check."""
    return [
        Check("python", "ok", f"{platform.python_version()}, {platform.machine()}"),
        await _server(),
        *_extras(),
        *[check async for check in _sandbox(config)],
    ]


async def _server() -> Check:
    try:
        binary = find_server()
        return Check("nats-server", "ok", f"{await version_of(binary)} at {binary}")
    except QuasarError as error:
        return Check("nats-server", "needed", str(error))


def _extras() -> Iterator[Check]:
    for name, extra in EXTRAS.items():
        missing = [module for module in extra.modules if find_spec(module) is None]
        if missing:
            get = f"pip install 'quasar-subnet[{name}]'"
            detail = f"no {', '.join(missing)}, for {extra.use}: {get}"
            yield Check(f"extra {name}", extra.missing, detail)
        else:
            yield Check(f"extra {name}", "ok", extra.use)


async def _sandbox(config: SandboxConfig) -> AsyncIterator[Check]:
    """The engine, bubblewrap, and which of them runs programs here."""
    engine = await probe_engine(config.engine)
    where = f" at {engine.url}" if engine.url else ""
    yield Check("engine", "ok" if engine.url else "optional", f"{engine.reason}{where}")
    setting = forbidding()
    detail = setting or "no setting of the kernel forbids them"
    yield Check("user namespaces", "optional" if setting else "ok", detail)
    try:
        found = find_bwrap()
        yield Check("bubblewrap", "ok", f"{found.version} at {found.command[-1]}")
    except QuasarError as error:
        yield Check("bubblewrap", "optional", str(error))
    yield await _opened(config)


async def _opened(config: SandboxConfig) -> Check:
    """As a validator with the same flags would open it."""
    choice = await choose(config)
    if choice.driver is None:
        return Check("sandbox", "optional", "none: a validator here offers no tasks in code")
    try:
        async with open_sandbox(replace(config, driver=choice.driver, pool=0)) as sandbox:
            identity = sandbox.identity
    except QuasarError as error:
        return Check("sandbox", "optional", f"{choice.driver} does not work: {error}")
    why = "since an engine answers" if choice.driver == "docker" else "for want of an engine"
    if config.driver != "auto":
        why = "since it was named"
    walls = f"its walls stand, {identity.runtime}, Python {identity.python}"
    return Check("sandbox", "ok", f"{choice.driver}, {why}; {walls}")
