"""Sockets to listen on that only programs of this machine reach."""

import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path

from quasar.errors import TryAgain, UsageError

BACKLOG = 128


def is_loopback(host: str) -> bool:
    """Whether a name or an address (IPv6 with or without brackets) is this machine's alone."""
    try:
        return ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def tcp_socket(host: str, port: int) -> socket.socket:
    """Listens; port 0 takes a free one. Raises UsageError where it may not, or cannot."""
    if not is_loopback(host):
        raise UsageError(
            f"--host {host or 'is empty'}: an address that others may reach, and who reaches it "
            "runs programs here; listen on 127.0.0.1 and let others in by a tunnel (ssh -L)"
        )
    host = "127.0.0.1" if host.lower() == "localhost" else host.strip("[]")
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        listening.close()
        reason = getattr(error, "strerror", None) or error
        raise UsageError(
            f"cannot listen on {host}:{port} ({reason}): name another --port or --host"
        ) from None
    return listening


@contextmanager
def unix_socket(path: Path) -> Iterator[socket.socket]:
    """Listens at ``path`` for this user alone; the file is removed at the end.

    A socket that a program left behind is replaced. Raises TryAgain where one still listens, and
    UsageError where the path cannot be used.
    """
    try:
        listening = _listen_at(path)
    except OSError as error:  # "AF_UNIX path too long" has no strerror
        reason = error.strerror or error
        raise UsageError(f"cannot listen at {path} ({reason}): name another --unix") from None
    made = path.lstat()
    try:
        yield listening
    finally:
        listening.close()
        with suppress(OSError):
            if os.path.samestat(path.lstat(), made):  # and no other program's, that came since
                path.unlink()


def _listen_at(path: Path) -> socket.socket:
    with ExitStack() as stack:
        folder = os.open(path.parent, os.O_RDONLY)
        stack.callback(os.close, folder)
        fcntl.flock(folder, fcntl.LOCK_EX)  # two that start at once: one finds the other's
        _make_room(path)
        listening = socket.socket(socket.AF_UNIX)
        stack.callback(os.umask, os.umask(0o177))  # never open to others, not for a moment
        try:
            listening.bind(str(path))
            listening.listen(BACKLOG)
        except OSError:
            listening.close()
            raise
    return listening


def _make_room(path: Path) -> None:
    """Remove a socket on which nobody listens. Raises TryAgain, and UsageError for other files."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise UsageError(f"{path} is there and no socket: name another --unix")
    with socket.socket(socket.AF_UNIX) as caller:
        try:
            caller.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise TryAgain(f"a program listens at {path} already: stop it first, or name another --unix")
