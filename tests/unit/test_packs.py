"""Packs: what users bring, read from every layout and checked row by row."""

import json
import os
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quasar.benchmarks import packs, tokenizer
from quasar.benchmarks.longbench import FILES
from quasar.errors import CannotJudge, UsageError
from quasar.packs import load_pack, make_pack, open_source
from quasar.packs.hub import Hub
from quasar.packs.texts import units_of
from tests.longbench_files import Row, choices, jsonl, rows, write_hub_layout, write_parquet

QASPER = "longbench.qasper"
reads = pytest.mark.skipif(find_spec("datasets") is None, reason="needs the extra longbench")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever calls out fails."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a local source was read over the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def hub(folder: Path, made: list[Row]) -> Path:
    write_hub_layout(folder / "hub", {"qasper": made, "trec": rows("trec")})
    return folder / "hub"


def later_hub(folder: Path, made: list[Row]) -> Path:
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "qasper.jsonl").write_text(jsonl(made))
    return folder


def plain(folder: Path, made: list[Row]) -> Path:
    (folder / "qasper.jsonl").write_text(jsonl(made))
    return folder


def converted(folder: Path, made: list[Row]) -> Path:
    write_parquet(folder / "qasper" / "test-00000-of-00002.parquet", made[:5])
    write_parquet(folder / "qasper" / "test-00001-of-00002.parquet", made[5:])
    return folder


def converted_again(folder: Path, made: list[Row]) -> Path:
    write_parquet(folder / "qasper" / "test" / "0000.parquet", made)
    return folder


def flat(folder: Path, made: list[Row]) -> Path:
    write_parquet(folder / "data" / "qasper-test.parquet", made)
    return folder


def one_file(folder: Path, made: list[Row]) -> Path:
    (folder / "mine.jsonl").write_text(jsonl(made))
    return folder / "mine.jsonl"


Layout = Callable[[Path, list[Row]], Path]
LAYOUTS: list[Layout] = [hub, later_hub, plain, converted, converted_again, flat, one_file]


@reads
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
def test_every_layout_gives_the_items(layout: Layout, tmp_path: Path) -> None:
    """The rows come out as they went in, with the tokens of each text."""
    made = rows("qasper")
    pack = packs.decode(make_pack(QASPER, str(layout(tmp_path, made))))
    assert isinstance(pack, packs.ItemPack)
    assert json.loads(msgspec.json.encode(pack.items)) == made
    assert pack.tokens == [tokenizer.count(packs.document(row["context"])) for row in made]
    assert len(pack.revision) == 64


@reads
def test_equal_files_give_equal_packs(tmp_path: Path) -> None:
    """So a source has one digest, whoever makes it; another row gives another one."""
    made = rows("qasper")
    for name in "one", "two":
        (tmp_path / name).mkdir()
        plain(tmp_path / name, made)
    digests = {open_source(str(tmp_path / name), f"{QASPER}@1") for name in ("one", "two")}
    assert len(digests) == 1
    made[0]["input"] += "?"
    plain(tmp_path / "two", made)
    assert open_source(str(tmp_path / "two"), f"{QASPER}@1") not in digests


@reads
def test_v2_from_json_and_parquet(tmp_path: Path) -> None:
    """LongBench v2 stands in one JSON list, or in a table."""
    made = choices()
    (tmp_path / "json").mkdir()
    (tmp_path / "json" / "data.json").write_text(json.dumps(made))
    write_parquet(tmp_path / "table" / "data" / "train-00000-of-00001.parquet", made)
    found = [
        packs.decode(make_pack("longbench_v2", str(tmp_path / name))) for name in ("json", "table")
    ]
    assert json.loads(msgspec.json.encode(found[0]))["items"] == made
    assert found[0].tokens == found[1].tokens


def spoilt(row: Row, **changes: object) -> str:
    """Two good rows, and one with other values in some fields."""
    return jsonl([*rows("qasper", 2), {**row, **changes}])


GOOD = rows("qasper", 1)[0]
BAD = {
    "no JSON": (spoilt(GOOD)[:-9] + "\n", "bad.jsonl, line 3: "),
    "no answer": (spoilt(GOOD, answers=[]), "bad.jsonl, row 3: it has no answer"),
    "no text": (spoilt(GOOD, context=" \n"), "bad.jsonl, row 3: its context is empty"),
    "another data set": (spoilt(GOOD, dataset="trec"), "bad.jsonl, row 3: it is of trec"),
    "an answer missing": (
        spoilt(GOOD, answers=["one", None]),
        "bad.jsonl, row 3: Expected `str`, got `null` - at `$.answers[1]`",
    ),
    "a field missing": (
        jsonl([{"context": "x"}]),
        "bad.jsonl, row 1: Object missing required field `input`",
    ),
}


