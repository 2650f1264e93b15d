"""Sandboxes from PyPI, each in an environment of its own that is made when it is first needed."""

import json
import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from sandbox_ways import Times, Way

ENVIRONMENTS = Path(__file__).parents[1] / "build" / "peers"
WORKER = Path(__file__).parent / "sandbox_worker.py"


class Peer(NamedTuple):
    """A package, and the ways to use it that ``sandbox_worker.py`` has."""

    package: str
    others: tuple[str, ...]
    """What it needs beside what it says: its last release may be years old."""
    ways: dict[str, int]
    """Name of a way to how many turns it gets at most; 0: all of them."""


PEERS = (
    Peer("epicbox==1.1.0", ("urllib3<2", "docker<7", "requests<2.32"), {"epicbox": 0}),
    Peer(
        "llm-sandbox[docker]==0.3.46",
        (),
        # By default it waits ten seconds for a process that ignores SIGTERM: three times will do.
        {"llm-sandbox": 3, "llm-sandbox, killed": 0, "llm-sandbox, its pool": 0},
    ),
)


def environment(peer: Peer) -> Path:
    """The interpreter that has this peer. Raises CalledProcessError where pip fails."""
    folder = ENVIRONMENTS / peer.package.replace("[", "-").replace("]", "")
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        venv.create(folder, clear=True, with_pip=True)
        command = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*command, peer.package, *peer.others], check=True, stdout=sys.stderr)
        (folder / "complete").touch()
    return python


@contextmanager
def started(python: Path, name: str, image: str, engine: str) -> Iterator[Way]:
    """A process that waits for turns. Its imports are over: they are not what is measured."""
    worker = subprocess.Popen(
        [python, str(WORKER), name, image],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"DOCKER_HOST": engine},
        text=True,
    )
    assert worker.stdin is not None
    assert worker.stdout is not None
    asked, told = worker.stdin, worker.stdout

    def answer() -> str:
        line = told.readline()
        if not line:
            raise RuntimeError(f"{name} ended; see it with: {python} {WORKER} '{name}' {image}")
        return line

    async def once() -> Times:
        print(file=asked, flush=True)
        return Times(*json.loads(answer()))  # waits without the loop: nobody else is to run now

    try:
        answer()
        yield once
    finally:
        asked.close()
        worker.wait(60)
        told.close()
