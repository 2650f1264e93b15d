"""Policies and other files that ship with the package, and the folders that we write."""

import hashlib
import os
import platform
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
