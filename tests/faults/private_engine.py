"""A container engine of a test's own, that may be killed: it shares nothing with another engine.

    with private_engine() as engine:
        SandboxConfig(engine=engine.url)
        engine.kill()
        engine.start()

Needs root and ``dockerd``. No containers' network is touched: see .ci/docker.
"""

import http.client
import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

START_S = 60.0


def _wait(until: Callable[[], bool]) -> None:
    """Look again and again: nothing tells when a socket is there, or another's child is gone."""
    end = time.monotonic() + START_S
    while not until():
        assert time.monotonic() < end, "the engine takes too long"
        time.sleep(0.02)


def _lives(number: int) -> bool:
    try:
        status = Path(f"/proc/{number}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


class _Local(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=START_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class PrivateEngine:
    """A ``dockerd`` with a socket, a store and containers of its own."""

    def __init__(self, folder: Path, data: Path) -> None:
        """``folder``: its path is short, as a unix socket's must be. ``data``: the store."""
        self._folder = folder
        self._data = data
        self.socket = folder / "docker.sock"
        self.url = f"unix://{self.socket}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Until it answers. Containers of a killed engine are ended by the next one."""
        command = ["dockerd", f"--data-root={self._data}", f"--exec-root={self._folder}/exec"]
        command += [f"--host={self.url}", f"--pidfile={self._folder}/pid"]
        command += ["--iptables=false", "--ip6tables=false"]  # never --bridge=none: .ci/docker
        self._folder.joinpath("pid").unlink(missing_ok=True)
        with self._folder.joinpath("log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        _wait(lambda: self.answers or self._ended)
        if self._ended:
            said = self._folder.joinpath("log").read_text("utf-8", "replace")
            raise RuntimeError(f"dockerd did not start: {said[-2000:]}")

    def kill(self) -> None:
        """As the kernel does it: no goodbye, and the containers are left to themselves."""
        assert self.process is not None
        helper = self._folder / "exec/containerd/containerd.pid"
        number = int(helper.read_text())
        self.process.kill()
        self.process.wait()
        _wait(lambda: not _lives(number))  # it dies with dockerd, which else takes it for alive
        helper.unlink()

    def stop(self) -> None:
        """No process and no mount of it is left."""
        assert self.process is not None
        try:
            if self._ended:
                self.start()  # only an engine ends what a killed one left behind
            elif self._hidden.exists():
                self.show_socket()
            for name in self.containers():
                self.call("DELETE", f"/containers/{name}?force=1&v=1")
            self.process.terminate()
            self.process.wait(START_S)
        finally:
            self.process.kill()
            self.process.wait()
            with suppress(subprocess.CalledProcessError):  # where it did so itself
                unmount = ["umount", "--lazy", str(self._data)]
                subprocess.run(unmount, check=True, capture_output=True)

    @property
    def _ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    @property
    def answers(self) -> bool:
        """Whether it can be asked for anything."""
        try:
            return self.call("GET", "/_ping")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def call(self, method: str, path: str) -> tuple[int, Any]:
        """Status and JSON of an answer."""
        connection = _Local(self.socket)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            body = response.read()
            return response.status, json.loads(body) if body[:1] in (b"[", b"{") else body
        finally:
            connection.close()

    def containers(self) -> list[str]:
        """Ids of all of them, in whatever state."""
        return [container["Id"] for container in self.call("GET", "/containers/json?all=1")[1]]

    def remove_images(self) -> None:
        """Behind the back of whoever wanted to use them."""
        for image in self.call("GET", "/images/json?all=1")[1]:
            status, said = self.call("DELETE", f"/images/{image['Id']}?force=1")
            assert status == 200, said

    def hide_socket(self) -> None:
        """It goes on, but nobody finds the way."""
        self.socket.rename(self._hidden)

    def show_socket(self) -> None:
        """Undo ``hide_socket``."""
        self._hidden.rename(self.socket)

    @property
    def _hidden(self) -> Path:
        return self._folder / "hidden.sock"


@contextmanager
def private_engine(data: Path | None = None) -> Iterator[PrivateEngine]:
    """One that answers. ``data``: where its store is, such as a small disk; null for anywhere."""
    folder = Path(tempfile.mkdtemp(prefix="qe.", dir="/tmp"))  # short, for the socket's path
    engine = PrivateEngine(folder, data or folder / "data")
    try:
        engine.start()
        yield engine
    finally:
        try:
            engine.stop()
        finally:
            shutil.rmtree(folder)
