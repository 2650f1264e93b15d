"""The image: built of this interpreter alone, alike each time; and what an engine has of it."""

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from quasar.sandbox import SandboxError, engine_image, image
from quasar.sandbox.bytecode import compiled
from quasar.sandbox.engine_image import EngineImage, ensure_image, restore_image
from quasar.sandbox.image import recipe, shared_libraries, standard_library, tar


def test_the_image_holds_the_interpreter_and_no_path_of_this_machine() -> None:
    """Modules, loader and libraries are there; tests, tools and build configuration are not."""
    made = recipe()
    names = {path.rpartition("/")[2] for path in made.files}
    assert {"python3", "json", "os.py", "libc.so.6"} - names == {"json"}
    assert any(name.startswith("ld-") for name in names)
    assert not any(n.startswith(("_sysconfigdata", "libtk", "libX")) for n in names)
    assert not any("/test/" in path or "site-packages" in path for path in made.files)
    assert made.name.startswith("quasar-sandbox:")


def test_bytecode_is_the_same_each_time_and_knows_no_path_of_this_machine() -> None:
    """Two processes compile a module alike, under its name in the image."""
    here = {str(file): path for path, file in standard_library().items() if "/json/" in path}
    first = compiled(here)
    assert first == compiled(here)
    assert len(first) == 4
    for data in first.values():
        assert b"/usr/" in data
        assert str(Path(os.__file__).parent).encode() not in data.replace(b"/usr/lib", b"")


def test_an_archive_depends_on_names_and_contents_alone() -> None:
    """No time, no owner, no order of the caller."""
    one = tar({"b": b"2", "a": b"1"}, ["d"])
    assert one == tar({"a": b"1", "b": b"2"}, ["d"])
    with tarfile.open(fileobj=io.BytesIO(one)) as archive:
        entries = archive.getmembers()
    assert [entry.name for entry in entries] == ["d", "a", "b"]
    assert {(e.mtime, e.uid, e.uname, e.mode & 0o222) for e in entries} == {(0, 0, "", 0)}


def test_without_ldd_an_image_must_be_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to do."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SandboxError, match="configure an image"):
        shared_libraries([Path(sys.executable)])


BUILD = """
import hashlib
from quasar.sandbox.image import archive, recipe
print(hashlib.sha256(archive(recipe())).hexdigest())
"""


@cache
def built() -> bytes:
    """The image of this interpreter. It takes a second."""
    return image.archive(recipe())


def test_two_builds_give_one_image(tmp_path: Path) -> None:
    """Neither folder, user's settings, time zone, umask nor hash seed shows in a single byte."""
    settings = {"HOME": str(tmp_path), "TZ": "Asia/Kolkata", "PYTHONHASHSEED": "7", "LANG": "C"}
    settings |= {"PYTHONOPTIMIZE": "2", "SOURCE_DATE_EPOCH": "1", "PYTHONPYCACHEPREFIX": "/x"}
    there = subprocess.run(
        [sys.executable, "-c", BUILD],
        stdout=subprocess.PIPE,
        check=True,
        cwd=tmp_path,
        env=os.environ | settings,
        umask=0o077,
        text=True,
    )
    assert there.stdout.strip() == hashlib.sha256(built()).hexdigest()


class Gone(Exception):
    status = 404


