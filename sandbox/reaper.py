"""Removes the containers that a killed process left behind, and nobody else's.

A killed process closes the stdin of its runners, which leave by themselves; what stays in the
engine is the record of a container that ended, or one whose last case still runs.
"""

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from quasar.sandbox.engine import call
from quasar.sandbox.errors import SandboxError

if TYPE_CHECKING:
    from aiodocker import Docker

OWNER, PROCESS = "quasar.owner", "quasar.process"
"""Labels: the log that is served, and the process that started the container."""
FORGOTTEN_S = 3600
"""Nobody asks any more how a container ended that has been over for so long."""
BOOT = Path("/proc/sys/kernel/random/boot_id")

logger = structlog.get_logger()


async def reap(docker: "Docker", owner: str) -> None:
    """Remove what dead processes of this owner left in the engine. Never raises.

    Dead is a process of this boot of this machine and of this pid namespace that is no more. Of
    any other nobody can know here; under the id of a log, what ended long ago goes all the same.
    """
    with suppress(SandboxError), call("remove the containers that were left behind"):
        wanted = json.dumps({"label": [f"{OWNER}={owner}"]})
        found = await docker.containers.list(all="true", filters=wanted)
        left = [each for each in found if await _is_left(docker, each, owner)]
        await remove_each(left)
        if left:
            logger.info("sandbox.removed-leftovers", containers=len(left), owner=owner)


async def remove_each(containers: Iterable[Any]) -> None:
    """One that cannot be removed, or is already, keeps nobody from removing the others."""
    for container in containers:
        with suppress(SandboxError), call("remove a container"):
            await container.delete(force=True, v=True)


async def _is_left(docker: "Docker", container: Any, owner: str) -> bool:
    labels = container["Labels"] or {}
    if labels.get(OWNER) != owner:  # an engine may take an empty value for any
        return False
    return is_dead(labels.get(PROCESS, "")) or (owner != "" and await _forgotten(docker, container))


def this_process() -> str:
    """For the label: boot, pid namespace, pid and start time; empty where the system says none.

    A pid alone would come to mean another process sooner or later.
    """
    with suppress(OSError):
        return "/".join([_place(), str(os.getpid()), _start("self")])
    return ""


def is_dead(process: str) -> bool:
    """Whether the process of a label is no more, as far as this one can prove it."""
    try:
        boot, namespace, pid, start = process.split("/")
        if f"{boot}/{namespace}" != _place():
            return False
        os.kill(int(pid), 0)  # only asks, and sees processes too that /proc hides
        if str(Path("/proc/self").readlink()) != str(os.getpid()):
            return False  # this /proc counts pids as another namespace does
        return _start(pid) != start
    except ProcessLookupError:
        return True
    except (OSError, ValueError):
        return False


def _place() -> str:
    """Where a pid means this one process: the boot and the pid namespace."""
    namespace = Path("/proc/self/ns/pid").readlink()
    return f"{BOOT.read_text().strip()}/{str(namespace).strip('pid:[]')}"


def _start(pid: str) -> str:
    """When a process started, in ticks since the boot; of one that ended unseen, ``ended``."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return "ended" if fields[0] in {"Z", "X"} else fields[19]


async def _forgotten(docker: "Docker", container: Any) -> bool:
    """Whether it ended long ago, by the clock of the engine."""
    if container["State"] in {"running", "paused", "restarting", "removing"}:
        return False
    with suppress(SandboxError), call("look at a container"):  # it may leave meanwhile
        facts = await container.show()
        ended = max(_time(facts["Created"]), _time(facts["State"]["FinishedAt"]))
        now = _time((await docker.system.info())["SystemTime"])
        return (now - ended).total_seconds() > FORGOTTEN_S
    return False


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
