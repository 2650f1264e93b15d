"""Commands as scripts and people meet them: exit codes, one line for an error, JSON, escapes."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import anyio
import pytest
from cyclopts import App

from quasar.cli import app, logs
from quasar.cli.output import printable
from quasar.cli.run import run
from quasar.errors import Damaged, Diverged, TryAgain, UsageError
from tests.builders import World
from tests.unit.cli_archive import record


class Ran(NamedTuple):
    """A command's end."""

    code: int
    out: str
    err: str


Quasar = Callable[..., Ran]


@pytest.fixture(autouse=True)
def no_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands set up logging for their process, which here is that of all tests."""
    monkeypatch.setattr(logs, "set_up", lambda **_: None)


@pytest.fixture
def quasar(capsys: pytest.CaptureFixture[str]) -> Quasar:
    """Runs a command in this process."""

    def call(*arguments: object) -> Ran:
        code = run(app, [str(a) for a in arguments])
        shown = capsys.readouterr()
        return Ran(code, shown.out, shown.err)

    return call


class Recording(NamedTuple):
    folder: Path
    world: World

    @property
    def right(self) -> str:
        """The miner who knows."""
        return next(iter(self.world.miners))

    @property
    def hostile(self) -> str:
        return list(self.world.miners)[1]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    folder = tmp_path_factory.mktemp("cli") / "archive"
    return Recording(folder, anyio.run(record, folder))


def is_one_line(ran: Ran) -> bool:
    return ran.out == "" and ran.err.startswith("quasar: ") and ran.err.count("\n") == 1


def test_a_clean_archive(quasar: Quasar, recording: Recording) -> None:
    """``audit`` says so in JSON and in words, exit 0, and says whether the signer was pinned."""
    report = json.loads(quasar("audit", recording.folder, "--json").out)
    assert (report["result"], report["first_divergence"]) == ("clean", None)
    assert report["signer"]["pinned"] is False
    hotkey = recording.world.hotkey.ss58_address
    ran = quasar("audit", recording.folder, "--hotkey", hotkey)
    assert ran.code == 0
    assert "CLEAN" in ran.out
    assert "as you named it" in ran.out


def test_a_changed_byte_is_exit_1(quasar: Quasar, recording: Recording, tmp_path: Path) -> None:
    """The verdict and the first bad event are on stdout."""
    copy = tmp_path / "copy"
    shutil.copytree(recording.folder, copy)
    blob = next(p for p in (copy / "blobs").rglob("*") if p.is_file())
    blob.write_bytes(blob.read_bytes()[:-1] + b"!")
    ran = quasar("audit", copy, "--json")
    assert ran.code == 1
    assert json.loads(ran.out)["first_divergence"]["seq"] > 0
    assert "DIVERGENT" in quasar("audit", copy).out


def no_folder(tmp_path: Path) -> Path:
    return tmp_path / "nothing"


def a_file(tmp_path: Path) -> Path:
    (tmp_path / "file").write_bytes(b"\x00\xff")
    return tmp_path / "file"


def empty_folder(tmp_path: Path) -> Path:
    return tmp_path


def garbage_manifest(tmp_path: Path) -> Path:
    (tmp_path / "manifest.json").write_bytes(b"\x00\xff{")
    return tmp_path


def foreign_manifest(tmp_path: Path) -> Path:
    (tmp_path / "manifest.json").write_text('{"name":"an extension"}')
    return tmp_path


def manifest_is_a_folder(tmp_path: Path) -> Path:
    (tmp_path / "manifest.json").mkdir()
    return tmp_path


UNREADABLE = [
    no_folder,
    a_file,
    empty_folder,
    garbage_manifest,
    foreign_manifest,
    manifest_is_a_folder,
]
READERS = [["audit"], ["why"], ["log", "show"], ["log", "tail"], ["log", "export"]]


@pytest.mark.parametrize("make", UNREADABLE)
@pytest.mark.parametrize("command", READERS, ids=" ".join)
def test_what_is_no_archive(
    quasar: Quasar, tmp_path: Path, make: Callable[[Path], Path], command: list[str]
) -> None:
    """Every reader of archives says so in one line, exit 2."""
    last: dict[str, list[object]] = {"why": ["5abc"], "export": [tmp_path / "to"]}
    more = last.get(command[-1], [])
    ran = quasar(*command, make(tmp_path), *more)
    assert ran.code == 2
    assert is_one_line(ran), ran


@pytest.mark.parametrize(
    "arguments",
    [
        ["audti"],
        ["demo", "--rondes", "3"],
        ["demo", "--rounds", "many"],
        ["audit"],
        ["log", "nothing"],
        ["demo", "--rounds", "0"],
        ["demo", "--engine", "psychic"],
        ["policy", "show", "no-such-policy"],
        ["policy", "show", __file__],
        ["demo", "--policy", "no-such-policy"],
        ["demo", "--policy", __file__],
        ["mine", "--chain", "http://127.0.0.1:9", "--engine", "psychic"],
    ],
    ids=" ".join,
)
def test_wrong_usage(
    quasar: Quasar, arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unknown commands, options, values and policies: exit 2 and one line."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    ran = quasar(*arguments)
    assert ran.code == 2
    assert is_one_line(ran), ran
    assert not (tmp_path / "quasar-demo").exists()


def test_a_chain_that_does_not_answer(quasar: Quasar, tmp_path: Path) -> None:
    """Trying again may help: exit 75."""
    ran = quasar("validate", "--chain", "http://127.0.0.1:9", "--state", tmp_path, "--seed", "1")
    assert ran.code == 75
    assert is_one_line(ran), ran
    ran = quasar("mine", "--chain", "http://127.0.0.1:9", "--state", tmp_path, "--seed", "1")
    assert ran.code == 75


def test_unknown_hotkey(quasar: Quasar, recording: Recording) -> None:
    """``why`` names the hotkeys that there are, for an unknown one and for an ambiguous start."""
    ran = quasar("why", recording.folder, "5Nobody")
    assert ran.code == 2
    assert is_one_line(ran)
    assert all(hotkey in ran.err for hotkey in recording.world.miners)
    assert "more than one" in quasar("why", recording.folder, "5").err


def test_no_event_of_that_number_or_type(quasar: Quasar, recording: Recording) -> None:
    """Both are one line and exit 2."""
    for arguments in (["99999"], ["0"], ["-1"], ["--type", "AnswerGuessed"]):
        ran = quasar("log", "show", recording.folder, *arguments)
        assert ran.code == 2, arguments
        assert is_one_line(ran)


@pytest.mark.parametrize(
    ("package", "command", "extra"),
    [
        ("nats", ["validate", "--chain", "x"], "validator"),
        ("aiohttp", ["validate", "--chain", "x"], "validator"),
        ("aiohttp", ["mine", "--chain", "x"], "miner"),
        ("nats", ["demo"], "validator,miner"),
    ],
)
def test_a_missing_extra(package: str, command: list[str], extra: str) -> None:
    """A command whose packages are absent says how to get them, exit 2."""
    code = f"import sys; sys.modules[{package!r}] = None\n"
    code += f"from quasar.cli import main; main({command!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert f"pip install 'quasar-subnet[{extra}]'" in done.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("name another"), 2),
        (TryAgain("wait"), 75),
        (Damaged(7, "it is gone"), 1),
        (Diverged("round.1", 9), 1),
        (KeyboardInterrupt(), 130),
        (ExceptionGroup("actors", [ValueError("later"), UsageError("name another")]), 2),
        (BaseExceptionGroup("all", [KeyboardInterrupt()]), 130),
    ],
)
def test_exit_codes(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
) -> None:
    """Every kind of end has its code, also from inside a group of actors."""

    def fail() -> int:
        raise error

    failing = App(name="quasar", suppress_keyboard_interrupt=False)
    failing.default(fail)
    assert run(failing, []) == code
    assert capsys.readouterr().err.count("\n") == (code != 130)


def commands(parent: App, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], App]]:
    """Every command that does something, with its words."""
    for name in parent:
        if not name.startswith("-"):
            child = parent[name]
            inner = list(commands(child, (*path, name)))
            yield from inner or [((*path, name), child)]


ALL = dict(commands(app))


def test_the_commands_are_the_published_ones() -> None:
    """A new command is added here, so that the test below runs it."""
    assert {" ".join(words) for words in ALL} == {
        "demo",
        "validate",
        "mine",
        "audit",
        "why",
        "log show",
        "log tail",
        "log export",
        "log schema",
        "policy show",
    }


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_takes_json(words: tuple[str, ...]) -> None:
    """``--json`` is an option of each."""
    names = [name for a in ALL[words].assemble_argument_collection() for name in a.names]
    assert "--json" in names


@pytest.mark.parametrize("words", [w for w in ALL if w[0] in {"audit", "why", "log", "policy"}])
def test_json_parses(
    quasar: Quasar, recording: Recording, words: tuple[str, ...], tmp_path: Path
) -> None:
    """With ``--json``, each line on stdout is one JSON object, and stderr is empty."""
    folder = str(recording.folder)
    more = {
        "audit": [folder],
        "why": [folder, recording.hostile],
        "show": [folder] if words[0] == "log" else [],
        "tail": [folder, "-n", "3"],
        "export": [folder, str(tmp_path / "copy")],
    }.get(words[-1], [])
    ran = quasar(*words, *more, "--json")
    assert (ran.code, ran.err) == (0, "")
    objects = [json.loads(line) for line in ran.out.splitlines()]
    assert objects
    assert all(isinstance(o, dict) for o in objects)


def is_harmless(text: str) -> bool:
    """Nothing that a terminal obeys but line ends."""
    return all(c == "\n" or (c.isprintable() and c not in "\u202e\u2066") for c in text)


def test_hostile_answers_are_shown_not_obeyed(quasar: Quasar, recording: Recording) -> None:
    """Escapes, direction marks and markup of an answer reach no terminal as such."""
    why = quasar("why", recording.folder, recording.hostile).out
    assert "\\x1b[2J" in why
    assert "[red]5[/]" in why
    assert is_harmless(why)
    lines = quasar("log", "show", recording.folder, "--type", "AnswerReceived").out
    assert is_harmless(lines)
    received = [e for e in recording.world.events() if getattr(e, "text", None)]
    hostile = next(
        i
        for i, line in enumerate(recording.world.lines, 1)
        if recording.hostile.encode() in line and b'"AnswerReceived"' in line
    )
    assert received
    one = quasar("log", "show", recording.folder, hostile).out
    assert is_harmless(one)
    assert json.loads(one)["event"]["hotkey"] == recording.hostile


def test_printable_keeps_letters_and_shows_the_rest() -> None:
    """Other scripts stay readable; what moves the cursor or the reading direction does not."""
    assert printable("naïve 漢字 café") == "naïve 漢字 café"
    assert printable("a\x1bb\u202ec\u2069\x00\x9b") == "a\\x1bb\\x202ec\\x2069\\x00\\x9b"
    assert printable("x" * 300, 10) == "x" * 10 + "..."


def test_why_leads_from_the_weight_to_the_answer(quasar: Quasar, recording: Recording) -> None:
    """The first characters of a hotkey are enough; the row's number is explained."""
    ran = quasar("why", recording.folder, recording.right[:12])
    assert ran.code == 0
    assert "u16 65535" in ran.out.replace("\n", " ")
    shown = json.loads(quasar("why", recording.folder, recording.right, "--json").out)
    assert shown["hotkey"] == recording.right
    assert shown["weight"]["u16"] == 65535


