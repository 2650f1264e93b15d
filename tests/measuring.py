"""What a process and a folder take, for tests and benches of growth."""

import os
from contextlib import suppress
from pathlib import Path


def resident(pid: int) -> int:
    """Bytes of a process that are in memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


def files(folder: Path) -> int:
    """Bytes of all files below; a server may go on removing some behind its answer."""
    total = 0
    for at, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += Path(at, name).stat().st_size
    return total
