"""Logins in files: nkeys, and tokens under an operator's and an account's key; also renewed."""

import base64
import binascii
import json
import secrets
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from bittensor_core import CRYPTO_ED25519, Keypair

from quasar.errors import LogError, UsageError
from quasar.events import Draft, RunEnded
from quasar.log.access import ADMIN, USERS, permissions_of
from quasar.log.blobs import MemoryBlobs
from quasar.log.external import ExternalServer, read_logins
from quasar.log.jetstream import JetStreamLog
from quasar.log.jetstream_wire import Wire
from quasar.log.nkeys import Nkey
from quasar.log.server_config import new_proofs, server_config
from tests.nats_servers import serving

pytestmark = [pytest.mark.anyio, pytest.mark.nats]

CREDENTIALS = """-----BEGIN NATS USER JWT-----
{token}
------END NATS USER JWT------

-----BEGIN USER NKEY SEED-----
{seed}
------END USER NKEY SEED------
"""


class Signer:
    """An operator's or an account's key, which vouches for those below it."""

    def __init__(self, prefix: int) -> None:
        self._key = Keypair.create_from_seed(secrets.token_bytes(32), CRYPTO_ED25519)
        data = bytes([prefix]) + bytes(self._key.public_key)
        data += binascii.crc_hqx(data, 0).to_bytes(2, "little")
        self.public = base64.b32encode(data).decode().rstrip("=")

    def token(self, subject: str, claims: dict[str, Any]) -> str:
        """A NATS JWT."""
        body = {"jti": secrets.token_hex(8), "iat": 1_700_000_000, "name": subject[:6]}
        body |= {"iss": self.public, "sub": subject, "nats": {"version": 2, **claims}}
        parts = [
            url64(json.dumps(p).encode()) for p in ({"typ": "JWT", "alg": "ed25519-nkey"}, body)
        ]
        text = ".".join(parts)
        return f"{text}.{url64(bytes(self._key.sign(text.encode())))}"


def url64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def token_of(account: Signer, user: str, key: Nkey) -> str:
    """With the very rights that a configuration file would give."""
    rights = permissions_of(user) or {}
    claims = {"type": "user", "subs": -1, "data": -1, "payload": -1}
    claims |= {"pub": rights.get("publish", {}), "sub": rights.get("subscribe", {})}
    return account.token(key.public, claims)


@asynccontextmanager
async def opened(server: ExternalServer, user: str) -> AsyncIterator[JetStreamLog]:
    async with JetStreamLog.open(
        server.url, "0000abcd", 1, MemoryBlobs(), login=server.login(user), patience=60
    ) as log:
        yield log


def fact(run: int) -> Draft:
    return Draft(actor="supervisor", cause=0, event=RunEnded(run=run, reason="done"))


async def works(server: ExternalServer) -> None:
    """The stream is made, its owner writes, another reads, and does not write."""
    await server.checked()
    async with opened(server, ADMIN), opened(server, "supervisor") as log:
        await log.append([fact(n) for n in range(9)])
        async with opened(server, "scorer") as other, aclosing(other.read()) as reader:
            assert [(await anext(reader))[0] for _ in range(9)] == list(range(1, 10))
            with pytest.raises(LogError, match="permissions violation"):
                await other.append([fact(9)])


async def test_a_folder_with_tokens(tmp_path: Path) -> None:
    """One ``.creds`` file a user, as operators of large installations hand them out."""
    operator, account, system = Signer(14 << 3), Signer(0), Signer(0)
    no_limit = ("subs", "data", "payload", "imports", "exports", "conn", "leaf")
    limits = dict.fromkeys([*no_limit, "mem_storage", "disk_storage", "streams", "consumer"], -1)
    claims = {"type": "account", "limits": limits | {"wildcards": True}}
    plain = {"type": "account", "limits": dict.fromkeys(no_limit, -1)}
    config = {
        "listen": "127.0.0.1:-1",
        "jetstream": {"store_dir": str(tmp_path / "js")},
        "operator": operator.token(operator.public, {"type": "operator"}),
        "system_account": system.public,
        "resolver": "MEMORY",
        "resolver_preload": {
            account.public: operator.token(account.public, claims),
            system.public: operator.token(system.public, plain),
        },
    }
    folder = tmp_path / "creds"
    folder.mkdir()
    for user in USERS:
        key = Nkey(secrets.token_bytes(32))
        text = CREDENTIALS.format(token=token_of(account, user, key), seed=key.seed)
        (folder / f"{user}.creds").write_text(text)
    async with serving(tmp_path / "server", config) as (url, _):
        await works(ExternalServer(url=url, logins=read_logins(folder, None)))


