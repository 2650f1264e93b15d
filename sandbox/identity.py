"""Who runs the code: what an auditor needs to run it again alike."""

from msgspec import Struct


class SandboxIdentity(Struct, frozen=True, kw_only=True):
    """Found at the start, and part of RunStarted and CodeExecuted."""

    driver: str
    image: str
    """The engine's id of the image, 64 hex digits. Engines may name the same image differently."""
    layers: list[str]
    """SHA-256 of each uncompressed layer, 64 hex digits: alike on every engine."""
    python: str
    """Version inside the image, such as ``3.11.7``."""
    machine: str
    """``x86_64`` or ``aarch64``."""
    engine: str
    """Such as ``docker 20.10.24``."""
    runtime: str
    """Such as ``runc 1.1.5``."""
    repo_digests: list[str] = []
    """``name@sha256:...`` of the registries that the image came from; empty if built here."""
