"""Ports for servers that are told theirs, or must find it again after they were killed."""

import socket
from contextlib import suppress
from secrets import randbelow

FIRST, LAST = 20_000, 32_767
"""Below those that a kernel gives out by itself, to connections too: nobody gets one by chance."""


def free_port() -> int:
    """One of this machine that nobody listens on now."""
    while True:
        port = FIRST + randbelow(LAST - FIRST + 1)
        with socket.socket() as taken, suppress(OSError):
            taken.bind(("127.0.0.1", port))
            return port


def free_ports(count: int) -> list[int]:
    """So many, all different."""
    found: set[int] = set()
    while len(found) < count:
        found.add(free_port())
    return sorted(found)
