"""``quasar sandbox``: what a flag cannot be is said in one line that names the flag."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import quasar.cli.sandbox
from quasar.cli import app
from quasar.cli.run import run
from quasar.cli.sandbox_flags import Driver, Programs, Walls
from quasar.errors import UsageError
from quasar.sandbox import SandboxConfig
from quasar.sandbox.errors import NoImage

WALLS = [
    *("--timeout -1", "--timeout 0", "--timeout nan", "--timeout inf", "--timeout 3601"),
    *("--timeout ten", "--memory 63", "--memory 2000000", "--memory x", "--policy=x"),
]
DRIVER = ["--driver podman", "--image ", "--image a --driver bubblewrap", "--json=x"]
CALL = ["--function a.b", "--function ", "--input [1", '--input [1,"]']
PLACE = [
    *("--port -1", "--port 65536", "--port x", "--host ", "--host 0.0.0.0 --port 0", "--unix "),
    *("--unix /nowhere/s", "--host ::1 --unix s"),
]
BAD = [
    *[f"build {flags}" for flags in DRIVER],
    *[f"run PROGRAM {flags}" for flags in WALLS + DRIVER + CALL],
    *[f"serve {flags}" for flags in WALLS + DRIVER + PLACE],
]


@pytest.fixture
def program(tmp_path: Path) -> str:
    path = tmp_path / "program.py"
    path.write_text("def f(): return 1\n")
    return str(path)


@pytest.fixture
def no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bad value is refused before any is opened."""

    def opened(*_: object) -> None:
        raise AssertionError("a sandbox was opened")

    for name in ("quasar.cli.sandbox.open_sandbox", "quasar.cli.sandbox.prepare"):
        monkeypatch.setattr(name, opened)
    monkeypatch.setattr("quasar.cli.sandbox_serve.open_sandbox", opened)


@pytest.mark.usefixtures("no_sandbox")
@pytest.mark.parametrize("line", BAD)
def test_a_bad_value_is_told_by_its_flag(
    line: str, program: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, nothing on stdout, and no name of a field."""
    words = [program if word == "PROGRAM" else word for word in line.split(" ")]
    flag = next(word.partition("=")[0] for word in words if word.startswith("--"))
    assert run(app, ["sandbox", *words]) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)
    assert flag in shown.err
    assert "$" not in shown.err


@pytest.mark.parametrize(
    "limits", [{"timeout": 3600.0, "memory": 64}, {"timeout": 0.001, "memory": 1 << 20}], ids=str
)
def test_the_ends_of_the_ranges_will_do(limits: dict[str, float]) -> None:
    """They are those of the configuration."""
    config = Walls(**limits).config()  # type: ignore[arg-type]
    assert (config.timeout_s, config.memory_mib) == tuple(limits.values())


def test_an_image_that_cannot_be_had_is_told_by_its_flag(
    program: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The engine finds out, and the line says what was named."""

    @asynccontextmanager
    async def open_sandbox(config: SandboxConfig) -> AsyncIterator[None]:
        raise NoImage("there is none")
        yield

    monkeypatch.setattr(quasar.cli.sandbox, "open_sandbox", open_sandbox)
    assert run(app, ["sandbox", "run", program, "--image", "gone:1"]) == 2
    assert capsys.readouterr().err == "quasar: --image gone:1: there is none\n"


@pytest.mark.parametrize("flag", ["engine", "image", "runtime"])
def test_an_empty_name_is_no_default(flag: str) -> None:
    """It is mostly a variable of a shell that is not set."""
    with pytest.raises(UsageError, match=f"--sandbox-{flag} is empty"):
        Programs(**{f"sandbox_{flag}": ""}).config()  # type: ignore[arg-type]
    assert Driver().config().image is None
