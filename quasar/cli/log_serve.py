"""``quasar log serve``: an archive for others to fetch and check."""

from pathlib import Path
from typing import Annotated

import anyio
from cyclopts import Parameter

from quasar.cli import logs
from quasar.cli.bounds import Port
from quasar.cli.output import err, say_json
from quasar.door.static import StaticServer
from quasar.log.published_folder import PublishedFolder
from quasar.supervisor.restart import drain_on_signal

LOOPBACK = "127.0.0.1"


def serve(
    folder: Path,
    /,
    *,
    port: Port = 8092,
    host: str = LOOPBACK,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Serve an archive over HTTP until told to stop; also while its validator writes it.

    Sealed volumes are served whole. Of an open one, only the events before the first task of a
    round that is not revealed yet, up to a checkpoint. A new look is taken every 30 seconds.

    Parameters
    ----------
    folder
        An archive, or the folder of a log's volumes.
    port
        Port to listen on; 0 takes a free one.
    host
        Address to listen on: this machine alone, unless another is named. Plain HTTP: what is
        fetched proves itself by hashes and signatures.
    json
        Print the URL as a JSON object once it listens.
    """
    logs.set_up()
    anyio.run(_serve, folder, host, port, json)
    return 0


async def _serve(folder: Path, host: str, port: int, json: bool) -> None:
    source = await anyio.to_thread.run_sync(PublishedFolder, folder)
    async with StaticServer(source).listen(host, port) as taken:
        url = f"http://[{host}]:{taken}" if ":" in host else f"http://{host}:{taken}"
        if json:
            say_json({"url": url, "folder": str(folder)})
        else:
            err.print(f"{folder} at {url}/", markup=False)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(drain_on_signal, tasks.cancel_scope)
