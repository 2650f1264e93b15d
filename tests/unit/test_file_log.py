"""The file log: what survives, what is cut off, and who may open it."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quasar.errors import Damaged, LogError, TryAgain
from quasar.events import Draft, RunEnded
from quasar.log.blobs import MemoryBlobs
from quasar.log.file import FileLog

STEPS = (1, 3, 2, 1, 4)


def fact(run: int) -> Draft:
    return Draft(actor="supervisor", cause=0, event=RunEnded(run=run, reason="déjà vu"))


def write(path: Path, steps: tuple[int, ...] = STEPS) -> bytes:
    """Steps of these lengths; the file's bytes."""

    async def append() -> None:
        with FileLog.open(path, MemoryBlobs()) as log:
            run = 0
            for length in steps:
                await log.append([fact(run + i) for i in range(length)])
                run += length

    anyio.run(append)
    return path.read_bytes()


def lines(path: Path) -> list[bytes]:
    """What a newly opened log holds."""
    with FileLog.open(path, MemoryBlobs()) as log:
        return list(log._lines)


def test_it_is_there_after_a_restart(tmp_path: Path) -> None:
    """A reopened log holds the same bytes, knows its slots and goes on."""
    path = tmp_path / "log.jsonl"
    data = write(path)

    async def reopen() -> None:
        with FileLog.open(path, MemoryBlobs()) as log:
            assert await log.head() == sum(STEPS)
            assert [s.new for s in await log.append([fact(3), fact(99)])] == [False, True]

    anyio.run(reopen)
    assert path.read_bytes().startswith(data)
    assert len(lines(path)) == sum(STEPS) + 1


def test_each_line_is_json(tmp_path: Path) -> None:
    """Any tool reads the file a line at a time."""
    data = write(tmp_path / "log.jsonl")
    assert [json.loads(line)["event"]["run"] for line in data.splitlines()] == list(range(11))


@settings(deadline=None, max_examples=60)
@given(cut=st.integers(min_value=0, max_value=1_500))
def test_a_torn_step_is_cut_off(cut: int) -> None:
    """Whatever byte a crash stopped at, whole steps stay and no part of one does."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.jsonl"
        data = write(path)
        whole = lines(path)
        path.write_bytes(data[:cut])
        left = lines(path)
        assert left == whole[: len(left)]
        assert len(left) in {sum(STEPS[:n]) for n in range(len(STEPS) + 1)}
        assert cut < len(data) or left == whole
        assert path.read_bytes() == data[: path.stat().st_size]


def test_a_last_step_with_holes_is_cut_off(tmp_path: Path) -> None:
    """Pages of the last step that a power cut lost read as zeros: the step never returned."""
    path = tmp_path / "log.jsonl"
    data = write(path)
    path.write_bytes(data[:-300] + bytes(20) + data[-280:])
    assert len(lines(path)) == sum(STEPS[:-1])
    assert len(lines(path)) == sum(STEPS[:-1])


@pytest.mark.parametrize("with_", [b"\0", b'"', b"\n"])
def test_damage_before_the_last_step_is_named(tmp_path: Path, with_: bytes) -> None:
    """A changed byte in a step that was acknowledged is never cut off in silence."""
    path = tmp_path / "log.jsonl"
    data = bytearray(write(path))
    data[data.index(b'"run":2') + 1 : data.index(b'"run":2') + 2] = with_
    path.write_bytes(data)
    with pytest.raises(Damaged) as caught, FileLog.open(path, MemoryBlobs()):
        pass
    assert caught.value.seq == 3
    assert path.read_bytes() == data


def test_a_slot_twice_is_damage(tmp_path: Path) -> None:
    """A file whose slot is taken twice was not written by this program."""
    path = tmp_path / "log.jsonl"
    path.write_bytes(write(path, (1,)) * 2)
    with pytest.raises(Damaged, match=r"event 2: slot run\.0\.end was taken by event 1"):
        lines(path)


def test_one_process_at_a_time(tmp_path: Path) -> None:
    """A log that is open is not opened again; one that was closed is."""
    path = tmp_path / "log.jsonl"
    with FileLog.open(path, MemoryBlobs()), pytest.raises(TryAgain, match="stop it first"):
        lines(path)
    assert lines(path) == []


def test_a_path_that_cannot_be_opened(tmp_path: Path) -> None:
    """The error names the path."""
    with pytest.raises(LogError, match="cannot open the log"):
        lines(tmp_path)


@pytest.mark.anyio
async def test_a_failed_write_closes_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a write that failed nothing is appended until the log is opened again."""
    path = tmp_path / "log.jsonl"

    def full(file: int) -> None:
        raise OSError(28, "No space left on device")

    with FileLog.open(path, MemoryBlobs()) as log:
        await log.append([fact(0)])
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(LogError, match="No space left"):
                await log.append([fact(1)])
        assert await log.head() == 1
        with pytest.raises(LogError, match="open it again"):
            await log.append([fact(2)])


CHILD = """
import sys, anyio
from pathlib import Path
from quasar.events import Draft, RunEnded
from quasar.log.blobs import MemoryBlobs
from quasar.log.file import FileLog

async def main():
    with FileLog.open(Path(sys.argv[1]), MemoryBlobs()) as log:
        for run in range(0, 10**6, 3):
            step = [Draft(actor="s", cause=0, event=RunEnded(run=run + i, reason="r" * 200))
                    for i in range(3)]
            print((await log.append(step))[-1].seq, flush=True)

anyio.run(main)
"""


def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """After kill -9 of the writer every acknowledged event is there, and only whole steps."""
    path = tmp_path / "log.jsonl"
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        acknowledged = [int(child.stdout.readline()) for _ in range(20)]
        child.kill()
        acknowledged += [int(line) for line in child.stdout if line.endswith(b"\n")]
    held = len(lines(path))
    assert held >= acknowledged[-1]
    assert held % 3 == 0
