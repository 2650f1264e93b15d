"""The wheel is the folders, no more and no less. What a symlink or a filter loses, it loses
silently: an import error on somebody else's machine."""

import subprocess
import tarfile
import zipfile
from pathlib import Path

from tests.packaging.conftest import ROOT

TOP = ["actors", "events", "sandbox", "replay"]
"""Real folders at the top that are packages inside quasar."""


def committed(folder: str) -> set[str]:
    """Files of a folder that git has or would take; symlinks aside."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", folder]
    run = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    names = [name for name in run.stdout.split("\0") if name]
    return {n for n in names if (ROOT / n).is_file() and not (ROOT / n).is_symlink()}


def expected() -> set[str]:
    """What the wheel must hold, under the names that it must have."""
    names = committed("quasar") | {"quasar/constraints.txt"}
    return names.union(*({f"quasar/{name}" for name in committed(top)} for top in TOP))


def test_wheel_is_the_folders(wheel: Path) -> None:
    """Every module and data file is in the wheel built from the sdist, and nothing else is."""
    with zipfile.ZipFile(wheel) as archive:
        names = {n for n in archive.namelist() if ".dist-info/" not in n}
        assert names == expected()
        assert "quasar/py.typed" in names
        assert archive.read("quasar/constraints.txt") == (ROOT / "constraints.txt").read_bytes()


def test_wheel_installs_one_top_level_name(wheel: Path) -> None:
    """No `events` or `actors` lands beside other people's packages."""
    with zipfile.ZipFile(wheel) as archive:
        tops = {n.split("/")[0] for n in archive.namelist()}
        (info,) = tops - {"quasar"}
        files = set(archive.namelist())
    assert info.startswith("quasar_subnet-")
    assert info.endswith(".dist-info")
    assert f"{info}/licenses/LICENSE" in files
    assert f"{info}/entry_points.txt" in files


def test_every_folder_of_modules_is_a_package(wheel: Path) -> None:
    """A folder without __init__.py would import here and be skipped by tools elsewhere."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    folders = {n.rpartition("/")[0] for n in names if n.endswith(".py")}
    assert {f"{folder}/__init__.py" for folder in folders} <= names


def test_sdist_can_run_the_tests(archives: Path) -> None:
    """The sdist holds the sources, the tests, the pins and the licence."""
    (path,) = archives.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {n.partition("/")[2] for n in archive.getnames()}
    wanted = {"LICENSE", "README.md", "pyproject.toml", "constraints.txt", "tests/conftest.py"}
    assert wanted | committed("events") | committed("quasar") <= names
