"""Places for work: what is not seen through an actor."""

import anyio
import pytest

import quasar.log.places
from quasar.log.bell import Bell
from quasar.log.places import Key, Places

pytestmark = pytest.mark.anyio


async def test_what_waits_long_goes_to_whoever_has_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease is not held without end for a turn that does not come; the place is not lost."""
    work: dict[Key, None] = {(1, task, "a"): None for task in range(2)}
    places = Places(1, work.keys, Bell())
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(places.serve)
            async with places.queue((1, 0, "a"), 1) as came:
                assert came
                assert not places.wants_more
                with monkeypatch.context() as m:
                    m.setattr(quasar.log.places, "WAIT_S", 0.01)
                    async with places.queue((1, 1, "a"), 2) as second:
                        assert not second
            assert places.wants_more
            async with places.queue((1, 1, "a"), 2) as again:
                assert again
            tasks.cancel_scope.cancel()


async def test_turns_at_other_workers_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who had one there is not looked for here before those who wait here."""
    monkeypatch.setattr(quasar.log.places, "LOOK_S", 3600.0)  # no place is given for lack of others
    work: dict[Key, None] = {(1, task, hotkey): None for task in range(2) for hotkey in "abc"}
    places = Places(1, work.keys, Bell())
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(places.serve)
            async with places.queue((1, 0, "a"), 1):
                pass
            del work[(1, 0, "a")]
            with anyio.move_on_after(0.01):  # b and c are next, wherever they are
                async with places.queue((1, 1, "a"), 2):
                    raise AssertionError("a second turn before another's first")
            for hotkey in "bc":
                del work[(1, 0, hotkey)]
                places.done((1, 0, hotkey))
            async with places.queue((1, 1, "a"), 2) as came:
                assert came
            tasks.cancel_scope.cancel()
