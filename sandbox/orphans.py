"""Ends what bubblewrap leaves behind where it is killed in its first milliseconds.

Its inner process then waits for ever for the outer one, which it is not yet tied to. It is told
from a cell that is just starting by its session: that was named after the outer process, and a
session whose leader is gone belongs to nobody.
"""

import os
import signal
from contextlib import suppress
from pathlib import Path

MARK = b"\0--die-with-parent\0"


def end_orphans(root: Path) -> int:
    """How many there were among the cells made of this root folder, whoever made them."""
    mine = b"\0--ro-bind\0" + os.fsencode(root) + b"\0/\0"
    return sum(_end(int(place.name), mine) for place in Path("/proc").glob("[0-9]*"))


def _end(pid: int, mine: bytes) -> bool:
    """By a handle taken before the look: the process that was looked at is the one that ends."""
    with suppress(OSError):
        handle = os.pidfd_open(pid)
        try:
            if _is_orphan(pid, mine):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
                return True
        finally:
            os.close(handle)
    return False


def _is_orphan(pid: int, mine: bytes) -> bool:
    arguments = Path(f"/proc/{pid}/cmdline").read_bytes()
    if mine not in arguments or MARK not in arguments:
        return False
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    session = int(fields[3])
    return session not in {0, pid} and not Path(f"/proc/{session}").exists()
