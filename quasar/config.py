"""Policies and other files that ship with the package, and the folders that we write."""

import hashlib
import ipaddress
import os
import platform
import sys
from collections.abc import Collection
from importlib import metadata, resources
from pathlib import Path

from quasar import __version__
from quasar.errors import UsageError


def policy_names() -> list[str]:
    """Policies that ship with the package."""
    folder = resources.files("quasar") / "policies"
    return sorted(
        f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")
    )


def load_policy(name: str) -> bytes:
    """A policy file: by the name of one that ships, or by path."""
    if name in policy_names():
        return (resources.files("quasar") / "policies" / f"{name}.toml").read_bytes()
    try:
        return Path(name).read_bytes()
    except OSError as problem:
        known = ", ".join(policy_names())
        raise UsageError(
            f"no policy {name!r}: name one of {known}, or a file ({problem.strerror})"
        ) from None


def sample_archive() -> Path:
    """The recorded log that ships with the package."""
    return Path(str(resources.files("quasar") / "sample"))


def state_folder() -> Path:
    """Where a validator or miner keeps its keys and stores, unless told otherwise."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "quasar"


_SILENT = {
    "QUASAR_OFFLINE": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "WANDB_MODE": "offline",
}
"""What packages that could call out read before they do; child processes inherit it."""


def go_offline(names: Collection[str]) -> None:
    """From now on this process resolves no host names but these, for as long as it lives.

    ``.example.org`` stands for all names that end so. Addresses stay open: miners are called by
    address. Whoever names another host gets UsageError.
    """
    os.environ.update(_SILENT)
    known = {name.lower() for name in names} | {"", "localhost"}

    def guard(event: str, arguments: tuple[object, ...]) -> None:
        if event in ("socket.getaddrinfo", "socket.gethostbyname"):
            refuse_name(arguments[0], known)

    sys.addaudithook(guard)


def refuse_name(host: object, known: Collection[str]) -> None:
    """Raises UsageError for a host that is neither an address nor one of the known names."""
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host or "")
    if name.lower() in known or _is_address(name):
        return
    if any(name.lower().endswith(suffix) for suffix in known if suffix.startswith(".")):
        return
    raise UsageError(
        f"--offline allows calls to the chain and to miners only, not to {name}: leave it away, or "
        "fetch what is needed beforehand"
    )


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True


def code_digest() -> str:
    """SHA-256 over every Python file and policy of the package, by relative path."""
    root = Path(str(resources.files("quasar")))
    total = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if path.suffix in {".py", ".toml"} and path.is_file():
            name = path.relative_to(root).as_posix()
            total.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


def lock_digest() -> str:
    """SHA-256 of the pinned versions of every dependency."""
    return hashlib.sha256((resources.files("quasar") / "constraints.txt").read_bytes()).hexdigest()


def versions() -> dict[str, str]:
    """The program, Python, and the packages that take part in a decision or a signature."""
    found = {"quasar-subnet": __version__, "python": platform.python_version()}
    for name in ("msgspec", "bittensor-core", "tiktoken", "regex", "nats-py"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
