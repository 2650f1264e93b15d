"""Servers that an operator runs: who connects to them, and whether they can keep a log."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from quasar.errors import LogError, UsageError
from quasar.log.access import ADMIN, USERS, inbox_of
from quasar.log.jetstream_api import ApiError, Login, Message, Unanswered
from quasar.log.jetstream_stream import check_version
from quasar.log.jetstream_wire import Wire

_PATIENCE_S = 10.0
"""How long a start waits for a server to answer."""
_SUFFIXES = (".creds", ".nk")
"""Of files with a token and its key, and of files with a key alone."""


class Proof(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How one user connects: by name and password, or by an nkey."""

    user: str = ""
    password: str = ""
    seed: str = ""
    """Private half of an nkey."""


@dataclass(frozen=True, kw_only=True)
class ExternalServer:
    """One server or a cluster, as ``LogServer``."""

    url: str
    """Addresses, with commas between them."""
    logins: Mapping[str, Login]
    """By user; without any, what the address says counts for all."""
    replicas: int = 1
    version: str = ""
    """Known after ``checked``."""

    def login(self, user: str) -> Login:
        """How a user connects."""
        return self.logins[user]

    async def checked(self) -> "ExternalServer":
        """Ask the server what can be asked before anything is stored.

        Raises LogError where it cannot be reached, is too old or has no JetStream.
        """
        async with Wire.open(self.url, self.login(ADMIN), _PATIENCE_S) as wire:
            check_version(wire.url, wire.server_version)
            try:
                await wire.exchange([Message("$JS.API.INFO", b"")])
            except (ApiError, Unanswered) as e:
                raise LogError(
                    f"{wire.url} has no JetStream for this user ({e}): turn it on there"
                ) from e
            return replace(self, version=wire.version)


def read_logins(path: Path | None, tls: ssl.SSLContext | None) -> dict[str, Login]:
    """The logins of all users: from one JSON file, or from a folder with a file for each.

    A folder holds ``scorer.creds`` or ``scorer.nk`` and so on. Without a path each user connects
    as the address says. Everything is read again at every connection.

    Raises UsageError where one is missing or cannot be used.
    """
    if path is None:
        return {user: Login(inbox=inbox_of(user), tls=tls) for user in USERS}
    if path.is_dir():
        return {user: _of_folder(path, user, tls) for user in USERS}
    missing = [user for user in USERS if user not in read_proofs(path)]
    if missing:
        raise UsageError(
            f"{path} has no {', '.join(missing)}: run quasar nats config on it once more, and give "
            "the server the new configuration"
        )
    return {user: _of_file(path, user, tls) for user in USERS}


def read_proofs(path: Path) -> dict[str, Proof]:
    """What a credentials file holds, by user. Raises UsageError where it cannot be used."""
    try:
        if path.stat().st_mode & 0o077:
            raise UsageError(f"{path} can be read by others: chmod 600 {path}")
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Proof])
    except (OSError, msgspec.MsgspecError) as e:
        reason = e.strerror if isinstance(e, OSError) else e
        raise UsageError(f"{path} holds no logins ({reason}): quasar nats config writes it") from e


def trust(ca: Path | None, cert: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """Whose certificates are good, and one's own; None where nothing is named.

    Raises UsageError where a file cannot be used.
    """
    if (cert is None) != (key is None):
        raise UsageError("a client's certificate needs its key: give both or neither")
    if ca is None and cert is None:
        return None
    try:
        context = ssl.create_default_context(cafile=ca)
        if cert is not None:
            context.load_cert_chain(cert, key)
    except OSError as e:  # an SSLError too
        named = ", ".join(str(p) for p in (ca, cert, key) if p)
        raise UsageError(f"cannot use {named}: {e.strerror or e}") from e
    return context


def _of_folder(folder: Path, user: str, tls: ssl.SSLContext | None) -> Login:
    for suffix in _SUFFIXES:
        if (file := folder / f"{user}{suffix}").exists():
            return Login(credentials=str(file), inbox=inbox_of(user), tls=tls)
    raise UsageError(f"{folder} has no {user}.creds: each of {', '.join(USERS)} needs its own")


def _of_file(path: Path, user: str, tls: ssl.SSLContext | None) -> Login:
    proof = read_proofs(path)[user]
    shared: dict[str, Any] = {"inbox": inbox_of(user), "tls": tls}
    if proof.seed:
        return Login(seed=partial(_read, path, user, "seed"), **shared)
    return Login(proof.user, partial(_read, path, user, "password"), **shared)


def _read(path: Path, user: str, part: str) -> str:
    return str(getattr(read_proofs(path).get(user, Proof()), part))
