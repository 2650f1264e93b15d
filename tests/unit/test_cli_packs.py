"""``quasar pack``, and ``--source`` of the commands that read logs: results, words, exit codes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import anyio
import pytest

from quasar.benchmarks import packs
from quasar.cli import app
from quasar.cli.run import run
from quasar.events import SourceAdopted
from tests.unit.cli_archive import write
from tests.unit.test_sources_in_log import forget, pack, play

Quasar = Callable[..., "Ran"]


class Ran(NamedTuple):
    """A command's end."""

    code: int
    out: str
    err: str


@pytest.fixture
def quasar(capsys: pytest.CaptureFixture[str]) -> Quasar:
    """Runs a command in this process, as if it were its first."""

    def call(*arguments: object) -> Ran:
        forget()
        code = run(app, [str(a) for a in arguments])
        shown = capsys.readouterr()
        return Ran(code, shown.out, shown.err)

    return call


def test_make_and_show_tell_the_same(quasar: Quasar, tmp_path: Path) -> None:
    """In JSON and in words: the digest that a policy names, the size, where it came from."""
    (tmp_path / "notes.md").write_text("One paragraph.\n\nAnother one.\n")
    file = tmp_path / "notes.pack"
    made = quasar("pack", "make", "text", "--from", tmp_path, "-o", file, "--json")
    shown = quasar("pack", "show", file, "--json")
    assert (made.code, made.err, made.out) == (0, "", shown.out)
    told = json.loads(shown.out)
    assert (told["kind"], told["name"], told["units"]) == ("text", "documents", 2)
    assert told["sha256"] == packs.install(file.read_bytes())
    words = quasar("pack", "show", file).out
    assert f"source = {told['sha256']}\n" in words
    assert f"documents: 2 units of text, {told['tokens']} tokens" in words


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("make", "poems", "--from", ".", "-o", "x"), "no packs are made of 'poems'"),
        (("make", "text", "--from", ".", "-o", "x"), "holds no documents"),
        (("make", "text", "--from", "a.txt", "-o", "no/x"), "no/x cannot be written"),
        (("make", "text", "--from", "a.txt", "-o", "x", "--items", "0"), "--items must be"),
        (("show", "a.txt"), "this is no pack"),
        (("show", "nothing"), "nothing cannot be read"),
    ],
    ids=["kind", "empty", "output", "items", "no pack", "no file"],
)
def test_a_mistake_is_one_line(
    quasar: Quasar,
    words: tuple[str, ...],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Exit code 2, nothing on stdout, no traceback."""
    monkeypatch.chdir(tmp_path)
    if "a.txt" in words:
        Path("a.txt").write_text("Some text.\n")
    ran = quasar("pack", *words)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert told in ran.err


@pytest.fixture(scope="module")
def withheld(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of two rounds without the pack that they are made from, and the pack beside it."""
    folder = tmp_path_factory.mktemp("withheld")
    world = anyio.run(play)
    write(world, folder / "archive")
    (source,) = [e.source.sha256 for e in world.events(SourceAdopted)]
    (folder / "archive" / "blobs" / source[:2] / source).rename(folder / "any.pack")
    (folder / "miner").write_text(next(iter(world.miners)))
    forget()
    return folder


def test_an_audit_takes_the_pack(quasar: Quasar, withheld: Path) -> None:
    """Without it the verdict says what was not regenerated; with it all is."""
    left = json.loads(quasar("audit", withheld / "archive", "--json").out)
    given = quasar("audit", withheld / "archive", "--source", withheld / "any.pack", "--json")
    report = json.loads(given.out)
    assert (given.code, left["result"], report["result"]) == (0, "clean", "clean")
    assert [line for line in left["not_checked"] if "not regenerated" in line]
    assert not [line for line in report["not_checked"] if "not regenerated" in line]
    assert report["decisions"]["equal"] > left["decisions"]["equal"]


def test_why_takes_the_pack(quasar: Quasar, withheld: Path) -> None:
    """Its answers are explained only with it, and one line says so."""
    about = ("why", withheld / "archive", (withheld / "miner").read_text(), "--json")
    short = quasar(*about)
    assert (short.code, short.out, short.err.count("\n")) == (2, "", 1)
    assert "name its pack with --source" in short.err
    assert "install" not in short.err
    ran = quasar(*about, "--source", withheld / "any.pack")
    assert ran.code == 0
    assert '"accuracy":1.0' in ran.out


def test_a_pack_of_any_name_is_a_source(quasar: Quasar, tmp_path: Path) -> None:
    """A task is made from the file, and none without it."""
    (tmp_path / "any.name").write_bytes(packs.installed(pack()))
    make = ("task", "make", "--family", "longbench.qasper@1", "--tokens", "3000", "--seed", "1")
    out = ("--out", tmp_path / "task.json")
    assert quasar(*make, *out, "--source", tmp_path / "any.name").code == 0
    assert json.loads((tmp_path / "task.json").read_bytes())["metric"] == "longbench@1"
    ran = quasar(*make, *out)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "quasar pack make longbench.qasper" in ran.err
