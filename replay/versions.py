"""Whether this program has what a log was made with; where not, which program has.

A log of a newer program is neither clean nor divergent: it cannot be judged here.
"""

import re

import msgspec

from quasar.benchmarks import FAMILIES
from quasar.errors import CannotJudge, LogError, NoSource
from quasar.events import PolicyAdopted
from quasar.events.blobs import Blobs
from quasar.log import Log
from quasar.metrics import METRICS, PROGRAM_METRICS
from quasar.rules.machine import Recorded
from quasar.rules.policy import recorded_policy

PROGRAM = "quasar-subnet"
_RUN = b'{"key":"run.'
_VERSION = re.compile(r"[0-9][0-9A-Za-z.+!-]{0,63}", re.ASCII)


class _Run(msgspec.Struct):
    versions: dict[str, str]


class _Line(msgspec.Struct):
    """As much of RunStarted, of whatever version, as is needed here."""

    event: _Run


_line = msgspec.json.Decoder(_Line).decode


def check_versions(seen: Recorded, blobs: Blobs) -> None:
    """Raises CannotJudge where an event brings in rules that this program does not have.

    Told when a policy is adopted, not in its first round: what depends on a family that nobody
    here knows must not be compared at all.
    """
    match seen.event:
        case PolicyAdopted(toml=toml):
            for entry in recorded_policy(blobs.get(toml)).mix:
                _check_family(entry.family)


async def advised(log: Log, missing: CannotJudge) -> CannotJudge:
    """The same reason, and the version to install: that of the log's newest run."""
    if isinstance(missing, NoSource):
        return missing
    what = str(missing).partition(";")[0]
    version = await _newest_version(log)
    wanted = f"{PROGRAM}=={version}" if version else f"the newest {PROGRAM}"
    return CannotJudge(f"cannot judge: {what}; install {wanted}")


def _check_family(name: str) -> None:
    if name not in FAMILIES:
        raise CannotJudge(f"task family {name!r} is not installed")
    metric = FAMILIES[name].metric
    if metric not in METRICS and metric not in PROGRAM_METRICS:
        raise CannotJudge(f"metric {metric!r} is not installed")


async def _newest_version(log: Log) -> str:
    """Empty where the log does not say. It is a stranger's text, so it must look like one."""
    found, head = "", await log.head()
    try:
        async for seq, line in log.read():
            if line.startswith(_RUN):
                found = _version_in(line) or found
            if seq >= head:
                break
    except LogError:
        pass
    return found


def _version_in(line: bytes) -> str:
    try:
        version = _line(line).event.versions.get(PROGRAM, "")
    except (msgspec.DecodeError, UnicodeDecodeError):  # the end of a run
        return ""
    return version if _VERSION.fullmatch(version) else ""
