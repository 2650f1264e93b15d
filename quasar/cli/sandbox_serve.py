"""``quasar sandbox serve``: upstream's code runner over HTTP, for this machine alone."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import anyio
from cyclopts import Parameter

from quasar.cli import logs
from quasar.cli.output import err, say_json
from quasar.cli.sandbox_flags import DEFAULT_WALLS, Walls
from quasar.errors import UsageError
from quasar.sandbox import SandboxConfig, open_sandbox
from quasar.sandbox.http_server import RUNNING, CodeServer
from quasar.sandbox.loopback import tcp_socket, unix_socket
from quasar.supervisor.restart import drain_on_signal

OWNER = "quasar sandbox serve"
GRACE_S = 10.0
"""How much longer than a call's own time the end waits for it."""


def serve(
    *,
    host: str | None = None,
    port: int | None = None,
    unix: Path | None = None,
    walls: Walls = DEFAULT_WALLS,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Serve the sandbox to scripts of this machine until told to stop (SIGTERM or Ctrl-C).

    GET /health gives {"status": "healthy", "version": "1.0"}; POST /execute takes {code,
    function_name, test_input} and gives {success, output, error, execution_time_ms}. test_input
    is a JSON text; a list holds the arguments. A failure of the sandbox is status 503, never
    "success": false.

    Parameters
    ----------
    host
        Address of this machine to listen on: 127.0.0.1 unless ::1 is named. Others are refused.
    port
        Port to listen on; 8765 unless named, 0 takes a free one.
    unix
        Path of a socket to listen on instead, which only this user may open.
    json
        Print where it listens as a JSON object.
    """
    if unix is not None and (host is not None or port is not None):
        raise UsageError("--unix listens at a path: leave out --host and --port")
    logs.set_up()
    config = walls.config(owner=OWNER, pool=RUNNING)
    host, port = "127.0.0.1" if host is None else host, 8765 if port is None else port
    with walls.explained():
        anyio.run(_serve, config, host, port, unix, json)
    return 0


async def _serve(
    config: SandboxConfig, host: str, port: int, unix: Path | None, json: bool
) -> None:
    with ExitStack() as stack:
        if unix is not None:
            listening = stack.enter_context(unix_socket(unix))
            url = f"unix://{unix}"
        else:
            listening = tcp_socket(host, port)
            stack.callback(listening.close)
            name, port = listening.getsockname()[:2]
            url = f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"
        async with open_sandbox(config) as sandbox:
            server = CodeServer(sandbox, drain_s=config.timeout_s + GRACE_S)
            async with server.listen(listening):
                await _until_told(url, sandbox.identity.driver, json)


async def _until_told(url: str, driver: str, json: bool) -> None:
    if json:
        say_json({"url": url, "driver": driver})
    else:
        err.print(f"the sandbox ({driver}) at {url}", markup=False)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(drain_on_signal, tasks.cancel_scope)
