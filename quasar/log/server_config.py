"""The configuration of a nats-server that keeps logs, as text for an operator's own servers."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quasar.errors import UsageError
from quasar.log.access import USERS, configured_users
from quasar.log.external import Proof
from quasar.log.nkeys import Nkey

MAX_PAYLOAD = 2**20
_ROUTE = "route"
"""Under this name the servers of a cluster know each other."""


@dataclass(frozen=True, kw_only=True)
class Certificates:
    """Files as the server sees them. With ``ca`` clients need a certificate of it too."""

    cert: str
    key: str
    ca: str | None = None

    def block(self, *, verify: bool) -> dict[str, Any]:
        """The ``tls`` part of a configuration."""
        files = {"cert_file": self.cert, "key_file": self.key}
        return files | ({"ca_file": self.ca, "verify": verify} if self.ca else {})


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """The servers of a cluster, ``host:port`` each, and which of them this one is."""

    routes: tuple[str, ...]
    node: int
    """From 1."""
    password: str
    """By which a server shows the others that it belongs to them."""

    def block(self, tls: Certificates | None) -> dict[str, Any]:
        """The ``cluster`` part of a configuration."""
        own = self.routes[self.node - 1]
        to = [f"nats-route://{_ROUTE}:{self.password}@{route}" for route in self.routes]
        block: dict[str, Any] = {
            "name": "quasar",
            "listen": own,
            "authorization": {"user": _ROUTE, "password": self.password},
            "routes": [route for route in to if not route.endswith(f"@{own}")],
        }
        return block | ({"tls": tls.block(verify=True)} if tls else {})


def server_config(
    *,
    listen: str,
    store: Path,
    proofs: dict[str, Proof],
    tls: Certificates | None = None,
    cluster: Cluster | None = None,
) -> dict[str, Any]:
    """All that a server needs. What it acknowledges is on its disk, and no user has more rights
    than its actor. Without a ``Proof`` of a user nobody connects as that one."""
    config: dict[str, Any] = {
        "listen": listen,
        "max_payload": MAX_PAYLOAD,
        "jetstream": {"store_dir": str(store), "sync_interval": "always"},
        "authorization": {"users": configured_users({u: _shown(p) for u, p in proofs.items()})},
    }
    if tls:
        config["tls"] = tls.block(verify=True)
    if cluster:
        config["server_name"] = f"quasar-{cluster.node}"
        config["cluster"] = cluster.block(tls)
    return config


def as_text(config: dict[str, Any]) -> str:
    """The configuration as ``nats-server -c`` reads it."""
    return json.dumps(config, indent=2, ensure_ascii=False) + "\n"


def check_address(named: str) -> None:
    """Raises UsageError for what is no ``host:port``; port -1 lets the server take a free one."""
    host, _, port = named.rpartition(":")
    known = port == "-1" or (port.isascii() and port.isdecimal() and int(port) <= 65535)
    if not host or not known:
        raise UsageError(f"{named!r} is no address for a server: write host:port")


def cluster_of(routes: str, node: int, password: str) -> Cluster:
    """From ``host:port,host:port,...``. Raises UsageError where it cannot be a cluster."""
    named = tuple(route.strip() for route in routes.split(","))
    if len(set(named)) != len(named) or len(named) < 3:
        raise UsageError("--cluster needs three addresses or more, host:port, all different")
    for address in named:
        check_address(address)
    if not 1 <= node <= len(named):
        raise UsageError(f"--node is the place of this server in --cluster: 1 to {len(named)}")
    return Cluster(routes=named, node=node, password=password)


def _shown(proof: Proof) -> dict[str, str]:
    """What the server must know; of an nkey only the public half."""
    if proof.seed:
        return {"nkey": Nkey.parse(proof.seed).public}
    return {"user": proof.user, "password": proof.password}


def new_proofs(secret: Any, *, passwords: bool) -> dict[str, Proof]:
    """Logins of all users. ``secret``: gives that many random bytes."""
    if passwords:
        return {u: Proof(user=u, password=secret(32).hex()) for u in USERS}
    return {u: Proof(seed=Nkey(secret(32)).seed) for u in USERS}