def test_log_tail_prints_the_last_events(quasar: Quasar, recording: Recording) -> None:
    """``-n`` says how many; more than there are gives all."""
    size = len(recording.world.lines)
    last = quasar("log", "tail", recording.folder, "-n", 3).out.splitlines()
    assert [int(line.split()[0]) for line in last] == [size - 2, size - 1, size]
    everything = quasar("log", "tail", recording.folder, "-n", 10_000, "--json").out.splitlines()
    assert [json.loads(line)["seq"] for line in everything] == list(range(1, size + 1))


def test_log_show_filters_by_type(quasar: Quasar, recording: Recording) -> None:
    """Only events of the type; or one in full by its number."""
    lines = quasar("log", "show", recording.folder, "--type", "RoundOpened").out.splitlines()
    assert len(lines) == 1
    assert "RoundOpened" in lines[0]
    assert json.loads(quasar("log", "show", recording.folder, 1).out)["key"] == "log.open"


def test_log_export_copies_and_refuses_a_full_folder(
    quasar: Quasar, recording: Recording, tmp_path: Path
) -> None:
    """The copy audits as the original; a folder with something in it is left alone."""
    target = tmp_path / "copy"
    assert quasar("log", "export", recording.folder, target).code == 0
    copied, original = (quasar("audit", f, "--json").out for f in (target, recording.folder))
    assert copied == original
    again = quasar("log", "export", recording.folder, target)
    assert again.code == 2
    assert is_one_line(again)