async def test_a_folder_with_keys(tmp_path: Path) -> None:
    """One ``.nk`` file a user, with the seed alone."""
    proofs = new_proofs(secrets.token_bytes, passwords=False)
    config = server_config(listen="127.0.0.1:-1", store=tmp_path / "js", proofs=proofs)
    assert not any(proof.seed in json.dumps(config) for proof in proofs.values())
    folder = tmp_path / "keys"
    folder.mkdir()
    for user, proof in proofs.items():
        (folder / f"{user}.nk").write_text(proof.seed + "\n")
    async with serving(tmp_path / "server", config) as (url, _):
        await works(ExternalServer(url=url, logins=read_logins(folder, None)))


async def test_a_login_in_the_address(tmp_path: Path) -> None:
    """A server with a single user works too; then nothing but the audit tells actors apart."""
    users = [{"user": "all", "password": "of-them"}]
    config = {
        "listen": "127.0.0.1:-1",
        "jetstream": {"store_dir": str(tmp_path / "js")},
        "authorization": {"users": users},
    }
    async with serving(tmp_path / "server", config) as (url, _):
        url = url.replace("nats://", "nats://all:of-them@")
        server = ExternalServer(url=url, logins=read_logins(None, None))
        await server.checked()
        async with opened(server, "scorer") as log:
            assert (await log.append([fact(1)]))[0].seq == 1


async def test_new_logins_are_read_when_a_connection_is_made_again(tmp_path: Path) -> None:
    """An operator changes keys on a running server: the log goes on without a restart."""
    file, store = tmp_path / "logins.json", tmp_path / "js"

    def renewed() -> dict[str, Any]:
        proofs = new_proofs(secrets.token_bytes, passwords=False)
        file.write_bytes(msgspec.json.encode(proofs))
        file.chmod(0o600)
        return server_config(listen="127.0.0.1:-1", store=store, proofs=proofs)

    async with serving(tmp_path / "server", config := renewed()) as (url, process):
        config |= {"listen": url.removeprefix("nats://")}
        async with Wire.open(url, read_logins(file, None)[ADMIN], 20) as wire:
            await wire.api("INFO", None)
            config |= {"authorization": renewed()["authorization"]}
            (tmp_path / "server" / "conf").write_text(json.dumps(config))
            process.send_signal(signal.SIGHUP)
            with anyio.fail_after(30):
                while wire._client.stats["reconnects"] == 0:
                    await wire.api("INFO", None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no logins"),
        ("[]", "holds no logins"),
        ('{"admin": {"seeds": "SU"}}', "seeds"),
        ('{"admin": {"seed": "SU"}}', "has no supervisor"),
    ],
)
def test_a_file_that_holds_no_logins(tmp_path: Path, text: str, words: str) -> None:
    """What is wrong with it is said before anything is connected to."""
    file = tmp_path / "logins.json"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(UsageError, match=words):
        read_logins(file, None)


@pytest.mark.parametrize(
    "change",
    [lambda s: s[:-1], lambda s: s[:9] + ("A" if s[9] != "A" else "B") + s[10:], str.lower],
)
def test_seeds_that_are_none(change: Any) -> None:
    """Cut off, mistyped, or not base32."""
    seed = Nkey(bytes(32)).seed
    assert Nkey.parse(seed).public == Nkey(bytes(32)).public
    with pytest.raises(ValueError, match=r"seed of a NATS user key|base32|padding|digit"):
        Nkey.parse(change(seed))
