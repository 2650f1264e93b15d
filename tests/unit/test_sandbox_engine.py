"""Finding an engine and starting the runner, as far as no engine is needed."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import anyio
import msgspec
import pytest

from quasar.errors import MissingExtra
from quasar.sandbox import SandboxConfig, SandboxError, find_engine, open_sandbox, probe_engine
from quasar.sandbox.cache import cache_folder
from quasar.sandbox.container import specification
from quasar.sandbox.engine import _candidates, call, connect
from quasar.sandbox.inside import runner
from quasar.sandbox.program import command

HEAVY = (
    "import quasar.sandbox, sys; sys.exit('aiodocker' in sys.modules or 'aiohttp' in sys.modules)"
)


def test_importing_the_sandbox_brings_no_client() -> None:
    """aiodocker comes with the first engine that is asked, not before."""
    subprocess.run([sys.executable, "-c", HEAVY], check=True)


@pytest.mark.anyio
async def test_no_engine_is_found_where_none_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The address is null, the reason names it, and a sandbox cannot be opened."""
    url = f"unix://{tmp_path}/none.sock"
    monkeypatch.setenv("DOCKER_HOST", url)
    assert await find_engine() is None
    assert "none.sock" in (await probe_engine()).reason
    with pytest.raises(SandboxError, match="no engine"):
        async with open_sandbox(SandboxConfig(driver="docker")):
            pass


@pytest.mark.anyio
@pytest.mark.parametrize(
    "url", ["somewhere", "tcp://", "tcp://[::1", "ssh://nobody@127.0.0.1", "npipe:////./e"]
)
async def test_an_address_of_nothing_is_no_engine(url: str) -> None:
    """Bad configuration is told, not raised, by the search: bubblewrap may be there."""
    probe = await probe_engine(url)
    assert probe.url is None
    assert url in probe.reason
    assert "set DOCKER_HOST" in probe.reason


@pytest.mark.anyio
async def test_an_engine_whose_certificates_are_missing_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Docker's own variables may name a folder that is not there."""
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path / "none"))
    assert "cannot be used" in (await probe_engine("tcp://127.0.0.1:1")).reason


@pytest.mark.anyio
async def test_a_user_without_a_home_has_no_engine_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers may run programs under a number that no user has."""
    monkeypatch.delenv("HOME")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", no_such_user)
    monkeypatch.setattr("os.geteuid", lambda: 31337)
    assert all(".docker" not in url for url in _candidates())
    with pytest.raises(SandboxError, match="set XDG_CACHE_HOME"):
        cache_folder()


def no_such_user(number: int) -> None:
    raise KeyError(number)


@pytest.mark.anyio
async def test_without_the_client_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation without the extra says which one it needs."""
    monkeypatch.setitem(sys.modules, "aiodocker", None)
    with pytest.raises(MissingExtra, match=r"quasar-subnet\[validator\]"):
        async with connect("unix:///nowhere"):
            pass
    assert "quasar-subnet[validator]" in (await probe_engine("unix:///nowhere")).reason


@pytest.mark.anyio
async def test_an_engine_that_hangs_is_a_sandbox_error() -> None:
    """Every call has its time; what the client raises becomes our error."""
    with pytest.raises(SandboxError, match=r"did not dream within 0\.01 s"), call("dream", 0.01):
        await anyio.sleep_forever()
    with pytest.raises(SandboxError, match="could not dream: no bed"), call("dream"):
        raise AssertionError("no\nbed")


def test_a_container_has_no_way_out() -> None:
    """The body of the request: no network, no mount, no port, no power, no swap, no root."""
    body = specification(SandboxConfig(memory_mib=100, pids=9), "image", {"a": "b"})
    host = body["HostConfig"]
    assert (host["NetworkMode"], host["ReadonlyRootfs"], host["IpcMode"]) == ("none", True, "none")
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["Memory"] == host["MemorySwap"] == 164 << 20
    assert (host["PidsLimit"], body["User"], body["Labels"]) == (9, "65534:65534", {"a": "b"})
    names = {"Binds", "Mounts", "Tmpfs", "PortBindings", "Init", "Privileged", "Devices", "PidMode"}
    assert not names & (host.keys() | body.keys())
    assert "Runtime" not in host
    gvisor = specification(SandboxConfig(runtime="runsc"), "image", {})
    assert gvisor["HostConfig"]["Runtime"] == "runsc"


def test_the_runner_fits_into_a_command_line() -> None:
    """One argument of a program has at most 128 KiB."""
    assert max(len(argument) for argument in command(SandboxConfig())) < 100_000


@pytest.mark.parametrize("field", ["timeout_s", "memory_mib", "cpus", "pids", "output_bytes"])
def test_a_limit_of_nothing_is_refused(field: str) -> None:
    """A configuration is validated when it is read."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({field: 0}, SandboxConfig)


def test_no_process_is_killed_but_by_process_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Called anywhere else, the runner's cleaning up leaves before it kills."""

    def leave(code: int) -> None:
        raise SystemExit(code)

    def no(name: str) -> Callable[..., None]:
        return lambda *_: pytest.fail(f"{name} was reached")

    assert os.getpid() != 1
    with monkeypatch.context() as patch:
        patch.setattr(os, "_exit", leave)
        patch.setattr(os, "kill", no("kill"))
        patch.setattr(os, "waitpid", no("waitpid"))
        with pytest.raises(SystemExit, match="97"):
            runner.end_everything()
        with pytest.raises(SystemExit, match="97"):
            runner.main({}, {})  # type: ignore[typeddict-item]  # it does not come to the limits


def test_only_one_line_of_the_project_kills_everything() -> None:
    """The guarded kill in the runner is the only one of its kind."""
    root = Path(runner.__file__).parents[2]
    needles = ("kill(-1", "killpg(", "kill(0")
    lines = [
        (file.name, line.strip())
        for folder in ("sandbox", "quasar", "actors", "replay", "events")
        for file in (root / folder).rglob("*.py")
        for line in file.read_text("utf-8").splitlines()
        if any(needle in line for needle in needles) and "os." in line
    ]
    assert lines == [("runner.py", "os.kill(-1, signal.SIGKILL)")]
