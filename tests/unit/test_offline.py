"""``--offline``: chain and miners are called, and nobody else by any way."""

import subprocess
import sys

import pytest

from quasar.cli import app
from quasar.cli.run import run
from quasar.config import refuse_name
from quasar.errors import UsageError

GUARDED = """
import asyncio, http.client, os, socket, urllib.request
from quasar.config import go_offline
from quasar.errors import UsageError

go_offline(["chain.example"])
assert os.environ["HF_HUB_OFFLINE"] == "1"
server = socket.create_server(("127.0.0.1", 0))
socket.create_connection(server.getsockname()).close()
socket.getaddrinfo("localhost", 80)

async def by_loop():
    await asyncio.get_running_loop().getaddrinfo("hub.example", 443)

def by_request():
    urllib.request.urlopen("http://hub.example/model")

def by_connection():
    http.client.HTTPConnection("telemetry.example").connect()

def by_name():
    socket.gethostbyname("hub.example")

for call in (lambda: asyncio.run(by_loop()), by_request, by_connection, by_name):
    try:
        call()
    except UsageError as refused:
        assert "--offline allows calls to the chain and to miners only" in str(refused)
    else:
        raise SystemExit("a call went out")
"""


def test_nobody_else_is_called() -> None:
    """Whatever way a package takes to a server, it must resolve a name, and that is refused."""
    command = [sys.executable, "-c", GUARDED]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


KNOWN = ("chain.example", ".nodes.example", "localhost", "")


CALLED = ["chain.example", "Chain.Example", "a.nodes.example", "10.1.2.3", "::1", "fe80::1%eth0"]


@pytest.mark.parametrize("host", [*CALLED, b"localhost", None])
def test_who_may_be_called(host: object) -> None:
    """The chain by name, miners by address, and this machine."""
    refuse_name(host, KNOWN)


@pytest.mark.parametrize(
    "host", ["chain.example.org", "nodes.example", "evilnodes.example", b"hub.example", "10.1.2"]
)
def test_who_may_not(host: object) -> None:
    """A name that only looks like one of them is refused, in one line that says what to do."""
    with pytest.raises(UsageError, match="fetch what is needed beforehand"):
        refuse_name(host, KNOWN)


def test_a_log_server_elsewhere_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """--nats and --offline go together on one machine only: exit 2 before anything starts."""
    flags = ["--mock", "--offline", "--nats", "nats://log.example:4222"]
    assert run(app, ["validate", *flags]) == 2
    assert "leave --nats away" in capsys.readouterr().err
