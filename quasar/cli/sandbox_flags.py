"""Flags of the commands that run strangers' programs."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from cyclopts import Parameter

from quasar.errors import UsageError
from quasar.sandbox.config import SandboxConfig
from quasar.sandbox.errors import NoImage
from quasar.sandbox.policy import DEFAULT_POLICY, NO_POLICY


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Driver:
    """What walls the code in."""

    driver: Literal["auto", "docker", "bubblewrap"] = "auto"
    """docker, bubblewrap, or auto: Docker where an engine answers, else bubblewrap."""
    image: str | None = None
    """An image with Python 3.11 or newer, best as NAME@sha256:..., instead of one that is built
    from this interpreter. It is pulled where the engine has none; another is never taken."""

    def config(self, **fields: object) -> SandboxConfig:
        """With other fields of the configuration. Raises UsageError for one out of its range."""
        not_empty("--image", self.image)
        if self.image is not None and self.driver == "bubblewrap":
            raise UsageError("--image needs an engine: leave it out, or --driver bubblewrap")
        chosen = {"driver": self.driver, "image": self.image, **fields}
        try:
            return msgspec.convert(chosen, SandboxConfig)
        except msgspec.ValidationError as error:
            raise UsageError(_by_flag(str(error), chosen)) from None

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Around the use of the sandbox: what is wrong with the image names the flag."""
        try:
            yield
        except NoImage as error:
            raise UsageError(f"--image {self.image}: {error}") from error


FLAGS = {"timeout_s": "--timeout", "memory_mib": "--memory"}
"""Fields of the configuration that have a range, by the flag that sets them."""


def _by_flag(problem: str, chosen: dict[str, object]) -> str:
    """What msgspec says of a field, said of its flag."""
    said, _, field = problem.partition(" - at `$.")
    field = field.rstrip("`")
    bound = re.sub("`[a-z]+`", "a number", said[:1].lower() + said[1:])
    return f"{FLAGS[field]} {chosen[field]}: {bound}"


def not_empty(flag: str, value: str | None) -> None:
    """Raises UsageError for a name of no characters, which is mostly a variable that is not set."""
    if value == "":
        raise UsageError(f"{flag} is empty: name one, or leave it out")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Programs:
    """What a validator runs programs with."""

    sandbox: Literal["auto", "docker", "bubblewrap"] = "auto"
    """docker, bubblewrap, or auto: Docker where an engine answers, else bubblewrap."""
    sandbox_engine: str | None = None
    """Address of the container engine; else DOCKER_HOST, else the usual sockets."""
    sandbox_image: str | None = None
    """An image with Python 3.11 or newer, best as NAME@sha256:..., instead of one that is built
    from this interpreter."""
    sandbox_runtime: str | None = None
    """The engine's runtime, such as runsc for gVisor; else its default."""

    def config(self) -> SandboxConfig:
        """Limits are the policy's. Raises UsageError for an empty name."""
        not_empty("--sandbox-engine", self.sandbox_engine)
        not_empty("--sandbox-image", self.sandbox_image)
        not_empty("--sandbox-runtime", self.sandbox_runtime)
        return SandboxConfig(
            driver=self.sandbox,
            engine=self.sandbox_engine,
            image=self.sandbox_image,
            runtime=self.sandbox_runtime,
        )


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Walls(Driver):
    """What holds the code, and what is refused before it runs."""

    timeout: float = 30.0
    """Seconds that one call may take."""
    memory: int = 512
    """MiB that the code may take."""
    policy: Annotated[bool, Parameter(negative="--no-policy")] = True
    """Refuse the imports that a round refuses before the code runs; the walls stand anyway."""

    def config(self, **fields: object) -> SandboxConfig:
        """See Driver."""
        return super().config(
            timeout_s=self.timeout,
            memory_mib=self.memory,
            policy=DEFAULT_POLICY if self.policy else NO_POLICY,
            **fields,
        )


ANY_DRIVER = Driver()
ANY_SANDBOX = Programs()
DEFAULT_WALLS = Walls()
"""What holds where no flag says otherwise."""
