"""Records the golden logs: ``python -m tests.golden.record [NAME ...]``, some minutes each.

Each is a short game of the real programs: server, miners, door, chain, and a sandbox where its
policy has tasks in code. It is recorded once for a released set of schemas and rules, and must
replay for ever; so nothing here is written over. A new set gets a new number, and the older
recordings stay.

Set 1: ``readme-v1`` and ``mixed-v1``, recorded without a sandbox. Set 2: ``programs-short``, whose
programs ran in Docker, and ``adaptive-short``, with drawn rounds, anchors and moving levels.
"""

import shutil
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from unittest.mock import patch

import anyio
import msgspec

from quasar.cli import play
from quasar.cli.processes import child
from quasar.inference import ENGINES
from tests.golden.expected import HERE, found
from tests.golden.miners import OWN
from tests.golden.policies import adaptive_short, programs_short

SET = "2"
"""Number of the newest released set."""
SEED = 7
BLOCK_MS = 1000
"""Slow, so that every miner is in time on a busy machine."""


class Recipe(NamedTuple):
    """What is played for a recording."""

    policy: Callable[[], bytes]
    engines: tuple[str, ...]
    """One a miner."""
    rounds: int


RECIPES = {
    "programs-short": Recipe(programs_short, ("scholar", "clumsy", "dice", "clumsy"), 3),
    "adaptive-short": Recipe(adaptive_short, ("scholar",) * 4 + ("random",), 4),
}


def record(name: str) -> None:
    """Play, audit, and keep both. Ends the program where one is there, or the new one not clean."""
    folder = HERE / SET / name
    if folder.exists():
        sys.exit(f"{folder} is recorded, and stays: give the new set of schemas a new number")
    with TemporaryDirectory(prefix="quasar-record-") as work:
        new = Path(work) / name
        game = _game(RECIPES[name], new / "archive", Path(work))
        if (played := anyio.run(play.play, game)) is None:
            sys.exit("stopped: nothing is kept")
        made = found(new / "archive")
        if {played.report.result, made.report["result"]} != {"clean"}:
            sys.exit(f"{name} is not clean: {played.report.listed}")
        text = msgspec.json.format(msgspec.json.encode(made), indent=1)
        (new / "expected.json").write_bytes(text + b"\n")
        shutil.copytree(new, folder)


def _game(recipe: Recipe, archive: Path, work: Path) -> play.Game:
    return play.Game(
        rounds=recipe.rounds,
        engines=recipe.engines,
        seed=SEED,
        policy=recipe.policy(),
        folder=archive,
        work=work,
        shown=False,
    )


@asynccontextmanager
async def _own_miners(
    module: str, arguments: Sequence[str], log: Path
) -> AsyncIterator[dict[str, Any]]:
    """Starts a child of the game; miners with the engines of ``tests.golden.miners``."""
    own = "tests.golden.miners" if module == "quasar" else module
    async with child(own, arguments, log) as started:
        yield started


if __name__ == "__main__":
    with (
        patch.dict(ENGINES, OWN),
        patch.multiple("quasar.cli.play", child=_own_miners, BLOCK_MS=BLOCK_MS),
    ):
        for wanted in sys.argv[1:] or RECIPES:
            record(wanted)
