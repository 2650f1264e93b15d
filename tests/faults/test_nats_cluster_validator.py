"""A real validator on a cluster of three log servers, of which one dies."""

import json
import secrets
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from quasar.cli.identity import demo_validator
from quasar.log.access import ADMIN
from quasar.log.external import ExternalServer, trust
from quasar.log.jetstream_api import ApiError
from quasar.log.jetstream_wire import Wire
from quasar.log.server_config import Certificates, new_proofs
from tests.e2e import programs
from tests.nats_servers import Files, Node, certificates, cluster, logins_of

pytestmark = [pytest.mark.anyio, pytest.mark.nats]

SEED = 7


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return certificates(tmp_path / "certificates")


@pytest.fixture
async def three(
    tmp_path: Path, anyio_backend: str, files: Files
) -> AsyncIterator[tuple[list[Node], ExternalServer]]:
    """A cluster without a stream, all its connections encrypted."""
    proofs = new_proofs(secrets.token_bytes, passwords=False)
    tls = Certificates(cert=str(files.cert), key=str(files.key), ca=str(files.ca))
    trusted = trust(files.ca, files.cert, files.key)
    logins = {u: login._replace(tls=trusted) for u, login in logins_of(proofs).items()}
    async with cluster(tmp_path, proofs, tls) as nodes:
        url = ",".join(node.url for node in nodes)
        yield nodes, ExternalServer(url=url, logins=logins, replicas=3)


async def test_a_validator_outlives_its_log_server(
    three: tuple[list[Node], ExternalServer], files: Files, tmp_path: Path
) -> None:
    """The stream's leader dies under a real round: the round goes on, and the audit is clean."""
    nodes, server = three
    logins, archive = tmp_path / "logins.json", tmp_path / "archive"
    _write_logins(logins, server)
    with programs.subnet(tmp_path, SEED, miners=2) as url:
        arguments = ["validate", "--chain", url, "--seed", str(SEED), "--once", "1"]
        arguments += ["--nats", server.url, "--nats-replicas", "3", "--out", str(archive)]
        arguments += ["--nats-credentials", str(logins), "--state", str(tmp_path / "state")]
        arguments += ["--nats-ca", str(files.ca), "--nats-cert", str(files.cert)]
        arguments += ["--nats-key", str(files.key)]
        with programs.running("quasar", arguments, tmp_path / "errors") as validator:
            info: dict[str, Any] = {}
            while info.get("state", {}).get("last_seq", 0) < 20:
                assert validator.poll() is None, (tmp_path / "errors").read_text()
                info = await newest_stream(server)
            [victim] = [node for node in nodes if node.name == info["cluster"]["leader"]]
            await victim.kill()
            code = await anyio.to_thread.run_sync(validator.wait)
        assert code == 0, (tmp_path / "errors").read_text()
        hotkey = demo_validator(SEED).hotkey.ss58_address
        audited = programs.run("audit", str(archive), "--chain", url, "--hotkey", hotkey, "--json")
    assert json.loads(audited.out)["result"] == "clean", audited


def _write_logins(file: Path, server: ExternalServer) -> None:
    seeds = {user: {"seed": login.seed()} for user, login in server.logins.items() if login.seed}
    file.write_text(json.dumps(seeds))
    file.chmod(0o600)


async def newest_stream(server: ExternalServer) -> dict[str, Any]:
    """What the cluster says of the stream that the validator made, if it did."""
    async with Wire.open(server.url, server.login(ADMIN), 60) as wire:
        names = (await wire.api("STREAM.NAMES", None))["streams"] or []
        with suppress(ApiError):  # named, and not yet made
            return await wire.api(f"STREAM.INFO.{names[0]}", None) if names else {}
    return {}
