"""A validator tells its log of a new key, whatever stops it on the way, and however often."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from quasar.errors import UsageError
from quasar.events import CheckpointSigned, LogKeyRotated, LogOpened
from quasar.events.note import LogKeys
from quasar.events.signing import Signer
from quasar.log.archive import ArchiveLog, ArchiveWriter
from quasar.log.memory import MemoryLog
from quasar.log.verify import verify_archive
from quasar.replay import audit as audit_log
from quasar.rules.owners import SLOTS
from quasar.supervisor.log_keys import Ending, ReplacedKey
from quasar.supervisor.rotation import keep_up
from quasar.supervisor.setup import Identity, Setup
from quasar.supervisor.volume import Volume, log_keys, seal
from tests.builders import World
from tests.forging import few_tasks
from tests.rotating import SECOND, STRANGER, THIRD, write_signed
from tests.unit.volume_folder import identity_of

ROTATED = Ending(volume=1)


def setup_of(world: World, folder: Path, newest: Signer, *replaced: ReplacedKey) -> Setup:
    """A validator with these log keys."""
    chain: Any = None
    return Setup(
        identity=Identity(hotkey=world.hotkey, log_key=newest, replaced=replaced, master=b""),
        chain=chain,
        state=folder / "state",
        archive=folder / "archive",
        policy=world.policy,
        mode="simulation",
    )


async def start(setup: Setup, world: World) -> None:
    """What a validator does with its keys before anything else in a run."""
    with ArchiveWriter.open(setup.archive, identity_of(world)) as writer:
        volume = Volume(1, dict.fromkeys(SLOTS, world.log), writer, None)
        await keep_up(setup, volume, await log_keys(volume.log))


async def killed(world: World, folder: Path) -> tuple[int, int]:
    """A validator that was killed: the newest events are not in the archive.

    Gives the sizes of its two checkpoints.
    """
    await world.play_round(1)
    await world.checkpoint()
    sizes = (10, world.events(CheckpointSigned)[-1].size)
    held = world.lines[: sizes[1] + 1]
    write_signed(folder / "archive", world, held, dict.fromkeys(sizes, world.log_key))
    return sizes


def new_world() -> World:
    """Not yet played."""
    return World(policy=few_tasks())


def is_whole(world: World, folder: Path) -> LogKeys:
    """The archive holds all of the log, signed, and an audit is clean; gives its keys."""
    found = verify_archive(folder / "archive", processes=1)
    assert found.events == len(world.lines)
    report = anyio.run(audit_log, ArchiveLog(folder / "archive"))
    assert report.result == "clean", report.first_divergence
    return anyio.run(log_keys, world.log)


def test_a_rotated_key_signs_what_stands_before(tmp_path: Path) -> None:
    """The old key over all that was there, the new one from its own event on, and at once."""
    world, old = new_world(), new_world().log_key

    async def play() -> None:
        await killed(world, tmp_path)
        setup = setup_of(world, tmp_path, SECOND, ReplacedKey(old, ROTATED))
        await start(setup, world)
        await start(setup, world)

    anyio.run(play)
    keys = is_whole(world, tmp_path)
    first = len(world.lines)
    assert [(k.public_key, k.first, k.last) for k in keys.ranges] == [
        (old.public_key, 0, first - 1),
        (SECOND.public_key, first, None),
    ]
    assert ArchiveLog(tmp_path / "archive").checkpoint_sizes()[-2:] == [first - 1, first]
    assert len(world.events(LogKeyRotated)) == 1


def test_a_revoked_key_signs_no_more(tmp_path: Path) -> None:
    """Its checkpoints above the limit are gone, and the new key covers everything."""
    world, old = new_world(), new_world().log_key

    async def play() -> None:
        early, _ = await killed(world, tmp_path)
        ending = Ending(reason="revoked", volume=1, until=early)
        await start(setup_of(world, tmp_path, SECOND, ReplacedKey(old, ending)), world)

    anyio.run(play)
    keys = is_whole(world, tmp_path)
    assert (keys.ranges[0].last, keys.ranges[0].revoked) == (10, True)
    assert ArchiveLog(tmp_path / "archive").checkpoint_sizes() == [10, len(world.lines)]


STEPS: list[tuple[type[Any], str]] = [
    (ArchiveWriter, "flush"),
    (ArchiveWriter, "publish"),
    (MemoryLog, "append"),
    (Path, "replace"),
    (Path, "unlink"),
]


class Killed(BaseException):
    """The process is gone."""


def die_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Killed before or after the n-th of ``STEPS``."""
    left = [step]

    def count() -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Killed

    def wrap(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            count()
            done = call(*args, **kwargs)
            count()
            return done

        return wrapped

    def wrap_async(call: Callable[..., Any]) -> Callable[..., Any]:
        async def wrapped(*args: Any, **kwargs: Any) -> Any:
            count()
            done = await call(*args, **kwargs)
            count()
            return done

        return wrapped

    for owner, name in STEPS:
        wrapping = wrap_async if owner is MemoryLog else wrap
        monkeypatch.setattr(owner, name, wrapping(getattr(owner, name)))


@pytest.mark.parametrize("until", [None, 10], ids=["rotated", "revoked"])
def test_killed_at_any_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, until: int | None
) -> None:
    """The next start goes on: one rotation, nothing lost, and what is signed is what counts."""
    old = new_world().log_key
    ending = ROTATED if until is None else Ending(reason="revoked", volume=1, until=until)
    died, step = True, 0
    while died:
        step += 1
        world, folder = new_world(), tmp_path / str(step)
        anyio.run(killed, world, folder)
        setup = setup_of(world, folder, SECOND, ReplacedKey(old, ending))
        with monkeypatch.context() as patched:
            die_at(patched, step)
            try:
                anyio.run(start, setup, world)
                died = False
            except Killed:
                pass
        anyio.run(start, setup, world)
        keys = is_whole(world, folder)
        assert len(keys.ranges) == 2
        first = keys.current.first
        sizes = ArchiveLog(folder / "archive").checkpoint_sizes()
        assert not [n for n in sizes if (until or first) < n < first]
    assert step > 20


