"""``quasar nats``: log servers that an operator runs; and the flags that name them."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from quasar.cli.output import err, say_json
from quasar.cli.output import out as stdout
from quasar.errors import UsageError
from quasar.log.external import ExternalServer, Proof, read_logins, read_proofs, trust
from quasar.log.server_config import (
    Certificates,
    as_text,
    check_address,
    cluster_of,
    new_proofs,
    server_config,
)

ROUTE = "route"
"""Not a user: the servers of a cluster know each other by this password."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Nats:
    """Log servers of one's own, in place of the one that a validator starts."""

    urls: Annotated[str | None, Parameter(name="--nats", env_var="QUASAR_NATS")] = None
    """Address of a log server, nats:// or tls://, or several with commas between them."""
    credentials: Annotated[Path | None, Parameter(name="--nats-credentials")] = None
    """What `quasar nats config` wrote, or a folder with scorer.creds and so on."""
    ca: Annotated[Path | None, Parameter(name="--nats-ca")] = None
    """Certificate of the authority that signed the servers' certificates."""
    cert: Annotated[Path | None, Parameter(name="--nats-cert")] = None
    """Certificate of this client, where the servers ask for one."""
    key: Annotated[Path | None, Parameter(name="--nats-key")] = None
    """Its private key."""
    replicas: Annotated[int, Parameter(name="--nats-replicas")] = 1
    """Servers that keep a copy of the log: 3 in a cluster of three."""

    def server(self) -> ExternalServer | None:
        """What the flags name; None where a validator starts its own server.

        Raises UsageError where they cannot be used.
        """
        if self.urls is None:
            if self != Nats():
                raise UsageError("--nats-* flags need --nats, the address of the server")
            return None
        if self.replicas not in (1, 3, 5):
            raise UsageError("--nats-replicas must be 1, 3 or 5")
        urls = [_address(url) for url in self.urls.split(",")]
        tls = trust(self.ca, self.cert, self.key)
        logins = read_logins(self.credentials, tls)
        return ExternalServer(url=",".join(urls), logins=logins, replicas=self.replicas)


OWN_SERVER = Nats()
"""What holds where no flag names a server."""


def config(
    *,
    credentials: Path = Path("quasar-nats.json"),
    listen: str = "127.0.0.1:4222",
    store: Path = Path("jetstream"),
    tls_cert: str | None = None,
    tls_key: str | None = None,
    tls_ca: str | None = None,
    cluster: str | None = None,
    node: int = 1,
    passwords: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Print the configuration of a nats-server that keeps logs: one user an actor.

    The private halves of the logins go to a file that `quasar validate --nats-credentials` reads.
    Run again with the same file it keeps them, so that all servers of a cluster know one set.

    Parameters
    ----------
    credentials
        File of the logins, made at the first use; nobody else may read it.
    listen
        Address for clients, host:port.
    store
        Folder of the streams, on the server.
    tls_cert
        Certificate of the server, as the server sees it.
    tls_key
        Its private key.
    tls_ca
        Certificate of an authority: clients must then show a certificate that it signed.
    cluster
        Addresses of all servers of a cluster for one another: host:port,host:port,host:port.
    node
        Which of them this server is, from 1.
    passwords
        Make passwords in place of nkeys; they stand in the printed configuration too.
    json
        Print one JSON object: the configuration alone.
    """
    check_address(listen)
    if node != 1 and not cluster:
        raise UsageError("--node is the place of this server in --cluster: name that too")
    proofs = _kept_proofs(credentials, passwords=passwords)
    if (tls_cert is None) != (tls_key is None) or (tls_ca and not tls_cert):
        raise UsageError("--tls-cert needs --tls-key, and --tls-ca needs both")
    if cluster and tls_cert and not tls_ca:
        raise UsageError("the servers of a cluster check each other's certificates: give --tls-ca")
    tls = Certificates(cert=tls_cert, key=tls_key, ca=tls_ca) if tls_cert and tls_key else None
    route = proofs.pop(ROUTE)
    made = server_config(
        listen=listen,
        store=store,
        proofs=proofs,
        tls=tls,
        cluster=cluster_of(cluster, node, route.password) if cluster else None,
    )
    if json:
        say_json(made)
        return 0
    stdout.print("# nats-server 2.12 or later: nats-server -c FILE. Keep this file private.")
    stdout.print(as_text(made), end="", markup=False)
    err.print(f"logins: {credentials}; quasar validate --nats-credentials {credentials}")
    return 0


def _kept_proofs(path: Path, *, passwords: bool) -> dict[str, Proof]:
    """The logins of the file, completed with whoever is new since it was written."""
    kept = read_proofs(path) if path.exists() else {}
    made = new_proofs(secrets.token_bytes, passwords=passwords)
    made[ROUTE] = Proof(user=ROUTE, password=secrets.token_hex(32))
    proofs = {user: kept.get(user, proof) for user, proof in made.items()}
    if proofs != kept:
        _write_private(path, msgspec.json.format(msgspec.json.encode(proofs), indent=2))
    return proofs


def _write_private(path: Path, data: bytes) -> None:
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data + b"\n")
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as e:
        part.unlink(missing_ok=True)
        raise UsageError(f"cannot write {path}: {e.strerror}") from e


def _address(url: str) -> str:
    url = url.strip()
    if not url.startswith(("nats://", "tls://")):
        raise UsageError(f"--nats {url}: give nats://HOST:PORT or tls://HOST:PORT")
    return url
