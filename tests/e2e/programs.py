"""Programs of their own for tests: started, read, and always ended by their id."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from quasar.cli.identity import demo_miner, demo_validator
from quasar.cli.source import open_source
from quasar.log.archive_reader import ArchiveLog
from tests.builders import small_policy

BLOCK_MS = 50
TEMPO = 25
QUASAR = "quasar"


class Result(NamedTuple):
    """How a program ended."""

    code: int
    out: str
    err: str


def run(*arguments: str, timeout_s: float = 200.0, **environment: str) -> Result:
    """``quasar`` with these arguments, to its end."""
    done = subprocess.run(
        [sys.executable, "-m", QUASAR, *arguments],
        capture_output=True,
        timeout=timeout_s,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
    )
    return Result(done.returncode, done.stdout.decode(), done.stderr.decode())


def start(
    module: str, arguments: Sequence[str], errors: Path, **environment: str
) -> "subprocess.Popen[bytes]":
    """``python -m module`` in the background; its stderr goes to a file."""
    with errors.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=file,
            env=os.environ | environment,
        )


@contextmanager
def running(
    module: str, arguments: Sequence[str], errors: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    """A program that is gone when the context ends."""
    process = start(module, arguments, errors)
    try:
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def first_line(process: "subprocess.Popen[bytes]") -> Any:
    """The JSON line that says a program is ready."""
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


@contextmanager
def subnet(work: Path, seed: int = 7, miners: int = 3, engine: str = "extractive") -> Iterator[str]:
    """A block source and miners, each a process; gives the chain's URL."""
    hotkeys = [demo_validator(seed).hotkey.ss58_address]
    hotkeys += [demo_miner(seed, i).ss58_address for i in range(miners)]
    with ExitStack() as stack:
        chain = ["--seed", str(seed), "--block-ms", str(BLOCK_MS), "--tempo", str(TEMPO)]
        chain += ["--hotkeys", ",".join(hotkeys), "--journal", str(work / "chain.jsonl")]
        source = running("quasar.chain.local", chain, work / "chain.log")
        url = f"http://127.0.0.1:{first_line(stack.enter_context(source))['port']}"
        doors = []
        for i in range(miners):
            mine = ["mine", "--chain", url, "--engine", engine, "--seed", str(seed)]
            mine += [
                "--index",
                str(i),
                "--port",
                "0",
                "--json",
                "--state",
                str(work / f"miner-{i}"),
            ]
            doors.append(stack.enter_context(running(QUASAR, mine, work / f"miner-{i}.log")))
        for door in doors:
            first_line(door)
        yield url


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def write_policy(folder: Path, **changes: str) -> Path:
    """The small policy of the builders as a file; ``changes`` as they take them."""
    path = folder / "policy.toml"
    path.write_bytes(small_policy(**changes))
    return path


def newest_volume(folder: Path) -> ArchiveLog:
    """The volume that a validator wrote last. Raises UsageError while there is none."""
    return open_source(str(folder))


def processes_naming(text: str) -> dict[int, str]:
    """Ids and command lines of running processes whose command line names it."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and int(folder.name) != os.getpid():
            with suppress(OSError):
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if text in command:
                    found[int(folder.name)] = command
    return found


def until(process: "subprocess.Popen[bytes]", condition: Callable[[], bool]) -> None:
    """Wait for what only a program's files tell; it must not end before."""
    while not condition():
        with suppress(subprocess.TimeoutExpired):
            raise AssertionError(f"it ended before, with {process.wait(0.02)}")


def interrupt(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    """Send a signal to a program that still runs."""
    assert process.poll() is None, f"it ended before, with {process.returncode}"
    process.send_signal(number)