def test_two_pending_keys_are_one_step(tmp_path: Path) -> None:
    """The log learns of the newest only; the strictest limit holds."""
    world, old = new_world(), new_world().log_key

    async def play() -> None:
        await killed(world, tmp_path)
        revoked = Ending(reason="revoked", volume=1, until=12)
        pending = ReplacedKey(old, ROTATED), ReplacedKey(SECOND, revoked)
        await start(setup_of(world, tmp_path, THIRD, *pending), world)

    anyio.run(play)
    keys = is_whole(world, tmp_path)
    assert [key.last for key in keys.ranges] == [12, None]
    assert keys.current.public_key == THIRD.public_key


def test_a_log_key_that_is_not_here(tmp_path: Path) -> None:
    """An old backup of the state folder: nothing is written."""
    world = new_world()

    async def play() -> None:
        await killed(world, tmp_path)
        await start(setup_of(world, tmp_path, STRANGER), world)

    with pytest.raises(UsageError, match="not in the state folder"):
        anyio.run(play)
    assert world.events(LogKeyRotated) == []


def test_a_closed_volume_is_sealed_by_its_own_key(tmp_path: Path) -> None:
    """Nothing may follow LogClosed, so the newer key begins with the next volume."""
    world = new_world()
    setup = setup_of(world, tmp_path, SECOND, ReplacedKey(world.log_key, ROTATED))

    async def play() -> None:
        await world.play_round(1)
        await world.close()
        with ArchiveWriter.open(setup.archive, identity_of(world)) as writer:
            for data in world.log.blobs._held.values():  # type: ignore[attr-defined]
                writer.put_blob(data)
            await seal(setup, Volume(1, dict.fromkeys(SLOTS, world.log), writer, None))

    anyio.run(play)
    keys = is_whole(world, tmp_path)
    assert keys.current.public_key.hex() == world.events(LogOpened)[0].log_key
