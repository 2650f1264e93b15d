"""The sandbox's own failure, which is never blamed on the code that it ran."""

from quasar.errors import QuasarError


class SandboxError(QuasarError):
    """Raised when the engine, the image or the runner fails: no outcome exists then.

    The same submission may be run again; nobody is scored for this.
    """

    fault = "sandbox"


class NoImage(SandboxError):
    """Raised when the image that was named cannot be had, or may not be used."""
