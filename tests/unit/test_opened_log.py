"""The notebook's names: an opened log, and checks that wait for their result."""

import shutil
from pathlib import Path
from types import ModuleType

import anyio
import pytest

import quasar.replay
from quasar.errors import CannotJudge, Damaged, UsageError
from quasar.events import AnswerScored, LogOpened, RoundScored
from quasar.log.archive_folders import volumes_of
from quasar.log.archive_reader import ArchiveLog
from quasar.log.zstd import compress
from quasar.replay import Until, audit, open_log, replay, simulate
from tests.forging import played
from tests.unit.volume_folder import worlds, write_volume


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two volumes of a log, and beside them what is none."""
    path = tmp_path_factory.mktemp("log")
    for world in worlds()[:2]:
        write_volume(world, path / str(world.volume))
    (path / "notes").mkdir()
    return path


def test_public_names() -> None:
    """A line less here breaks somebody's notebook."""
    names = """Difference Finding RecordedLog Report Simulation State Until
    audit diff open_log replay simulate"""
    public = {name: value for name, value in vars(quasar.replay).items() if name[0] != "_"}
    modules = {name for name, value in public.items() if isinstance(value, ModuleType)}
    assert sorted(public.keys() - modules) == sorted(names.split())


def test_an_archive_opens(tmp_path: Path) -> None:
    """By its path as text or Path; it knows its size, its name and its events."""
    path = write_volume(played(), tmp_path / "archive")
    for source in (path, str(path)):
        log = open_log(source)
        assert len(log) == len(played().lines)
        assert (log.hotkey, log.origin) == (played().hotkey.ss58_address, played().origin)
        assert [seen.line for seen in log] == played().lines
    assert list(log.events(AnswerScored)) == played().events(AnswerScored)


def test_volumes_are_one_log(folder: Path) -> None:
    """All of them, in order; or one of them, by its number."""
    log = open_log(folder)
    first, second = worlds()[:2]
    assert len(log) == len(first.lines) + len(second.lines)
    assert [opened.volume for opened in log.events(LogOpened)] == [1, 2]
    assert len(log.volume(1)) == len(first.lines)
    with pytest.raises(UsageError, match="name one of 1, 2"):
        log.volume(3)


@pytest.mark.parametrize("source", ["nowhere", "http://127.0.0.1:9/log", "https://example.org/1"])
def test_what_cannot_be_opened(source: str) -> None:
    """No folder, and no archive that is elsewhere: one line says what to give."""
    with pytest.raises(UsageError, match=source):
        open_log(source)


def test_pruned_volumes_are_left_out(folder: Path, tmp_path: Path) -> None:
    """Their events are not missed, but the audit says that it did not see them."""
    shutil.copytree(folder, tmp_path / "log")
    prune(volumes_of(tmp_path / "log")[0])
    log = open_log(tmp_path / "log")
    assert (log.pruned, [v.manifest.volume for v in log.volumes]) == (1, [2])
    report = audit(log)
    assert report.result == "clean"
    assert report.not_checked[0] == "volumes 1 to 1 were pruned: audit their copy"
    prune(log.volumes[0])
    with pytest.raises(CannotJudge, match="pruned"):
        open_log(tmp_path / "log")


def prune(log: ArchiveLog) -> None:
    """Say in the manifest that the events were removed, and remove them."""
    import msgspec

    from quasar.log.whole import PRUNED

    manifest = msgspec.structs.replace(log.manifest, withheld=[*log.manifest.withheld, PRUNED])
    (log.folder / "manifest.json").write_bytes(msgspec.json.encode(manifest))
    for name in ("segments", "tile", "blobs"):
        shutil.rmtree(log.folder / name)


def test_a_changed_line_is_named(tmp_path: Path) -> None:
    """Iterating compares each line with its hash."""
    path = write_volume(played(), tmp_path / "archive")
    (segment,) = (path / "segments").iterdir()
    data = b"".join(line + b"\n" for line in played().lines)
    segment.write_bytes(compress(data.replace(b'"reward":0.0', b'"reward":1.0', 1)))
    seq = next(i for i, line in enumerate(played().lines, 1) if b'"reward":0.0' in line)
    with pytest.raises(Damaged, match=f"event {seq}: "):
        list(open_log(path).events(RoundScored))
    report = audit(open_log(path))
    assert report.first_divergence is not None
    assert report.first_divergence.seq == seq


def test_results_come_at_once(folder: Path) -> None:
    """No loop, no await: verdict, state and simulation of an opened log, all volumes of it."""
    log = open_log(folder)
    done: list[int] = []
    report = audit(log, hotkey=log.hotkey, progress=lambda seen, _: done.append(seen))
    assert (report.result, report.events, done[-1]) == ("clean", len(log), len(log))
    assert report.signer is not None
    assert report.signer.pinned
    assert replay(log).volume == 2
    assert replay(log.volume(1), Until(seq=7)).seq == 7
    assert simulate(log).reproduced
    assert simulate(log, "weighted-v1").policy == "weighted-v1"
    with pytest.raises(UsageError, match="no policy"):
        simulate(log, "nonsense")


@pytest.mark.anyio
async def test_they_work_where_a_loop_runs(folder: Path) -> None:
    """As in a notebook, whose cells run inside an event loop."""
    assert audit(open_log(folder).volume(1)).result == "clean"
    assert replay(open_log(folder)).volume == 2


def test_any_other_log_is_awaited() -> None:
    """A live log, or one in memory, gives the same results to those who await them."""

    async def check() -> None:
        log = played().log
        assert (await audit(log)).result == "clean"
        assert (await replay(log, Until(seq=5))).seq == 5
        assert (await simulate(log)).reproduced

    anyio.run(check)


def test_it_is_shown(folder: Path) -> None:
    """As text and as a table; what a stranger named a folder is escaped."""
    log = open_log(folder)
    assert repr(log) == f"<{folder}: {len(log)} events of {log.origin}>"
    log.name = "<script>"
    html = log._repr_html_()
    assert "<script>" not in html
    assert html.count("<tr>") == 3
