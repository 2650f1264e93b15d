"""An image made of the running interpreter: its standard library and the libraries these need.

No shell, no package manager, nothing to pull: the engine gets it through POST /images/load. The
same interpreter gives the same bytes on every machine.
"""

import hashlib
import io
import json
import os
import platform
import subprocess
import sys
import sysconfig
import tarfile
from functools import cache
from pathlib import Path
from typing import NamedTuple

from quasar.sandbox.bytecode import compiled
from quasar.sandbox.errors import SandboxError

REPOSITORY = "quasar-sandbox"
RECIPE = b"2"
"""Changes the name of the image when this file builds another one from the same interpreter."""
VERSION = f"python{sys.version_info[0]}.{sys.version_info[1]}"
LEFT_OUT = {
    *("test", "tests", "idlelib", "tkinter", "turtledemo", "lib2to3", "ensurepip", "venv"),
    *("site-packages", "dist-packages", "__pycache__", "pydoc_data"),
}
"""Folders that no function needs."""
USELESS = ("_sysconfigdata", "_tkinter", "_test", "_ctypes_test", "_xxtest", "xxlimited")
"""Beginnings of the names of files that no function needs; the first tells of the build machine."""
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
PASSWD = b"nobody:x:65534:65534::/:/sbin/nologin\n"


class Recipe(NamedTuple):
    """What goes into the image, known without reading it."""

    name: str
    """Repository and tag; the tag is a hash over the files' places, sizes and times."""
    files: dict[str, Path]
    """Path in the image to the file here."""


@cache
def recipe() -> Recipe:
    """Raises SandboxError where this interpreter's files cannot be listed."""
    files = standard_library()
    files["usr/bin/python3"] = Path(os.path.realpath(sys.executable))
    loadable = [file for path, file in files.items() if ".so" in file.name or "/bin/" in path]
    files |= shared_libraries(loadable)
    digest = hashlib.sha256(RECIPE)
    for path in sorted(files):
        stat = files[path].stat()
        digest.update(f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode())
    return Recipe(f"{REPOSITORY}:{digest.hexdigest()[:16]}", files)


def standard_library() -> dict[str, Path]:
    """Modules and extension modules, without tests and without the paths of the build machine."""
    root = Path(sysconfig.get_path("stdlib"))
    files = {}
    for folder, folders, names in os.walk(root):
        folders[:] = [f for f in folders if f not in LEFT_OUT and not f.startswith("config-")]
        for name in names:
            file = Path(folder, name)
            if file.suffix in {".py", ".so"} and not name.startswith(USELESS):
                inside = file.relative_to(root).as_posix()
                files[f"usr/{sys.platlibdir}/{VERSION}/{inside}"] = file
    return files


def shared_libraries(files: list[Path]) -> dict[str, Path]:
    """What the dynamic loader would map for these files, the loader at its own path."""
    try:
        # ldd exits with 1 where one of the files is static: the lines count, not the code.
        done = subprocess.run(
            ["ldd", *map(str, files)],  # noqa: S607  # wherever the system keeps it
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=False,
            timeout=60,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SandboxError(
            f"cannot build an image from this interpreter (ldd: {error}); configure an image"
        ) from error
    libraries = {}
    for line in done.stdout.splitlines():
        left, arrow, right = line.strip().partition(" => ")
        target = (right if arrow else left).split(" (")[0]
        if not target.startswith("/") or target.endswith(":"):
            continue
        is_loader = Path(target).name.startswith("ld-")
        inside = left.split(" (")[0] if left.startswith("/") else target
        place = inside.lstrip("/") if is_loader else f"usr/lib/{Path(target).name}"
        libraries[place] = Path(os.path.realpath(target))
    return libraries


def archive(made: Recipe) -> bytes:
    """The image as ``docker save`` would write it: reads some 65 MiB."""
    layer = layer_of(made.files)
    text = configuration(hashlib.sha256(layer).hexdigest())
    name = f"{hashlib.sha256(text).hexdigest()}.json"
    manifest = [{"Config": name, "RepoTags": [made.name], "Layers": ["layer.tar"]}]
    return tar({name: text, "layer.tar": layer, "manifest.json": json.dumps(manifest).encode()})


def configuration(layer: str) -> bytes:
    """The image's own description, whose SHA-256 is its id. ``layer``: SHA-256 of its only one."""
    config = {
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {
            "User": "65534:65534",
            "Env": ["PATH=/usr/bin", "LD_LIBRARY_PATH=/usr/lib"],
            "Cmd": ["python3"],
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer}"]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "quasar"}],
    }
    return json.dumps(config, sort_keys=True).encode()


def layer_of(files: dict[str, Path]) -> bytes:
    """The root folder: everything read-only, nothing with a time or an owner."""
    contents = {path: file.read_bytes() for path, file in files.items()}
    contents |= compiled({str(f): path for path, f in files.items() if f.suffix == ".py"})
    contents["etc/passwd"] = PASSWD
    folders = {"dev", "etc", "proc", "sys"}
    for path in contents:
        folders.update(parent.as_posix() for parent in Path(path).parents)
    return tar(contents, sorted(folders - {"."}))


def tar(files: dict[str, bytes], folders: list[str] | None = None) -> bytes:
    """A tar archive whose bytes depend on names and contents alone."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in folders or []:
            entry = tarfile.TarInfo(path)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o555
            archive.addfile(entry)
        for path in sorted(files):
            entry = tarfile.TarInfo(path)
            entry.size = len(files[path])
            entry.mode = (
                0o444 if path.endswith((".py", ".pyc", ".json", ".tar", "passwd")) else 0o555
            )
            archive.addfile(entry, io.BytesIO(files[path]))
    return target.getvalue()
