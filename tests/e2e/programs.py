"""Programs of their own for tests: started, read, and always ended by their id."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from quasar.cli.identity import demo_miner, demo_validator
from quasar.cli.source import open_source
from quasar.errors import Damaged, QuasarError, TryAgain
from quasar.events.envelope import tag_of
from quasar.log.archive_reader import ArchiveLog
from tests.builders import small_policy

BLOCK_MS = 50
TEMPO = 25
QUASAR = "quasar"
PATIENCE_S = 200.0
"""For what has an end of its own: a machine under load must not fail it. Below pytest's limit."""


class Result(NamedTuple):
    """How a program ended."""

    code: int
    out: str
    err: str


def run(*arguments: str, timeout_s: float = PATIENCE_S, **environment: str) -> Result:
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
            process.wait(30)
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


def write_policy(folder: Path, **changes: str) -> Path:
    """The small policy of the builders as a file; ``changes`` as they take them."""
    path = folder / "policy.toml"
    path.write_bytes(small_policy(**changes))
    return path


def newest_volume(folder: Path) -> ArchiveLog:
    """The volume that a validator wrote last. Raises UsageError while there is none."""
    return open_source(str(folder))


class Watcher:
    """Follows an archive that another process writes."""

    def __init__(self, archive: Path) -> None:
        self._archive = archive
        self._seq = 0
        self.rounds = 0
        """How many were opened so far."""

    def count(self, tag: str) -> int:
        """How many events of a type came since the last call."""
        found = 0
        with suppress(QuasarError):  # not there yet, or half written
            for seq, line in newest_volume(self._archive).lines(self._seq):
                self._seq = seq
                found += tag_of(line) == tag
                self.rounds += tag_of(line) == "RoundOpened"
        return found

    def wait(self, tag: str, process: "subprocess.Popen[bytes]") -> None:
        """Return soon after the next event of a type; nothing but its files tells of it."""
        self.count(tag)
        until(process, lambda: self.count(tag) > 0)


def written(log: ArchiveLog) -> Iterator[bytes]:
    """Its lines, without what a killed writer left behind them: the next one settles that."""
    try:
        yield from (line for _, line in log.lines())
    except Damaged as found:
        if found.seq <= log.manifest.last:
            raise


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


def settled(command: Callable[[], Result]) -> Result:
    """What a command says once it no longer asks to try again.

    The server of a killed validator takes a moment to end, and holds the folder until then.
    """
    while (done := command()).code == TryAgain.exit_code:
        pass
    return done


def until(
    process: "subprocess.Popen[bytes]", condition: Callable[[], bool], pause_s: float = 0.02
) -> None:
    """Wait for what only a program's files tell; it must not end before."""
    while not condition():
        with suppress(subprocess.TimeoutExpired):
            raise AssertionError(f"it ended before, with {process.wait(pause_s)}")


def interrupt(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    """Send a signal to a program that still runs."""
    assert process.poll() is None, f"it ended before, with {process.returncode}"
    process.send_signal(number)
