"""A small recorded archive for tests of commands, with hostile answers in it."""

from pathlib import Path

from quasar.events.merkle import Tree, leaf_hash
from quasar.events.note import Checkpoint, sign_checkpoint
from quasar.log.archive import ArchiveIdentity, ArchiveWriter
from quasar.rules.delivery import Delivery
from tests.builders import BEACON_DELAY, EVERY, World

HOSTILE = "\x1b[2J\x1b]0;owned\x07ANSWER: \u202e1\u2066 \u200b[red]5[/] \x9b31m\r\nquasar: CLEAN"
"""Clears the screen, sets its title, turns text around, speaks in our name."""


async def record(folder: Path) -> World:
    """A played round and its weights, written as a validator writes them."""
    world = World(miners=3)
    await world.play_round(1, _answer)
    await world.block(EVERY + BEACON_DELAY + 30, epoch=2, metagraph=True)
    write(world, folder)
    return world


def identity_of(world: World) -> ArchiveIdentity:
    """Which log the world writes."""
    return ArchiveIdentity(
        log_id=world.log_id,
        volume=1,
        netuid=24,
        hotkey=world.hotkey.ss58_address,
        genesis=world.genesis,
    )


def write(world: World, folder: Path) -> None:
    """The world's log as a sealed archive."""
    with ArchiveWriter.open(folder, identity_of(world)) as writer:
        for data in world.log.blobs._held.values():  # type: ignore[attr-defined]
            writer.put_blob(data)
        writer.append(world.lines)
        writer.flush()
        tree = Tree(leaf_hash(line) for line in world.lines)
        note = sign_checkpoint(Checkpoint(world.origin, tree.size, tree.root()), world.log_key)
        writer.publish(note, tree.size)


def _answer(world: World, d: Delivery) -> bytes:
    first, second, _ = world.miners
    if d.key[2] == first:
        return world.right_answer(*d.key)
    return HOSTILE.encode() if d.key[2] == second else b""
