"""The container engine: found, connected to, and its failures told apart from the code's."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio

from quasar.errors import MissingExtra
from quasar.sandbox.errors import SandboxError

if TYPE_CHECKING:
    from aiodocker import Docker

ANSWER_S = 5.0
"""An engine that does not say its version within this time does not answer."""
CALL_S = 60.0
"""For every other call."""


class Probe(NamedTuple):
    """Whether an engine answers."""

    url: str | None
    """Its address, or null."""
    reason: str
    """One line for people: its name and version, or why there is none and what to do."""


async def find_engine() -> str | None:
    """Address of a container engine that answers, or None; ``probe_engine`` says why."""
    return (await probe_engine()).url


async def probe_engine(url: str | None = None) -> Probe:
    """Ask the engine at ``url``, else at DOCKER_HOST, else at the usual sockets. Never raises."""
    candidates = [url] if url else _candidates()
    reason = "no engine: no DOCKER_HOST and no socket of one; start Docker, or set DOCKER_HOST"
    for candidate in candidates:
        try:
            async with connect(candidate) as docker:
                with call(f"answer at {candidate}", ANSWER_S):
                    return Probe(candidate, engine_name(await docker.version()))
        except MissingExtra as error:
            reason = f"no engine: {error}"
        except SandboxError as error:
            reason = f"no engine: {error}; start it, or set DOCKER_HOST to one that answers"
    return Probe(None, reason)


def _candidates() -> list[str]:
    if host := os.environ.get("DOCKER_HOST"):
        return [host]
    sockets = [Path("/run/docker.sock"), Path("/var/run/docker.sock")]
    with suppress(RuntimeError):  # a user that the system knows no home of
        home = Path.home() / ".docker"
        sockets += [home / "run/docker.sock", home / "desktop/docker.sock"]
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        sockets.append(Path(runtime) / "docker.sock")
    return [f"unix://{socket}" for socket in sockets if _is_socket(socket)]


def _is_socket(path: Path) -> bool:
    try:
        return path.is_socket()
    except OSError:
        return False


@asynccontextmanager
async def connect(url: str) -> AsyncIterator["Docker"]:
    """A client, closed at the end. Raises MissingExtra, and SandboxError for a bad address."""
    try:
        from aiodocker import Docker
    except ImportError:
        raise MissingExtra("validator", "aiodocker") from None
    try:
        docker = Docker(url)
    except Exception as error:  # no scheme, no certificate, no package for ssh: by the address
        raise SandboxError(f"the engine's address {url} cannot be used: {error}") from error
    try:
        yield docker
    finally:
        await docker.close()


@contextmanager
def call(what: str, seconds: float = CALL_S) -> Iterator[None]:
    """Around one call to the engine: any failure and any delay is a SandboxError."""
    try:
        with anyio.fail_after(seconds):
            yield
    except SandboxError:
        raise
    except TimeoutError as error:
        raise SandboxError(
            f"the engine did not {what} within {seconds:g} s; see its log"
        ) from error
    except Exception as error:  # whatever the client library raises: no code of a miner ran here
        said = " ".join(str(error).split())[:300]
        raise SandboxError(f"the engine could not {what}: {said}") from error


def status_of(error: BaseException | None) -> int | None:
    """The HTTP status behind a SandboxError, where the engine gave one."""
    status = getattr(error.__cause__, "status", None) if error else None
    return status if isinstance(status, int) else None


def engine_name(version: dict[str, Any]) -> str:
    """Such as ``docker 20.10.24``."""
    named = {str(part.get("Name")): part for part in version.get("Components") or []}
    kind = "podman" if any("podman" in name.lower() for name in named) else "docker"
    return f"{kind} {version.get('Version', 'unknown')}"


def runtime_name(version: dict[str, Any], configured: str | None) -> str:
    """Such as ``runc 1.1.5``."""
    name = configured or "runc"
    for part in version.get("Components") or []:
        if part.get("Name") == name:
            return f"{name} {part.get('Version')}"
    return name
