"""Ends that are not the log's doing: what the machine refuses, readers that leave, bad numbers."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cyclopts import App

from quasar.chain.keys import load_or_create_secret
from quasar.cli import app, logs
from quasar.cli.identity import MASTER
from quasar.cli.run import run
from tests.forging import played, write_archive


class Ran(NamedTuple):
    code: int
    out: str
    err: str


Quasar = Callable[..., Ran]


@pytest.fixture
def quasar(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Quasar:
    """Runs a command in this process."""
    monkeypatch.setattr(logs, "set_up", lambda **_: None)

    def call(*arguments: object) -> Ran:
        code = run(app, [str(a) for a in arguments])
        shown = capsys.readouterr()
        return Ran(code, shown.out, shown.err)

    return call


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three rounds of three miners."""
    folder = tmp_path_factory.mktemp("ends") / "archive"
    return write_archive(folder, played(), played().lines)


@pytest.mark.parametrize("command", ["audit", "log verify"])
@pytest.mark.parametrize("part", ["manifest.json", "segments", "blobs", "tile", "checkpoint"])
@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO], ids=["rights", "disk"])
def test_what_a_reader_may_not_read_is_no_finding(
    quasar: Quasar,
    archive: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    part: str,
    code: int,
) -> None:
    """A file that this process cannot open: exit 2, one line that names it, and no verdict."""
    opened = Path.open

    def refuse(path: Path, *args: Any, **kwargs: Any) -> object:
        if path.is_relative_to(archive) and path.relative_to(archive).parts[0] == part:
            raise OSError(code, os.strerror(code), str(path))
        return opened(path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", refuse)
    ran = quasar(*command.split(), archive)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert f"{archive / part}" in ran.err
    assert "nothing is judged" in ran.err


@pytest.mark.parametrize("grouped", [False, True], ids=["alone", "in a group"])
def test_a_path_that_the_machine_refuses_is_one_line(
    capsys: pytest.CaptureFixture[str], grouped: bool
) -> None:
    """Exit 2 and the path; any other error of the system may be our mistake and is not hidden."""

    def end(code: int) -> int:
        error = OSError(code, os.strerror(code), "out/file")
        failing = App(name="quasar")
        failing.default(lambda: _raise(ExceptionGroup("actors", [error]) if grouped else error))
        return run(failing, [])

    assert end(errno.EACCES) == 2
    assert capsys.readouterr().err == "quasar: out/file: Permission denied\n"
    with pytest.raises((OSError, ExceptionGroup)):
        end(errno.EBADF)


def _raise(error: Exception) -> None:
    raise error


@pytest.mark.parametrize("command", ["policy show", "policy show --json"], ids=["words", "json"])
def test_a_reader_that_left_is_told_apart_from_a_verdict(command: str) -> None:
    """Nothing on stderr, and 141: 0 would call a log clean whose finding nobody read."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "quasar", *command.split()], stdout=writer, stderr=subprocess.PIPE
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize(
    "arguments",
    [
        "log serve . --port 65536",
        "chain up --port -1",
        "mine --mock --axon.port 65536",
        "mine --mock --polling-interval nan",
        "validate --mock --polling-interval -1",
        "validate --mock --disk-reserve -1",
        "validate --mock --disk-reserve nan",
        "validate --mock --rounds -1",
        "demo --miners 257",
        "log size --forecast --miners 99999999999",
    ],
)
def test_a_number_out_of_bounds_stops_before_anything_starts(
    quasar: Quasar, arguments: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line with the bound and the command whose help explains it, exit 2, no file made."""
    monkeypatch.chdir(tmp_path)
    ran = quasar(*arguments.split())
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert "Must be" in ran.err
    assert f"See quasar {arguments.split(' -')[0].removesuffix(' .')} --help" in ran.err
    assert not list(tmp_path.iterdir())


def test_many_miners_are_not_all_listed(
    quasar: Quasar, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unknown uid: a few of those that there are, and how many more."""
    from quasar.replay import why_named

    monkeypatch.setattr(why_named, "_SHOWN", 1)
    ran = quasar("why", archive, "999")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "has this uid or starts with '999'" in ran.err
    assert ran.err.endswith(" more\n")


@pytest.mark.parametrize(
    ("arguments", "say"),
    [
        ("--listen nowhere", "host:port"),
        ("--listen :4222", "host:port"),
        ("--listen a:65536", "host:port"),
        ("--node 2", "--cluster"),
    ],
)
def test_a_server_s_place_is_judged_before_its_logins_are_made(
    quasar: Quasar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: str, say: str
) -> None:
    """``nats config``: one line, exit 2, and no file of logins."""
    monkeypatch.chdir(tmp_path)
    ran = quasar("nats", "config", *arguments.split())
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert say in ran.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["show", "rotate"])
def test_keys_of_a_validator_whose_archive_is_elsewhere(
    quasar: Quasar, tmp_path: Path, command: str
) -> None:
    """It ran, so its archive is somewhere: without --out nothing is said or made of its keys."""
    load_or_create_secret(tmp_path / MASTER)
    (tmp_path / "contexts").mkdir()
    ran = quasar("key", command, tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert "--out" in ran.err
    assert not (tmp_path / "log-keys").exists()
