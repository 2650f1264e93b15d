"""What a sandbox may use, and how its containers are named."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct
from msgspec.structs import force_setattr

from quasar.sandbox.policy import DEFAULT_POLICY, policy_of

Seconds = Annotated[float, Meta(gt=0, le=3600)]
Mebibytes = Annotated[int, Meta(ge=64, le=1 << 20)]
Size = Annotated[int, Meta(ge=1, le=64 << 20)]


class SandboxConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits hold for each case; a case that reaches one ends with a typed outcome."""

    driver: Literal["auto", "docker", "bubblewrap"] = "auto"
    """``auto``: Docker where an engine answers, else bubblewrap, else none."""
    engine: str | None = None
    """Address of the engine, such as ``unix:///run/docker.sock``; null searches for it."""
    image: str | None = None
    """Name of an image with Python 3.11 or newer; null builds one from this interpreter."""
    runtime: str | None = None
    """The engine's OCI runtime, such as ``runsc`` for gVisor; null takes its default."""
    timeout_s: Seconds = 30.0
    """Processor time of one case, in seconds, of all its threads together. Its own time on the
    wall is bounded by the same: what it slept counts, what it waited for a processor does not."""
    memory_mib: Mebibytes = 512
    """Address space of the code; the container has a little more, for the runner."""
    cpus: Annotated[float, Meta(ge=0.1, le=256)] = 1.0
    pids: Annotated[int, Meta(ge=4, le=4096)] = 64
    """Threads of one container, the runner's included; the code can start no process."""
    output_bytes: Size = 1 << 20
    """The longest returned value, as JSON."""
    log_bytes: Size = 1 << 16
    """How much of what the code prints is kept."""
    policy: Any = DEFAULT_POLICY
    """A ``LintPolicy``: what is refused before it runs. A list stands for modules with those
    names; None or whatever is empty for ``NO_POLICY``."""
    pool: Annotated[int, Meta(ge=0, le=64)] = 2
    """Cells that are started and wait for code."""
    owner: str = ""
    """Label ``quasar.owner`` of every container: the id of the log that this sandbox serves."""
    instance: str = ""
    """Label ``quasar.instance``: which process started it; empty draws a random one."""

    def __post_init__(self) -> None:
        force_setattr(self, "policy", policy_of(self.policy))
