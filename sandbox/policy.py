"""Names that a submission may not use: advice over the walls, never one of them.

What stands between a stranger's code and the machine are the cell and its filter of system calls.
These lists only refuse early what could not work anyway, with a reason that its author understands.
"""

from msgspec import Struct

MODULES = (
    *("os", "subprocess", "socket", "shutil", "requests", "urllib", "http", "ftplib", "smtplib"),
    *("multiprocessing", "pickle", "marshal", "ctypes", "builtins", "importlib"),
)
"""Modules that the default policy refuses to import, with those inside them."""
NAMES = ("eval", "exec", "compile", "__import__", "open", "input", "breakpoint")
"""Functions that the default policy refuses to name."""


class LintPolicy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Empty lists refuse nothing."""

    modules: tuple[str, ...] = MODULES
    names: tuple[str, ...] = NAMES


NO_POLICY = LintPolicy(modules=(), names=())
DEFAULT_POLICY = LintPolicy()
