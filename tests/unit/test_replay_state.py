"""Time travel: the state of a log at any event, block or time."""

import json
from functools import cache
from pathlib import Path

import anyio
import pytest

from quasar.cli import app
from quasar.cli.moment import parse_moment
from quasar.cli.run import run
from quasar.errors import CannotJudge, Damaged, UsageError
from quasar.events import (
    AnswerAbandoned,
    AnswerReceived,
    BlockObserved,
    CheckpointSigned,
    RoundOpened,
    RoundScored,
    RunEnded,
    TaskAccepted,
    TaskAssigned,
    WeightsComputed,
)
from quasar.events.envelope import decode
from quasar.log.zstd import compress
from quasar.replay.state import State, Until, replay
from tests.builders import LineLog, World
from tests.forging import Forging, few_tasks, played, write_archive
from tests.unit.volume_folder import worlds, write_folder

HALF_ROUND = 60
"""An event at which a round waits for answers."""


@cache
def state_at(to: Until | None = None) -> State:
    """Of the world with every way to fail."""
    return anyio.run(replay, played().log, to)


def all_states() -> list[State]:
    """After every event of a log of one round and a half."""
    lines, blobs = played().lines[:HALF_ROUND], played().log.blobs
    return [
        anyio.run(replay, LineLog(lines[:size], blobs), None) for size in range(1, HALF_ROUND + 1)
    ]


def test_the_end_is_the_newest_state() -> None:
    """Without a moment: the newest row, block and means, and no round under way but the last."""
    world, state = played(), state_at()
    row = world.events(WeightsComputed)[-1]
    assert state.seq == len(world.lines)
    assert state.row == row or state.deferred is not None
    assert state.block == world.events(BlockObserved)[-1]
    assert state.scored == len(world.events(RoundScored))
    assert state.policy is not None
    assert state.policy.name == "readme-v1"
    assert state.verified == world.events(CheckpointSigned)[-1].size
    assert [current.round for current in state.rounds] == [4]


@pytest.mark.parametrize("place", [0, -1])
def test_scores_are_those_of_the_row(place: int) -> None:
    """At a row, each miner's EMA, samples and u16 are the row's own."""
    world = played()
    row = world.events(WeightsComputed)[place]
    state = state_at(Until(seq=world.events().index(row) + 1))
    assert state.row == row
    assert state.row_seq == state.seq
    for weight in row.weights:
        (miner,) = [m for m in state.miners if m.hotkey == weight.hotkey]
        assert (miner.score, miner.samples, miner.u16) == (
            weight.score,
            weight.samples,
            weight.u16,
        )


def test_open_assignments_are_those_without_an_outcome() -> None:
    """After every event: assigned, neither answered nor abandoned, accepted as the log says."""
    events = played().events()
    for state in all_states():
        so_far = events[: state.seq]
        ended = {e.slot for e in so_far if isinstance(e, AnswerReceived | AnswerAbandoned)}
        accepted = {e.slot for e in so_far if isinstance(e, TaskAccepted)}
        waiting = {
            (e.round, e.task, e.hotkey, e.slot.replace("assign", "accept") in accepted)
            for e in so_far
            if isinstance(e, TaskAssigned) and e.slot.replace("assign", "answer") not in ended
        }
        assert {(a.round, a.task, a.hotkey, a.accepted) for a in state.open_assignments} == waiting
        scored = {e.round for e in so_far if isinstance(e, RoundScored)}
        opened = {e.round for e in so_far if isinstance(e, RoundOpened)}
        assert {current.round for current in state.rounds} == opened - scored


