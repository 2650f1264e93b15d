"""Freshness: tasks follow from secret and beacon alone, and variants differ on their surface."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quasar.benchmarks import FAMILIES
from quasar.config import load_policy
from quasar.draw import derive
from quasar.rules.difficulty import DifficultyState
from quasar.rules.mixing import drawn, played
from quasar.rules.plan import PlannedTask, plan_tasks, task_of
from quasar.rules.policy import Mix, parse
from quasar.rules.secrets import round_seed
from tests.drawn_rounds import drawn_policy

TOKENS = 9_000
few = settings(max_examples=25, deadline=None)
secrets = st.binary(min_size=32, max_size=32)
beacons = st.integers(0, 2**64).map(lambda n: f"0x{n:064x}")


def tasks(secret: bytes, beacon: str) -> list[PlannedTask]:
    """What a round with these two has."""
    policy, seed = parse(drawn_policy()), round_seed(secret, beacon)
    mix = drawn(1, seed, policy, DifficultyState())
    return list(plan_tasks(seed, played(policy, mix)))


def shown(task: PlannedTask) -> tuple[str, str, bool, bytes]:
    return (task.mix.family, task.mix.bucket, task.mix.anchor, task.seed)


@few
@given(secrets, beacons)
def test_a_round_follows_from_secret_and_beacon(secret: bytes, beacon: str) -> None:
    """Mix, anchors, seeds and variants: the same two give the same, in any order of asking."""
    one, two = tasks(secret, beacon), tasks(secret, beacon)
    assert [shown(task) for task in one] == [shown(task) for task in two]
    for first, second in zip(one[:2], two[:2], strict=True):
        answers = [first.variant(hotkey).commitment for hotkey in "ab"]
        assert answers[::-1] == [second.variant(hotkey).commitment for hotkey in "ba"]


@few
@given(secrets, beacons, st.integers(0, 255))
def test_either_of_them_changes_everything(secret: bytes, beacon: str, flip: int) -> None:
    """One bit more or less in the secret, or another block, and no seed is the same."""
    other = bytearray(secret)
    other[flip // 8] ^= 1 << flip % 8
    seeds = {task.seed for task in tasks(secret, beacon)}
    assert not seeds & {task.seed for task in tasks(bytes(other), beacon)}
    assert not seeds & {task.seed for task in tasks(secret, "0x" + "f" * 64)}


@few
@given(secrets, st.integers(1, 300))
def test_who_takes_part_changes_no_task(secret: bytes, miners: int) -> None:
    """A hotkey's variant depends on no other hotkey, and on none but its own."""
    [task, *_] = tasks(secret, "0x" + "0" * 64)
    alone = task.variant("hotkey").commitment
    for i in range(min(3, miners)):
        task.variant(f"other {i}")
    assert task.variant("hotkey").commitment == alone
    if not task.mix.anchor:
        assert task.variant("hotkey.").commitment != alone


FRESH = sorted({entry.family for entry in parse(load_policy("adaptive-v1")).mix})


@pytest.mark.parametrize("family", FRESH)
def test_variants_share_all_but_the_surface(family: str) -> None:
    """Length, depth, hops and decoys are the task's; values, and so the answer, the hotkey's."""
    level = 1 if FAMILIES[family].levels else None
    entry = Mix(family=family, bucket="32k", tasks=1, level=level)
    differ = []
    for number in range(3):
        task = task_of(0, entry, derive(b"fresh", f"{family}/{number}"), TOKENS)
        one, two, again = (task.variant(hotkey).instance for hotkey in ("one", "two", "one"))
        assert one.tokens == two.tokens <= TOKENS
        first, second = one.context(), two.context()
        assert first == again.context()
        assert first != second
        assert first.count("\n") == second.count("\n")
        assert [place.lines for place in one.proof] == [place.lines for place in two.proof]
        assert len(one.question) == len(two.question)
        differ.append(one.answer != two.answer)
    assert any(differ)
