"""`quasar audit` and its siblings on every kind of source, served by our own server."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from quasar.cli import app
from quasar.cli.audit import audit as audit_command
from quasar.cli.audit_follow import Follower
from quasar.cli.audit_how import How
from quasar.cli.audit_source import open_audited
from quasar.cli.run import run as run_command
from quasar.log.archive import ArchiveWriter
from quasar.log.archive_folders import volumes_of
from quasar.log.import_lines import write_lines
from quasar.log.zstd import compress
from tests.e2e.programs import PATIENCE_S, first_line, running
from tests.forging import played
from tests.unit.volume_folder import (
    extend,
    identity_of,
    worlds,
    write_folder,
    write_volume,
)
from tests.web import Handler, serving


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own cache stays as it is."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four volumes, not to be changed."""
    return write_folder(tmp_path_factory.mktemp("sources") / "log")


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    """The same, by `quasar log serve`."""
    arguments = ["log", "serve", str(folder), "--port", "0", "--json"]
    with running("quasar", arguments, folder.parent / "serve.log") as process:
        yield first_line(process)["url"]


def report_of(source: str, capture: pytest.CaptureFixture[bytes], **options: Any) -> Any:
    """Of an audit of the source, with its exit code."""
    code = audit_command(source, json=True, **options)
    return json.loads(capture.readouterr().out) | {"code": code}