def test_log_schema_is_of_the_whole_union(quasar: Quasar) -> None:
    """One JSON Schema with all event types."""
    schema = json.loads(quasar("log", "schema").out)
    assert {"RoundOpened", "AnswerScored", "WeightsComputed"} <= set(schema["$defs"])


def test_policy_show_is_the_file(quasar: Quasar, tmp_path: Path) -> None:
    """What it prints is a policy file again, with the same digest."""
    toml = quasar("policy", "show").out
    assert toml == quasar("policy", "show", "readme-v1").out
    (tmp_path / "copy.toml").write_text(toml)
    shown = json.loads(quasar("policy", "show", "--json").out)
    assert json.loads(quasar("policy", "show", tmp_path / "copy.toml", "--json").out) == shown
    assert shown["policy"]["name"] == "readme-v1"


def test_a_closed_pipe_is_no_error(recording: Recording) -> None:
    """``quasar log show D | head -1``: exit 0 and nothing on stderr."""
    command = [sys.executable, "-m", "quasar", "log", "show", str(recording.folder), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


HEAVY = "nats bittensor bittensor_core aiohttp torch numpy tiktoken rich.progress anyio"


def test_help_lists_all_commands_and_imports_nothing_heavy() -> None:
    """The help is text of this package alone; commands are imported when they are called."""
    code = (
        "import sys\nfrom quasar.cli import main\n"
        "try:\n    main(['--help'])\n"
        f"finally:\n    print('LOADED', [m for m in {HEAVY.split()} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "LOADED []" in done.stdout
    for words in ALL:
        assert words[0] in done.stdout
