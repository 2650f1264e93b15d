"""``quasar sandbox serve`` as a program of its own, with a real engine behind it."""

import http.client
import json
import signal
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.programs import PATIENCE_S, QUASAR, first_line, interrupt, run, running

pytestmark = pytest.mark.docker

GOLDEN = {"code": "def add(a, b): return a + b", "function_name": "add", "test_input": "[1, 2]"}
SLOW = {"code": "import time\ndef f(s):\n time.sleep(s)\n return s", "test_input": "1.0"}


class AtPath(http.client.HTTPConnection):
    """HTTP on a unix socket, as a script without packages would do it."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=PATIENCE_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


def connection(url: str) -> http.client.HTTPConnection:
    """``url``: as the server says it."""
    scheme, _, place = url.partition("://")
    if scheme == "unix":
        return AtPath(place)
    return http.client.HTTPConnection(place, timeout=PATIENCE_S)


def ask(url: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
    """Status and JSON of the answer."""
    with closing(connection(url)) as calling:
        return told(begun(calling, path, body))


def begun(
    calling: http.client.HTTPConnection, path: str, body: object
) -> http.client.HTTPConnection:
    """The request is on its way."""
    if body is None:
        calling.request("GET", path)
    else:
        calling.request("POST", path, json.dumps(body))
    return calling


def told(calling: http.client.HTTPConnection) -> tuple[int, dict[str, Any]]:
    """Status and JSON of the answer to what was begun."""
    answer = calling.getresponse()
    return answer.status, json.loads(answer.read())


def execute(url: str, **body: object) -> dict[str, Any]:
    status, said = ask(url, "/execute", body)
    assert status == 200, said
    assert said.keys() == {"success", "output", "error", "execution_time_ms"}
    return said


def test_scripts_are_answered_as_upstream_does(tmp_path: Path) -> None:
    """Health, the golden case, code that fails, is refused or never ends, and bad requests."""
    arguments = ["sandbox", "serve", "--port", "0", "--timeout", "0.5", "--json"]
    with running(QUASAR, arguments, tmp_path / "errors") as server:
        url = first_line(server)["url"]
        assert ask(url, "/health") == (200, {"status": "healthy", "version": "1.0"})
        said = execute(url, **GOLDEN)
        assert (said["success"], said["output"], said["error"]) == (True, 3, None)
        assert execute(url, code="def f(): return 1 // 0")["error"].startswith("ZeroDivision")
        assert execute(url, code="def f(text): return text", test_input="hi")["output"] == "hi"
        assert execute(url, code="def f(:")["error"].startswith("SyntaxError")
        endless = execute(url, code="def f():\n while True: pass")
        assert endless["error"].startswith("timeout: ")
        refused = execute(url, code="import socket\ndef f(): return 1")
        assert refused["error"].startswith("forbidden: ")
        assert ask(url, "/execute", {"code": 5})[0] == 400
        interrupt(server, signal.SIGINT)
        assert server.wait(PATIENCE_S) == 0


def test_the_end_answers_who_is_being_served(tmp_path: Path) -> None:
    """SIGTERM: the call that runs is answered, the socket's file is removed, exit code 0."""
    path = tmp_path / "socket"
    arguments = ["sandbox", "serve", "--unix", str(path), "--json"]
    with running(QUASAR, arguments, tmp_path / "errors") as server:
        url = first_line(server)["url"]
        assert url == f"unix://{path}"
        again = run(*arguments)
        assert (again.code, again.out, again.err.count("\n")) == (75, "", 1)
        with closing(begun(connection(url), "/execute", SLOW)) as slow:
            assert execute(url, **GOLDEN)["output"] == 3  # it came later: the other one runs
            interrupt(server, signal.SIGTERM)
            assert told(slow)[1]["output"] == 1.0
        assert server.wait(PATIENCE_S) == 0
    assert not path.exists()


def test_no_port_that_others_reach() -> None:
    """Refused before anything is started."""
    ran = run("sandbox", "serve", "--host", "0.0.0.0")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "tunnel" in ran.err
    assert run("sandbox", "serve", "--unix", "x", "--port", "1").code == 2
