"""``quasar sandbox build`` and ``run`` on a real engine."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import pytest

from quasar.cli import app
from quasar.cli.run import run
from quasar.sandbox.engine import connect, find_engine
from quasar.sandbox.image import archive, recipe
from tests.e2e.registry import registry
from tests.sandboxes import need

pytestmark = pytest.mark.docker


class Ran(NamedTuple):
    """A command's end."""

    code: int
    out: str
    err: str

    def json(self) -> dict[str, Any]:
        """What it printed."""
        shown: dict[str, Any] = json.loads(self.out)
        return shown


Sandbox = Callable[..., Ran]


@pytest.fixture
def sandbox(capsys: pytest.CaptureFixture[str]) -> Sandbox:
    """Runs ``quasar sandbox ...`` in this process."""

    def call(*arguments: object) -> Ran:
        code = run(app, ["sandbox", *map(str, arguments)])
        shown = capsys.readouterr()
        return Ran(code, shown.out, shown.err)

    return call


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "add.py"
    path.write_text("def add(a, b):\n    print('adds', '\\x1b[2J')\n    return a + b\n")
    return path


async def forget(name: str) -> None:
    """Remove an image from the engine."""
    async with connect(await find_engine() or "") as docker:
        await docker.images.delete(name)


def test_build_says_what_it_has_and_that_the_walls_stand(sandbox: Sandbox) -> None:
    """In words and in JSON; the second time nothing is built."""
    assert sandbox("build", "--driver", "docker").code == 0
    words = sandbox("build", "--driver", "docker").out
    assert f"found    {recipe().name}" in words
    assert "walls    stand: docker" in words
    report = sandbox("build", "--driver", "docker", "--json").json()
    identity = report["identity"]
    assert (report["how"], report["name"], identity["driver"]) == ("found", recipe().name, "docker")
    assert report["size"] > 20_000_000
    for digest in (identity["image"], *identity["layers"]):
        assert digest in words


def test_a_root_folder_holds_the_bytes_of_the_image(sandbox: Sandbox, program: Path) -> None:
    """Both drivers say the same layer, and a program gives the same on both."""
    need("bubblewrap")
    folder = sandbox("build", "--driver", "bubblewrap", "--json").json()
    image = sandbox("build", "--driver", "docker", "--json").json()
    assert folder["identity"]["driver"] == "bubblewrap"
    assert folder["identity"]["layers"] == image["identity"]["layers"]
    assert Path(folder["name"], "usr/bin/python3").is_file()
    ran = sandbox("run", program, "--driver", "bubblewrap", "--input", "[1, 2]")
    assert (ran.code, ran.out.splitlines()[1].split()[2:4]) == (0, ["ok", "3"])


def test_an_image_is_pulled_by_digest(sandbox: Sandbox) -> None:
    """A registry gives it, the identity names both; once it is gone there is an error, no other."""
    with registry(archive(recipe())) as name:
        try:
            report = sandbox("build", "--image", name, "--json").json()
            assert (report["how"], report["name"]) == ("pulled", name)
            assert report["identity"]["repo_digests"] == [name]
            assert sandbox("build", "--image", name, "--json").json()["how"] == "found"
        finally:
            anyio.run(forget, name)
    built = sandbox("build", "--driver", "docker", "--json").json()["identity"]
    assert report["identity"]["layers"] == built["layers"]
    assert report["identity"]["image"] != built["image"]
    gone = sandbox("build", "--image", name)
    assert (gone.code, gone.out, gone.err.count("\n")) == (2, "", 1)
    assert f"--image {name}: " in gone.err
    assert "configure no image" in gone.err


def test_run_shows_each_call(sandbox: Sandbox, program: Path) -> None:
    """Status and output of each input; what was printed, harmless to a terminal; exit code 1."""
    good = ["run", program, "--function", "add", "--input", "[1, 2]"]
    assert sandbox(*good).code == 0
    ran = sandbox(*good, "--input", '["a", "b"]', "--input", "-5")
    lines = [line.split() for line in ran.out.splitlines()]
    assert ran.code == 1
    assert lines[1][:4] == ["[1,", "2]", "ok", "3"]
    assert lines[2][:4] == ['["a",', '"b"]', "ok", '"ab"']
    assert lines[3][:3] == ["[-5]", "error", "TypeError:"]
    assert "1: adds \\x1b[2J" in ran.out
    assert "\x1b" not in ran.out


def test_run_prints_json(sandbox: Sandbox, tmp_path: Path) -> None:
    """Also of an answer with a program in it, of any integer, and without a function's name."""
    answer = tmp_path / "answer.md"
    answer.write_text("Here you are:\n```python\ndef f(n): return 10**n\n```\n")
    shown = sandbox("run", answer, "--input", "4000", "--json").json()
    (outcome,) = shown["outcomes"]
    assert (outcome["status"], outcome["output"]) == ("ok", 10**4000)
    assert shown["identity"]["layers"]


def test_run_with_and_without_the_policy(sandbox: Sandbox, tmp_path: Path) -> None:
    """A round's list refuses an import that the walls make harmless."""
    path = tmp_path / "where.py"
    path.write_text("import os\ndef where(): return os.getcwd()\n")
    (refused,) = sandbox("run", path, "--json").json()["outcomes"]
    assert refused["status"] == "forbidden"
    (outcome,) = sandbox("run", path, "--no-policy", "--json").json()["outcomes"]
    assert outcome["output"] == "/"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["{program}", "--input", "[1"], "not JSON"),
        (["{program}/none"], "cannot read"),
        (["{program}", "--timeout", "0"], "--timeout 0.0: expected a number > 0.0"),
        (["{program}", "--driver", "none"], "--driver"),
    ],
    ids=["input", "file", "timeout", "driver"],
)
def test_run_cannot(sandbox: Sandbox, program: Path, arguments: list[str], says: str) -> None:
    """One line, exit code 2."""
    ran = sandbox("run", *(a.format(program=program) for a in arguments))
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert says in ran.err
