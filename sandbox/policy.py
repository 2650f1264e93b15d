"""Names that a submission may not use: advice over the walls, never one of them.

What stands between a stranger's code and the machine are the cell and its filter of system calls.
These lists only refuse early what could not work anyway, with a reason that its author understands.
"""

from typing import Any

from msgspec import Struct, ValidationError, convert

from quasar.errors import UsageError

MODULES = (
    *("os", "subprocess", "shutil", "pickle", "marshal", "ctypes", "multiprocessing", "socket"),
    *("http", "urllib", "ftplib", "telnetlib", "smtplib", "imaplib", "poplib", "nntplib", "ssl"),
)
"""Modules that the default policy refuses to import, with those inside them: upstream's list but
for ``sys``, ``random``, ``hashlib`` and ``secrets``, which honest code needs."""
CALLS = ("exec", "eval", "compile", "open", "__import__")
"""Functions that the default policy refuses to call by these names."""


class LintPolicy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Empty lists refuse nothing."""

    modules: tuple[str, ...] = MODULES
    calls: tuple[str, ...] = CALLS


NO_POLICY = LintPolicy(modules=(), calls=())
DEFAULT_POLICY = LintPolicy()


def policy_of(given: Any) -> LintPolicy:
    """The policy that is meant by one, its fields, names of modules, True (default) or nothing.

    Raises UsageError for anything else.
    """
    if isinstance(given, LintPolicy):
        return given
    if not given:
        return NO_POLICY
    if given is True:
        return DEFAULT_POLICY
    if isinstance(given, (list, tuple, set, frozenset)):
        given = {"modules": list(given), "calls": ()}
    try:
        return convert(given, LintPolicy)
    except ValidationError as error:
        said = "policy: give a LintPolicy, a list of modules, or nothing for none"
        raise UsageError(f"{said} ({error})") from None