@reads
@pytest.mark.parametrize("name", BAD)
def test_a_bad_row_is_named(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """One line tells file and row; nothing else is written anywhere."""
    text, told = BAD[name]
    (tmp_path / "bad.jsonl").write_text(text)
    with pytest.raises(UsageError) as caught:
        make_pack(QASPER, str(tmp_path / "bad.jsonl"))
    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


LATIN = jsonl([{"context": "café"}]).replace("\\u00e9", "é").encode("latin-1")
UNREADABLE = {
    "a null": ("x.jsonl", b'\n{"a": 1}\nnull\n', "x.jsonl, line 3: Expected `object`, got `null`"),
    "another null": ("x.json", b"null", "x.json, line 1: Expected `object`, got `null`"),
    "a null in a list": ("x.json", b'[{"a": 1}, null]', "x.json, row 2: Expected `object`"),
    "a list cut": ("x.json", b'[{"a": 1}', "x.json: Input data was truncated"),
    "latin-1": ("x.jsonl", LATIN, "x.jsonl, line 1 is not UTF-8 (byte 0xe9): save"),
    "latin-1 in a list": ("x.json", b"[%b]" % LATIN, "x.json, row 1 is not UTF-8 (byte 0xe9)"),
    "deep": ("x.jsonl", b'{"a": ' + b"[" * 9_000, "x.jsonl, line 1 is nested too deeply"),
    "no field": ("x.jsonl", b"{}", "x.jsonl, line 1: the object is empty"),
    "nothing": ("x.jsonl", b"", "x.jsonl holds no rows"),
    "no object": ("x.json", b" \n", "x.json holds no rows"),
    "an empty list": ("x.json", b"[]\n", "x.json holds no rows"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_arrow_cannot_read_never_reaches_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some of it ends its process: one line tells file and place, and nothing stays behind."""
    file, data, told = UNREADABLE[name]
    (tmp_path / file).write_bytes(data)
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    monkeypatch.setattr("quasar.packs.reader._import", lambda: pytest.fail("it was read"))
    with pytest.raises(UsageError, match=r"^[^\n]*$") as caught:
        open_source(str(tmp_path / file), f"{QASPER}@1")
    assert str(caught.value).startswith(told)
    assert not list((tmp_path / "scratch").iterdir())


def test_an_archive_is_looked_through_too(tmp_path: Path) -> None:
    """A bad byte in the hub's zip is told by the name that it has there; so is a broken zip."""
    file = tmp_path / "data.zip"
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        archive.writestr("data/qasper.jsonl", LATIN)
    with pytest.raises(UsageError, match=r"^data\.zip/qasper\.jsonl, line 1 is not UTF-8"):
        make_pack(QASPER, str(tmp_path))
    begin = 30 + len("data/qasper.jsonl")  # behind the header
    file.write_bytes(file.read_bytes()[:begin] + b"\xff" * 5 + file.read_bytes()[begin + 5 :])
    with pytest.raises(UsageError, match=r"data\.zip cannot be unpacked: [^\n]*$"):
        make_pack(QASPER, str(tmp_path))


@reads
def test_a_table_of_broken_text_is_told(tmp_path: Path) -> None:
    """Parquet is decoded row by row, after it was opened."""
    write_parquet(tmp_path / "qasper.parquet", [{"context": "cafXX"}])
    broken = (tmp_path / "qasper.parquet").read_bytes().replace(b"cafXX", b"caf\xe9\xe9")
    (tmp_path / "qasper.parquet").write_bytes(broken)
    with pytest.raises(UsageError, match=r"^qasper\.parquet cannot be read: [^\n]*$"):
        make_pack(QASPER, str(tmp_path))


@pytest.mark.parametrize(
    ("kind", "source", "told"),
    [
        ("longbench.nosuch", ".", "no packs are made of 'longbench.nosuch'"),
        (QASPER, "nowhere", "there is no nowhere"),
        (QASPER, "x" * 300, "name a folder, a file"),
        (QASPER, "", "the source is empty: name a folder"),
        ("text", "", "the source is empty: name a folder"),
        (QASPER, "hub:THUDM/LongBench@main", "all 40 digits of a commit"),
        (QASPER, ".", "holds no qasper: it needs one of data.zip, data/qasper.jsonl"),
        ("text", ".", "holds no documents"),
    ],
    ids=[
        "kind",
        "folder",
        "long name",
        "unnamed",
        "unnamed text",
        "branch",
        "empty",
        "no documents",
    ],
)
def test_a_wrong_source_is_told(
    kind: str, source: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line says what to name instead."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"^[^\n]*$") as caught:
        make_pack(kind, source)
    assert told in str(caught.value)


@reads
def test_a_hub_revision_is_fetched_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is fetched is read as a folder; the revision is the commit's."""
    asked: dict[str, object] = {}

    def fetch(name: str, **how: object) -> None:
        asked.update(how, name=name)
        write_hub_layout(Path(str(how["local_dir"])), {"qasper": rows("qasper")})

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    commit = "0123456789" * 4
    pack = packs.decode(make_pack(QASPER, f"hub:THUDM/LongBench@{commit}"))
    assert pack.revision == f"THUDM/LongBench@{commit}"
    assert (asked["name"], asked["revision"]) == ("THUDM/LongBench", commit)
    assert "data.zip" in str(asked["allow_patterns"])
    assert Hub.parse(f"hub:a/b@{commit}") == ("a/b", commit)


def test_documents_become_units(tmp_path: Path) -> None:
    """UTF-8 files in order of name, each paragraph once; hidden and other files stay out."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "b.txt").write_text("\n  First line.\nGoes on.\n\nAgain.\n", encoding="utf-8-sig")
    (tmp_path / "sub" / "a.py").write_bytes(b"def f():\r\n\r\n    return 1\r\n")
    (tmp_path / "c.md").write_text("Again.\n")
    (tmp_path / ".hidden.txt").write_text("secret\n")
    (tmp_path / "picture.png").write_bytes(b"\xff\xfe")
    digest = open_source(str(tmp_path))
    found = packs.text(digest)
    assert list(found.units) == [
        "First line.\nGoes on.\n\n",
        "Again.\n",
        "def f():\n\n    return 1\n",
    ]
    assert list(found.tokens) == [tokenizer.count(unit) for unit in found.units]
    (tmp_path / "d.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(UsageError, match=r"d\.txt is not UTF-8 \(byte 3\)"):
        open_source(str(tmp_path))


def test_texts_alone_make_the_digest(tmp_path: Path) -> None:
    """A renamed copy has the same one, also under names that are not UTF-8; other texts do not."""
    folders = [tmp_path / "mine", tmp_path / os.fsdecode(b"caf\xe9")]
    for folder, file in zip(folders, ("a.txt", os.fsdecode(b"\xe9.txt")), strict=True):
        folder.mkdir()
        (folder / file).write_text("One text.\n")
    digests = {open_source(str(path)) for folder in folders for path in (folder, *folder.iterdir())}
    assert len(digests) == 1
    assert packs.read(digests.pop(), packs.TextPack).name == "documents"
    (folders[1] / "b.txt").write_text("Another one.\n")
    assert open_source(str(folders[1])) != open_source(str(folders[0]))


def test_the_standard_library_leaves_tests_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Modules and packages of this Python are documents, its test data is not."""
    for name in "abc.py", "json/decoder.py", "test/bad.py", "site-packages/other.py":
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"# of {name}\n")
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path))
    pack = packs.decode(make_pack("text", "stdlib"))
    assert isinstance(pack, packs.TextPack)
    assert pack.units == ["# of abc.py\n", "# of json/decoder.py\n"]
    assert pack.name.startswith("stdlib 3.")


@given(st.text(alphabet=st.sampled_from(list(" \n\t\x0bab'.\u3000é漢1")), max_size=60))
def test_units_add_up(text: str) -> None:
    """Whatever the text: units begin at the margin, end a line, and their counts are exact."""
    units = list(units_of(text))
    assert all(not unit[0].isspace() and unit.endswith("\n") for unit in units)
    assert "".join(units) == (text.strip() + "\n" if text.strip() else "")
    assert tokenizer.count("".join(units)) == sum(map(tokenizer.count, units))


@reads
def test_a_pack_file_is_opened_as_it_is(tmp_path: Path) -> None:
    """By its bytes alone; bytes that are no pack are refused, and an unknown digest too."""
    data = make_pack(QASPER, str(one_file(tmp_path, rows("qasper"))))
    (tmp_path / "any.name").write_bytes(data)
    assert load_pack(str(tmp_path / "any.name")) == data
    (tmp_path / "any.name").write_bytes(data[:-1])
    with pytest.raises(UsageError, match="this is no pack"):
        load_pack(str(tmp_path / "any.name"))
    with pytest.raises(CannotJudge, match="name its pack with --source"):
        packs.text("0" * 64)
    with pytest.raises(UsageError, match=f"holds {QASPER}, which is of no use here"):
        packs.text(packs.install(data))


@reads
def test_a_pack_that_no_log_could_keep_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With fewer items it is made."""
    monkeypatch.setattr("quasar.packs.source.MAX_PACK_BYTES", 40_000)
    file = str(one_file(tmp_path, rows("qasper")))
    with pytest.raises(UsageError, match="fewer items with --items"):
        make_pack(QASPER, file)
    pack = packs.decode(make_pack(QASPER, file, 3))
    assert len(pack.tokens) == 3


def test_without_the_package_the_extra_is_named(tmp_path: Path) -> None:
    """A process that cannot import ``datasets`` says what to install, in one line."""
    file = one_file(tmp_path, rows("qasper", 1))
    program = (
        "import sys; sys.modules['datasets'] = None; from quasar.cli import main; "
        f"sys.argv[1:] = ['pack', 'make', {QASPER!r}, '--from', {str(file)!r}, '-o', 'x']; main()"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "pip install 'quasar-subnet[longbench]'" in ran.stderr


def test_every_file_has_a_family() -> None:
    """All 21 data sets, and the 13 of LongBench-E."""
    assert len(FILES) == len(set(FILES)) == 34