def test_a_number_is_the_state_of_that_beginning() -> None:
    """``seq`` gives what the log cut off there gives."""
    for cut in all_states()[:: HALF_ROUND // 6]:
        assert state_at(Until(seq=cut.seq)) == cut


def test_a_round_goes_through_its_stages() -> None:
    """Opened, assigned, sealed, revealed: each is seen, in this order."""
    stages = [current.stage for state in all_states() for current in state.rounds]
    in_order = list(dict.fromkeys(stages))
    assert in_order == ["opened", "assigned", "sealed", "revealed"]


@pytest.mark.parametrize("block", [0, 75, 77, 78, 150, 10_000])
def test_a_block_is_the_last_moment_before_a_later_one(block: int) -> None:
    """What followed from the block is there, and nothing that was read of a later one."""
    state, envelopes = state_at(Until(block=block)), [decode(line) for line in played().lines]
    assert state.block is not None
    assert state.block.number <= block
    later = [
        seq
        for seq, e in enumerate(envelopes, 1)
        if isinstance(e.event, BlockObserved) and e.event.number > block
    ]
    if later:
        assert later[0] - 2 <= state.seq < later[0]
    else:
        assert state.seq == len(envelopes)


def test_a_time_is_the_last_event_written_by_then() -> None:
    """An event of that very nanosecond still counts."""
    at = decode(played().line(HALF_ROUND)).at
    state = state_at(Until(at=at))
    assert state.at <= at
    assert decode(played().line(state.seq + 1)).at > at


def test_a_moment_out_of_the_log() -> None:
    """Before the first event there is no state; behind the last a number is refused."""
    for to in (Until(seq=0), Until(at=1)):
        with pytest.raises(UsageError, match="nothing was recorded"):
            anyio.run(replay, played().log, to)
    with pytest.raises(UsageError, match="the last one is event"):
        anyio.run(replay, played().log, Until(seq=10_000))


def test_what_follows_from_nothing_is_named() -> None:
    """An outcome of a round that was never opened; an event of a type that nobody knows."""
    forged = Forging(played())
    forged.drop([forged.one(RoundOpened)])
    with pytest.raises(Damaged, match="run `quasar audit`"):
        anyio.run(replay, LineLog(forged.lines(), played().log.blobs), None)
    unknown = played().line(1).replace(b'"LogOpened"', b'"LogUnheardOf"')
    with pytest.raises(CannotJudge, match="install"):
        anyio.run(replay, LineLog([unknown], played().log.blobs), None)
    with pytest.raises(Damaged, match="LogOpened"):
        anyio.run(replay, LineLog([], played().log.blobs), None)


@pytest.mark.anyio
async def test_runs_and_how_they_ended() -> None:
    """A run is under way until its end is recorded."""
    world = World(miners=1, policy=few_tasks())
    await world.open()
    (run_,) = (await replay(world.log)).runs
    assert (run_.run, run_.mode, run_.ended) == (1, "simulation", None)
    await world.append("supervisor", RunEnded(run=1, reason="drained"))
    (run_,) = (await replay(world.log)).runs
    assert run_.ended == "drained"


def test_a_volume_starts_from_what_the_one_before_earned() -> None:
    """Scores go on; counts of answers are the volume's own."""
    first, second = worlds()[:2]
    before = anyio.run(replay, first.log, None)
    opened = anyio.run(replay, second.log, Until(seq=3))
    assert {m.hotkey: (m.score, m.samples) for m in opened.miners} == {
        m.hotkey: (m.score, m.samples) for m in before.miners
    }
    assert all(m.reward is None for m in opened.miners)


def test_progress_is_told() -> None:
    """Each event, of how many."""
    told: list[tuple[int, int]] = []
    anyio.run(lambda: replay(played().log, progress=lambda *seen: told.append(seen)))
    size = len(played().lines)
    assert told == [(seq, size) for seq in range(1, size + 1)]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("12", Until(seq=12)),
        ("block:12", Until(block=12)),
        ("#12", Until(block=12)),
        ("1970-01-02", Until(at=86_400 * 10**9)),
        ("1970-01-01T00:00:01.5", Until(at=1_500_000_000)),
        ("1970-01-01T00:00:01Z", Until(at=10**9)),
        ("1970-01-01T02:00:00+02:00", Until(at=0)),
    ],
)
def test_moments_in_words(text: str, moment: Until) -> None:
    """A number, a block, a time in UTC or in a zone that it names."""
    assert parse_moment(text) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "-1", "block:x", "9" * 5000, "1970-13-01"])
def test_what_is_no_moment(text: str) -> None:
    """It says what would be one."""
    with pytest.raises(UsageError, match=r"block:N"):
        parse_moment(text)


def test_the_command_speaks_both_ways(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Words with the waiting tasks, and the same state as one JSON object."""
    folder = write_archive(tmp_path / "a", played(), played().lines)
    assert run(app, ["replay", str(folder), "--to", "30"]) == 0
    words = capsys.readouterr().out
    assert "after event 30 of volume 1" in words
    assert "waits for" in words
    assert run(app, ["replay", str(folder), "--to", "30", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["seq"] == 30
    assert len(shown["rounds"][0]["waiting"]) == len(state_at(Until(seq=30)).open_assignments)


def test_the_command_finds_the_volume(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A block or a time leads to the volume that it lies in; ``--volume`` names one."""

    def volume(*arguments: str) -> int:
        assert run(app, ["replay", str(folder), *arguments, "--json"]) == 0
        return int(json.loads(capsys.readouterr().out)["volume"])

    folder = write_folder(tmp_path)
    first = {world.volume: world.events(BlockObserved)[0].number for world in worlds()}
    for world in worlds():
        block = world.events(BlockObserved)[-1].number
        begun = [number for number, at in first.items() if at <= block]
        assert volume("--to", f"block:{block}") == begun[-1]
        assert volume("--volume", str(world.volume)) == world.volume
    assert volume() == len(worlds())
    assert volume("--to", "2300-01-01") == len(worlds())
    assert run(app, ["replay", str(folder), "--volume", "9"]) == 2
    assert "there is no volume 9" in capsys.readouterr().err


def test_a_changed_line_is_not_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 1 and the event's number; no state."""
    folder = write_archive(tmp_path / "a", played(), played().lines)
    data = b"".join(line + b"\n" for line in played().lines)
    (segment,) = (folder / "segments").iterdir()
    at = data.index(b'"reward":0.0')
    segment.write_bytes(compress(data.replace(b'"reward":0.0', b'"reward":1.0', 1)))
    assert run(app, ["replay", str(folder)]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    seq = data[:at].count(b"\n") + 1
    assert f"event {seq}" in shown.err
