"""How a connection of our own shows who it is: NATS's CONNECT, made from the server's INFO."""

import base64
import importlib
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult

import msgspec

from quasar.errors import LogError
from quasar.log.jetstream_api import Login

_OPTIONS = {
    "verbose": False,
    "pedantic": False,
    "headers": True,
    "no_responders": True,
    "lang": "python",
    "version": "1",
    "protocol": 1,
    "name": "quasar reader",
}


def connect_command(info: dict[str, Any], url: SplitResult, login: Login) -> bytes:
    """The line to send. What ``login`` leaves open comes from the address, as with nats-py.

    Raises LogError where the credentials file cannot be used.
    """
    return b"CONNECT " + msgspec.json.encode(_OPTIONS | _proof(info, url, login)) + b"\r\n"


def _proof(info: dict[str, Any], url: SplitResult, login: Login) -> dict[str, str]:
    if login.credentials is not None:
        return _signed(Path(login.credentials), info.get("nonce", ""))
    password = login.password() if callable(login.password) else login.password
    if login.user is not None and password is not None:
        return {"user": login.user, "pass": password}
    if url.username and url.password is not None:
        return {"user": url.username, "pass": url.password}
    return {"auth_token": url.username} if url.username else {}


def _signed(file: Path, nonce: str) -> dict[str, str]:
    """The file's token, and the server's nonce under the file's key."""
    try:
        nkeys = importlib.import_module("nkeys")  # nats-py asks for it too, when it reads the file
        token, seed = _blocks(file.read_text("ascii"))
        signature = nkeys.from_seed(bytearray(seed, "ascii")).sign(nonce.encode())
    except (OSError, ValueError, ImportError) as e:
        raise LogError(f"cannot use the credentials {file}: {e}") from e
    return {"jwt": token, "sig": base64.b64encode(signature).decode()}


def _blocks(text: str) -> tuple[str, str]:
    """The lines that follow the two headings of a ``.creds`` file."""
    lines = [line.strip() for line in text.splitlines()]
    found = [lines[i + 1] for i, line in enumerate(lines[:-1]) if "--BEGIN " in line]
    if len(found) != 2:
        raise ValueError("it holds no token with its key")
    return found[0], found[1]
