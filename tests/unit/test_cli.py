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
from quasar.cli.live import Live
from quasar.cli.output import err, printable, short
from quasar.cli.run import run
from quasar.errors import Damaged, Diverged, TryAgain, UsageError
from quasar.log.zstd import compress
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


def tampered(recording: Recording, tmp_path: Path, old: bytes, new: bytes) -> tuple[Path, int]:
    """A copy with other bytes in one line, packed again; and that event's number."""
    copy = tmp_path / "copy"
    shutil.copytree(recording.folder, copy)
    (segment,) = (copy / "segments").iterdir()
    data = b"".join(line + b"\n" for line in recording.world.lines)
    at = data.index(old)
    segment.write_bytes(compress(data.replace(old, new, 1)))
    return copy, data[:at].count(b"\n") + 1


@pytest.mark.parametrize("command", ["why", "show", "tail", "audit"])
def test_no_reader_shows_a_changed_line_as_fact(
    quasar: Quasar, recording: Recording, tmp_path: Path, command: str
) -> None:
    """A raised reward in the files: the event is named, exit 1, and the number is not explained."""
    copy, seq = tampered(recording, tmp_path, b'"reward":0.0', b'"reward":1.0')
    arguments = {
        "why": ["why", copy, recording.hostile],
        "show": ["log", "show", copy, seq],
        "tail": ["log", "tail", copy],
        "audit": ["audit", copy],
    }[command]
    ran = quasar(*arguments)
    assert ran.code == 1
    assert f"event {seq}" in ran.out + ran.err
    assert "reward" not in ran.out


@pytest.mark.parametrize("command", ["why", "audit"])
def test_a_missing_or_forged_checkpoint_is_named(
    quasar: Quasar, recording: Recording, tmp_path: Path, command: str
) -> None:
    """Which file does not verify is said; ``why`` looks at the newest checkpoint alone."""
    copy = tmp_path / "copy"
    shutil.copytree(recording.folder, copy)
    more = [recording.right] if command == "why" else []
    size = len(recording.world.lines)
    kept = copy / "checkpoints" / str(size)
    forged = copy / "checkpoint" if command == "why" else kept
    forged.write_text(forged.read_text().replace("quasar/24", "quasar/25"))
    ran = quasar(command, copy, *more)
    assert ran.code == 1
    called = "the checkpoint" if command == "why" else f"checkpoints/{size}"
    assert f"{called} does not verify" in ran.out + ran.err
    kept.unlink()
    (copy / "checkpoint").unlink()
    ran = quasar(command, copy, *more)
    assert ran.code == 1
    assert "the checkpoint is missing" in ran.out + ran.err
    if command == "audit":
        assert "1 finding:" in ran.out
        assert f"event {size} (structure)" in ran.out
        assert "carries none" not in ran.out


def test_an_audit_that_stopped_claims_nothing_about_the_rest(
    quasar: Quasar, recording: Recording, tmp_path: Path
) -> None:
    """It says where it stopped, not that the log ended there or that it carries no checkpoint."""
    copy, seq = tampered(recording, tmp_path, b'"reward":0.0', b'"reward":1.0')
    left = json.loads(quasar("audit", copy, "--json").out)["not_checked"]
    assert f"stopped at event {seq}: the rest was not judged" in left
    assert not [line for line in left if "carries none" in line or "ended" in line]


def test_another_signer_than_the_named_one(quasar: Quasar, recording: Recording) -> None:
    """It is not called the named one; what is no address at all is exit 2."""
    ran = quasar("audit", recording.folder, "--hotkey", recording.right)
    assert ran.code == 1
    assert "(NOT the one you named)" in ran.out
    ran = quasar("audit", recording.folder, "--hotkey", recording.right, "--json")
    assert json.loads(ran.out)["signer"]["pinned"] is False
    for text in ("5Nobody", "", recording.right[:-1] + "1"):
        ran = quasar("audit", recording.folder, "--hotkey", text)
        assert ran.code == 2
        assert is_one_line(ran)
        assert "not an SS58 address" in ran.err


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
        ["validate", "--chain", "ws://127.0.0.1:port"],
        ["validate", "--chain", "ftp://127.0.0.1"],
        ["validate", "--chain", "nowhere", "--seed", "1"],
        ["validate", "--chain", "ws://127.0.0.1:9", "--policy", __file__],
        ["mine", "--chain", "ws://"],
        ["audit", "sample", "--chain", "ws://[::1"],
        ["hotkey", "--wallet.path", "no-such-folder"],
        ["hotkey", "owner"],
        ["mine", "--subtensor.network", "finney", "--axon.port", "8091"],
        ["mine", "--mock", "--network", "finney", "--chain", "wss://node.example"],
        ["mine", "--mock", "--miner.model_name", "no-such-model"],
        ["validate", "--mock", "--subtensor.chain_endpoint", "wss://node.example"],
        ["validate", "--mock", "--once", "0"],
        ["validate", "--mock", "--once", "1", "--rounds", "1"],
        ["validate", "--wallet.path", "no-such-folder"],
        ["chain", "up", "--hotkeys", "nobody", "--wallet.path", "no-such-folder"],
        ["chain", "up", "--hotkeys", "5" * 48],
        ["chain", "up", "--tempo", "0"],
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


