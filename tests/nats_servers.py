"""nats-servers as an operator runs them: one, or three that know each other."""

import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from subprocess import DEVNULL
from typing import Any, BinaryIO, NamedTuple

import anyio
from anyio.abc import Process

from quasar.log.access import inbox_of
from quasar.log.external import Proof
from quasar.log.jetstream_api import Login
from quasar.log.server_config import Certificates, cluster_of, server_config
from quasar.log.server_program import find_server
from tests.ports import free_ports


@asynccontextmanager
async def serving(folder: Path, config: dict[str, Any]) -> AsyncIterator[tuple[str, Process]]:
    """A server with this configuration, and its address; killed at the end."""
    with _prepared(folder, config) as log:
        process = await anyio.open_process(
            [str(find_server()), "-c", str(folder / "conf")], stdin=DEVNULL, stdout=log, stderr=log
        )
    try:
        yield await address_of(folder, process), process
    finally:
        with anyio.CancelScope(shield=True):
            if process.returncode is None:
                process.kill()
            await process.wait()


def _prepared(folder: Path, config: dict[str, Any]) -> BinaryIO:
    folder.mkdir(exist_ok=True)
    (folder / "conf").write_text(json.dumps(config | {"ports_file_dir": str(folder)}))
    return (folder / "log").open("ab")


async def address_of(folder: Path, process: Process) -> str:
    """Where clients find a server, once it listens."""
    ports = folder / f"nats-server_{process.pid}.ports"
    while not (ports.exists() and ports.stat().st_size):
        assert process.returncode is None, (folder / "log").read_text()
        await anyio.sleep(0.01)
    return str(json.loads(ports.read_text())["nats"][0])


def logins_of(proofs: dict[str, Proof]) -> dict[str, Login]:
    return {
        user: Login(seed=partial(str, proof.seed), inbox=inbox_of(user))
        for user, proof in proofs.items()
    }


class Node:
    """One server of a cluster, which can be killed and started again on its store."""

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        self._folder = folder
        self._config = config
        self._process: Process | None = None
        self.url = f"nats://{config['listen']}"
        self.name = str(config["server_name"])

    @property
    def process(self) -> Process:
        """The running one."""
        assert self._process is not None
        return self._process

    async def start(self) -> None:
        """Wait until it listens; the others may not be there yet."""
        with _prepared(self._folder, self._config) as log:
            self._process = await anyio.open_process(
                [str(find_server()), "-c", str(self._folder / "conf")],
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
            )
        await address_of(self._folder, self._process)

    async def kill(self) -> None:
        """As a power cut would end it, but for what the kernel still holds."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def cluster(
    folder: Path, proofs: dict[str, Proof], tls: Certificates | None = None
) -> AsyncIterator[list[Node]]:
    """Three servers on this machine, as ``quasar nats config --cluster`` configures them."""
    ports = free_ports(6)
    routes = ",".join(f"127.0.0.1:{port}" for port in ports[3:])
    nodes = []
    for number in (1, 2, 3):
        config = server_config(
            listen=f"127.0.0.1:{ports[number - 1]}",
            store=folder / str(number) / "js",
            proofs=proofs,
            tls=tls,
            cluster=cluster_of(routes, number, "among-ourselves"),
        )
        nodes.append(Node(folder / str(number), config))
    try:
        async with anyio.create_task_group() as tasks:
            for node in nodes:
                tasks.start_soon(node.start)
        yield nodes
    finally:
        with anyio.CancelScope(shield=True):
            for node in nodes:
                await node.kill()


class Files(NamedTuple):
    """Of an authority, and of what it signed."""

    ca: Path
    cert: Path
    key: Path


def openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def certificates(folder: Path, names: str = "DNS:localhost,IP:127.0.0.1") -> Files:
    """An authority of its own, and a certificate for a server or a client on this machine."""
    folder.mkdir()
    ca, ca_key, key = folder / "ca.pem", folder / "ca.key", folder / "key.pem"
    request, cert, extensions = folder / "request", folder / "cert.pem", folder / "extensions"
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *curve, "-keyout", ca_key, "-out", ca, "-subj", "/CN=authority")
    openssl("req", *curve, "-keyout", key, "-out", request, "-subj", "/CN=server")
    extensions.write_text(f"subjectAltName={names}\nextendedKeyUsage=serverAuth,clientAuth\n")
    signed = ("-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-extfile", extensions)
    openssl("x509", "-req", "-in", request, *signed, "-out", cert, "-days", 2)
    return Files(ca, cert, key)
