"""How a connection shows who it is: NATS's CONNECT, made from the server's INFO."""

from pathlib import Path
from typing import Any
from urllib.parse import ParseResult, SplitResult

import msgspec

from quasar.errors import LogError
from quasar.log.jetstream_api import Login
from quasar.log.nkeys import Nkey

_OPTIONS = {
    "verbose": False,
    "pedantic": False,
    "headers": True,
    "no_responders": True,
    "lang": "python",
    "version": "1",
    "protocol": 1,
    "name": "quasar",
}


def connect_command(info: dict[str, Any], url: SplitResult | ParseResult, login: Login) -> bytes:
    """The line to send. What ``login`` leaves open comes from the address.

    Raises LogError where a credentials file cannot be used, or where the server does not encrypt
    although it should: then nothing must be said to it.
    """
    if (login.tls or url.scheme == "tls") and not info.get("tls_required"):
        raise LogError(f"{url.hostname} does not encrypt: turn TLS on there, or leave it away here")
    return b"CONNECT " + msgspec.json.encode(_OPTIONS | _proof(info, url, login)) + b"\r\n"


def _proof(info: dict[str, Any], url: SplitResult | ParseResult, login: Login) -> dict[str, str]:
    nonce = info.get("nonce", "")
    if login.credentials is not None:
        return _signed(Path(login.credentials), nonce)
    if login.seed is not None:
        try:
            return _by_key(login.seed(), nonce)
        except ValueError as e:
            raise LogError(f"cannot use this nkey: {e}") from e
    password = login.password() if callable(login.password) else login.password
    if login.user is not None and password is not None:
        return {"user": login.user, "pass": password}
    if url.username and url.password is not None:
        return {"user": url.username, "pass": url.password}
    return {"auth_token": url.username} if url.username else {}


def _signed(file: Path, nonce: str) -> dict[str, str]:
    """The file's token if it has one, and the server's nonce under the file's key."""
    try:
        text = file.read_text("ascii")
        if "--BEGIN " not in text:
            return _by_key(text, nonce)
        token, seed = _blocks(text)
        return {"jwt": token, "sig": Nkey.parse(seed).sign(nonce)}
    except (OSError, ValueError) as e:
        raise LogError(f"cannot use the credentials {file}: {e}") from e


def _by_key(seed: str, nonce: str) -> dict[str, str]:
    key = Nkey.parse(seed)
    return {"nkey": key.public, "sig": key.sign(nonce)}


def _blocks(text: str) -> tuple[str, str]:
    """The lines that follow the two headings of a ``.creds`` file."""
    lines = [line.strip() for line in text.splitlines()]
    found = [lines[i + 1] for i, line in enumerate(lines[:-1]) if "--BEGIN " in line]
    if len(found) != 2:
        raise ValueError("it holds no token with its key")
    return found[0], found[1]