class Engine:
    """As much of aiodocker as images need: its images, and what a registry would give it."""

    def __init__(self, **registry: str) -> None:
        """``registry``: name of an image to its layer."""
        self.images = self
        self.has: dict[str, dict[str, Any]] = {}
        self.loads = 0
        self._registry = registry

    async def inspect(self, name: str) -> dict[str, Any]:
        if name not in self.has:
            raise Gone
        return self.has[name]

    async def pull(self, name: str) -> None:
        layer = self._registry[name]
        facts = {"Id": f"sha256:{layer}", "RootFS": {"Layers": [f"sha256:{layer}"]}, "Size": 5}
        self.has[name] = facts | {"RepoDigests": [f"{name}@sha256:{layer}"]}

    async def import_image(self, data: io.BytesIO) -> None:
        self.loads += 1
        with tarfile.open(fileobj=data) as archive:
            files = {m.name: archive.extractfile(m) for m in archive.getmembers()}
            texts = {name: file.read() for name, file in files.items() if file}
        (manifest,) = json.loads(texts["manifest.json"])
        config = texts[manifest["Config"]]
        layer = hashlib.sha256(texts["layer.tar"]).hexdigest()
        assert json.loads(config)["rootfs"]["diff_ids"] == [f"sha256:{layer}"]
        # As an engine with containerd's store: its ids are none of the archive's.
        self.has[manifest["RepoTags"][0]] = {"Id": "b" * 64, "RootFS": {"Layers": [layer]}}


async def ensured(engine: Engine, name: str | None = None) -> EngineImage:
    return await ensure_image(engine, name)  # type: ignore[arg-type]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Builds one image for all tests."""
    monkeypatch.setattr(engine_image, "archive", lambda _: built())


@pytest.mark.usefixtures("quick")
@pytest.mark.anyio
async def test_an_image_is_built_once() -> None:
    """Without a name it is this interpreter's; the next time the engine has it."""
    engine = Engine()
    first, second = await ensured(engine), await ensured(engine)
    assert (first.how, second.how, engine.loads) == ("built", "found", 1)
    assert first.name == second.name == recipe().name
    assert (first.id, first.repo_digests, first.size) == ("b" * 64, [], 0)
    assert all(len(layer) == 64 for layer in first.layers)


@pytest.mark.anyio
async def test_an_image_that_is_named_is_pulled() -> None:
    """Its digests in the registry are told; what the engine has is not pulled again."""
    engine = Engine(mine="c" * 64)
    first, second = await ensured(engine, "mine"), await ensured(engine, "mine")
    assert (first.how, second.how) == ("pulled", "found")
    assert first.repo_digests == [f"mine@sha256:{'c' * 64}"]
    assert first.layers == ["c" * 64]


@pytest.mark.anyio
async def test_another_image_is_never_taken_for_one_that_is_named() -> None:
    """One that cannot be had is an error that says what to do; nothing is built in its place."""
    engine = Engine()
    with pytest.raises(SandboxError, match=r"pull the image his@sha256.*configure no image"):
        await ensured(engine, "his@sha256:" + "d" * 64)
    assert not engine.has


@pytest.mark.usefixtures("quick")
@pytest.mark.anyio
@pytest.mark.parametrize("name", [None, "mine"])
async def test_an_image_that_was_removed_is_restored(name: str | None) -> None:
    """The same layers, built or pulled once more."""
    engine = Engine(mine="c" * 64)
    lost = await ensured(engine, name)
    engine.has.clear()
    again = await restore_image(engine, lost)  # type: ignore[arg-type]
    assert again == lost


@pytest.mark.anyio
async def test_an_image_that_was_replaced_is_an_error() -> None:
    """A name that stands for other layers now would give other verdicts under the same identity."""
    engine = Engine(mine="c" * 64)
    lost = (await ensured(engine, "mine"))._replace(facts={"RootFS": {"Layers": ["e" * 64]}})
    with pytest.raises(SandboxError, match="replaced by another"):
        await restore_image(engine, lost)  # type: ignore[arg-type]


@pytest.mark.anyio
@pytest.mark.parametrize("what", ["Volumes", "Healthcheck"])
async def test_an_image_brings_nothing_but_files(what: str) -> None:
    """A volume is a place to write to, a health check a process beside the runner."""
    engine = Engine(mine="c" * 64)
    await engine.pull("mine")
    engine.has["mine"]["Config"] = {what: {"/data": {}}}
    with pytest.raises(SandboxError, match=f"declares {what}"):
        await ensured(engine, "mine")