def test_a_total_is_shown_once_it_is_known() -> None:
    """Before any task is assigned, nobody knows how many answers there will be."""
    live = Live(3, {}, shown=True)
    with err.capture() as shown:
        err.print(live._progress.get_renderable())
    assert "0/3" in shown.get()
    assert "0/?" in shown.get()
    assert "None" not in shown.get()


def test_unknown_hotkey(quasar: Quasar, recording: Recording) -> None:
    """``why`` names the hotkeys that there are, for an unknown one and for an ambiguous start."""
    ran = quasar("why", recording.folder, "5Nobody")
    assert ran.code == 2
    assert is_one_line(ran)
    assert all(hotkey in ran.err for hotkey in recording.world.miners)
    assert "more than one" in quasar("why", recording.folder, "5").err


def test_why_takes_a_hotkey_as_it_is_printed(quasar: Quasar, recording: Recording) -> None:
    """The shortened form names the same miner; a wrong end names nobody."""
    ran = quasar("why", recording.folder, short(recording.right))
    assert ran.code == 0
    assert ran.out.startswith(recording.right)
    assert quasar("why", recording.folder, recording.right[:6] + "..0000").code == 2


def test_why_shows_one_round_in_full(quasar: Quasar, recording: Recording) -> None:
    """The newest by default; a round that is not there is exit 2."""
    newest = quasar("why", recording.folder, recording.right).out
    assert newest == quasar("why", recording.folder, recording.right, "--round", 1).out
    assert newest == quasar("why", recording.folder, recording.right, "--all").out
    ran = quasar("why", recording.folder, recording.right, "--round", 2)
    assert ran.code == 2
    assert is_one_line(ran)
    answers = json.loads(quasar("why", recording.folder, recording.right, "--json").out)["rounds"]
    assert newest.count("\n    asked  ") == len(answers[0]["answers"])
    assert max(map(len, newest.splitlines())) <= 110, "nothing is too long for a terminal"
    assert "from memory" not in newest, "what every question begins with is left out"
    note = (recording.folder / "checkpoint").read_text()
    assert newest.rstrip().endswith(note.splitlines()[2]), "the root as the checkpoint writes it"


def test_no_event_of_that_number_or_type(quasar: Quasar, recording: Recording) -> None:
    """Both are one line and exit 2."""
    tails = [["tail", "-n", "0"], ["tail", "-n", "-1"]]
    shows = [["99999"], ["0"], ["-1"], ["--type", "AnswerGuessed"], ["5", "--type", "TaskSampled"]]
    for arguments in [*tails, *(["show", *words] for words in shows)]:
        ran = quasar("log", arguments[0], recording.folder, *arguments[1:])
        assert ran.code == 2, arguments
        assert is_one_line(ran)


@pytest.mark.parametrize(
    ("package", "command", "extra"),
    [
        ("nats", ["validate", "--mock"], "validator"),
        ("aiohttp", ["validate", "--mock"], "validator"),
        ("aiohttp", ["mine", "--chain", "x"], "miner"),
        ("aiohttp", ["sandbox", "serve"], "validator"),
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


def test_a_stranger_s_words_in_an_error_are_shown_and_not_obeyed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An error may quote what somebody wrote into a log."""

    def fail() -> int:
        raise Damaged(7, "signed by \x1b[2J\u202eeve")

    failing = App(name="quasar", suppress_keyboard_interrupt=False)
    failing.default(fail)
    assert run(failing, []) == 1
    assert capsys.readouterr().err == "quasar: event 7: signed by \\x1b[2J\\x202eeve\n"


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
        "doctor",
        "chain up",
        "validate",
        "mine",
        "hotkey",
        "model get",
        "nats config",
        "audit",
        "diff",
        "why",
        "replay",
        "simulate",
        "export",
        "log show",
        "log tail",
        "log verify",
        "log info",
        "log export",
        "log import",
        "log schema",
        "log size",
        "log serve",
        "log prune",
        "backup",
        "restore",
        "key show",
        "key rotate",
        "key revoke",
        "pack make",
        "pack show",
        "policy show",
        "sandbox build",
        "sandbox run",
        "sandbox serve",
        "score",
        "task list",
        "task show",
        "task make",
        "task check",
        "proof inclusion",
        "proof score",
        "proof consistency",
        "proof verify",
    }


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_takes_json(words: tuple[str, ...]) -> None:
    """``--json`` is an option of each."""
    names = [name for a in ALL[words].assemble_argument_collection() for name in a.names]
    assert "--json" in names


ACTING = {("log", "serve"), ("log", "prune")}
"""These print nothing but what they did."""
READING = [w for w in ALL if w[0] in {"audit", "why", "log", "policy"} and w not in ACTING]


@pytest.mark.parametrize("words", READING)
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
        "size": [folder],
        "export": [folder, str(tmp_path / "copy")],
        "import": [folder, "--state", str(tmp_path / "state")],
        "verify": [folder],
        "info": [folder],
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


def test_a_line_of_the_log_shows_what_matters(quasar: Quasar, recording: Recording) -> None:
    """Rewards and weights of miners; no nulls, no signed notes, one line an event."""
    shown = quasar("log", "show", recording.folder).out
    assert shown.count("\n") == len(recording.world.lines)
    rewards = next(line for line in shown.splitlines() if "RoundScored" in line)
    weights = next(line for line in shown.splitlines() if "WeightsComputed" in line)
    assert f"{short(recording.right)}:1" in rewards.partition("rewards=[")[2]
    assert f"{short(recording.right)}:65535" in weights
    assert "None" not in shown
    assert "note=" not in shown


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