def test_a_url_is_audited_and_then_read_once(
    url: str, folder: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """As the folder itself; the second time closed volumes are neither fetched nor read."""
    local = report_of(str(folder), capfdbinary, fresh=True)
    assert (local["code"], local["result"]) == (0, "clean")
    assert report_of(url, capfdbinary, fresh=True) == local
    again = report_of(url, capfdbinary)
    assert again["not_checked"][-1].startswith("volumes 1 to 3: as audited before")
    assert again["events"] == local["events"]


@pytest.mark.parametrize(
    "command",
    [
        ("replay",),
        ("log", "info"),
        ("log", "verify"),
        ("log", "tail"),
        ("log", "show", 1),
        ("why", next(iter(worlds()[0].miners))),
        ("simulate", "--policy", "weighted-v1"),
        ("export", "--to", "jsonl", "--out", "OUT"),
    ],
    ids=lambda command: "-".join(str(word) for word in command[:2]),
)
def test_every_command_takes_a_url(
    url: str, tmp_path: Path, command: tuple[object, ...], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """As it takes a folder."""
    words = [str(word) if word != "OUT" else str(tmp_path / "out") for word in command]
    at = 2 if words[0] == "log" else 1
    assert run_command(app, [*words[:at], url, *words[at:]]) == 0, capfdbinary.readouterr().err


def test_a_copy_can_be_compared_with_its_server(
    url: str, folder: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Both ways, and it is no fork."""
    assert run_command(app, ["diff", str(folder), url, "--evidence"]) == 0
    assert b"NO FORK" in capfdbinary.readouterr().out


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
def test_a_file_of_lines_is_audited(
    tmp_path: Path, packed: bool, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """All but what stands beside lines; a cut line is named."""
    world = played()
    write_volume(world, tmp_path / "archive")
    (tmp_path / "archive" / "blobs").rename(tmp_path / "blobs")
    lines = tmp_path / "log.jsonl"
    write_lines(lines, world.lines)
    data = lines.read_bytes()
    source = lines.with_suffix(".jsonl.zst") if packed else lines
    source.write_bytes(compress(data) if packed else data)
    report = report_of(str(source), capfdbinary)
    assert (report["code"], report["events"]) == (0, len(world.lines))
    assert report["not_checked"][0].startswith("structure: a file of lines has no hash tiles")
    source.write_bytes(compress(data[:-5]) if packed else data[:-5])
    report = report_of(str(source), capfdbinary)
    assert (report["code"], report["first_divergence"]["seq"]) == (1, len(world.lines))
    assert run_command(app, ["replay", str(source)]) == 2
    assert b"quasar log import" in capfdbinary.readouterr().err


def test_a_validators_state_is_audited_while_it_writes(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Its archive, up to the newest checkpoint: what is not signed yet is no damage."""
    world = worlds()[0]
    size = len(world.lines)
    with ArchiveWriter.open(tmp_path / "state" / "archive" / "1", identity_of(world)) as writer:
        extend(writer, world, 10, size - 5)
        writer.append(world.lines[size - 5 :])
        writer.flush()
        report = report_of(str(tmp_path / "state"), capfdbinary)
        assert (report["code"], report["events"]) == (0, size - 5), report["first_divergence"]
    report = report_of(str(tmp_path / "state"), capfdbinary)
    assert (report["code"], report["first_divergence"]["seq"]) == (1, size - 4)


def test_a_hostile_server_is_a_finding(
    folder: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """What it showed before is audited, and the report says what it did."""
    older = write_volume(worlds()[0], tmp_path / "older")
    with serving(write_volume(played(), tmp_path / "there")) as web:
        before = report_of(web.url, capfdbinary)
        assert before["result"] == "clean"
        web.folder = older
        report = report_of(web.url, capfdbinary)
        first = report["first_divergence"]
        assert (report["code"], report["result"], report["findings"]) == (1, "divergent", 1)
        assert "the server shows another history than before" in first["reason"]
        assert (first["field"], first["recorded"]) == ("source", web.url)
        assert report["events"] == before["events"]


def test_an_interrupted_fetch_goes_on(
    tmp_path: Path, cache: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Ctrl-C while a segment drips in: no traceback, and the next audit fetches the rest."""
    there = write_volume(played(), tmp_path / "there")
    stuck: list[bool] = []

    def drip(handler: Handler) -> bool:
        if not handler.path.startswith("/segments/") or stuck:
            return False
        stuck.append(True)
        data = (there / handler.path.lstrip("/")).read_bytes()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[:1000])
        handler.wfile.flush()
        process.send_signal(signal.SIGINT)
        handler.rfile.read(1)
        handler.close_connection = True
        return True

    with serving(there, drip) as web:
        # What runs these tests in the background may have told its children to ignore Ctrl-C.
        command = ["env", "--default-signal=INT", sys.executable, "-m", "quasar"]
        command += ["audit", web.url, "--json"]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ
        )
        _, errors = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 130, errors
        assert b"Traceback" not in errors
        (part,) = cache.rglob("*.jsonl.zst")
        assert part.stat().st_size == 1000
        assert report_of(web.url, capfdbinary)["result"] == "clean"


def test_it_follows_a_growing_log(tmp_path: Path) -> None:
    """A line a round as it is revealed, over the end of a volume; Ctrl-C gives the verdict."""
    first, second = worlds()[:2]
    folder = tmp_path / "log"
    half = next(i for i, line in enumerate(first.lines, 1) if b'"type":"RoundSealed"' in line)
    write_volume_to(folder / "1", first, half)
    program = (
        "import sys\nfrom quasar.cli import audit_follow, main\n"
        "audit_follow.POLL_S = 0.05\nsys.argv[0] = 'quasar'\nmain(sys.argv[1:])"
    )
    command = [sys.executable, "-c", program, "audit", str(folder), "--follow", "--json"]
    with (
        (tmp_path / "errors").open("wb") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors) as process,
        ended(process),
    ):
        assert process.stdout is not None
        write_volume_to(folder / "1", first, len(first.lines))
        shown = json.loads(process.stdout.readline())
        assert (shown["round"], shown["findings"]) == (1, 0)
        write_volume_to(folder / "2", second, len(second.lines))
        assert json.loads(process.stdout.readline())["round"] == 2
        process.send_signal(signal.SIGINT)
        report = json.loads(process.stdout.readline())
        assert (process.wait(PATIENCE_S), report["result"]) == (0, "clean")
    assert report["events"] == len(first.lines) + len(second.lines)
    assert b"Traceback" not in (tmp_path / "errors").read_bytes()


@contextmanager
def ended(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Whatever happens, it does not outlive the test."""
    try:
        yield
    finally:
        process.kill()


def write_volume_to(folder: Path, world: Any, size: int) -> None:
    with ArchiveWriter.open(folder, identity_of(world)) as writer:
        extend(writer, world, size)


def test_it_stops_at_the_first_finding(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Exit 1, with the event."""
    folder = write_volume(played(), tmp_path / "log")
    (segment,) = (folder / "segments").iterdir()
    line = played().lines[49]
    forged = [*played().lines[:49], line.replace(b'"round":1', b'"round":2', 1)]
    assert forged[-1] != line
    segment.write_bytes(compress(b"".join(line + b"\n" for line in forged)))
    assert audit_command(str(folder), follow=True, json=True) == 1
    report = json.loads(capfdbinary.readouterr().out.splitlines()[-1])
    assert report["first_divergence"]["seq"] == 50


def test_pending_rounds_are_told(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """How many rounds are not revealed, and the newest."""
    world = worlds()[0]
    half = next(i for i, line in enumerate(world.lines, 1) if b'"type":"RoundSealed"' in line)
    write_volume_to(tmp_path / "log", world, half)
    report = report_of(str(tmp_path / "log"), capfdbinary)
    assert (report["result"], report["pending"]) == ("clean", {"rounds": 1, "newest": 1})
    assert volumes_of(tmp_path / "log")[0].manifest.last == half


def test_a_url_is_followed(tmp_path: Path) -> None:
    """What is new is fetched and judged, over the end of a volume; the older one is not asked."""
    first, second = worlds()[:2]
    write_volume_to(tmp_path / "log" / "1", first, 30)
    follower = Follower(How())
    with serving(tmp_path / "log") as web:

        def look() -> list[int]:
            archives = open_audited(web.url, newest=True).archives
            return [found.round for found in anyio.run(follower.look, archives)]

        assert look() == []
        write_volume_to(tmp_path / "log" / "1", first, len(first.lines))
        assert look() == [1]
        write_volume_to(tmp_path / "log" / "2", second, len(second.lines))
        web.asked.clear()
        assert look() == [2]
        assert not [name for name in web.asked if name.startswith("1/")]
    report = anyio.run(follower.so_far)
    assert (report.result, report.events) == ("clean", len(first.lines) + len(second.lines))


def test_a_volume_that_only_just_began_is_left_out(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Nothing of it is signed, here and on the server; it is no damage, and it is said."""
    first, second = worlds()[:2]
    folder = tmp_path / "log"
    write_volume(first, folder / "1")
    with ArchiveWriter.open(folder / "2", identity_of(second)) as writer:
        writer.append(second.lines[:5])
        writer.flush()
        with serving(folder, published=True) as web:
            for source in (str(folder), web.url):
                report = report_of(source, capfdbinary)
                assert (report["result"], report["events"]) == ("clean", len(first.lines))
                wanted = "volume 2: nothing of it is signed or published yet"
                assert report["not_checked"][0] == wanted
