"""What bubblewrap leaves behind when it is killed early is ended, and nothing else is."""

import subprocess
import sys
from pathlib import Path

import pytest

from quasar.sandbox.orphans import end_orphans

TWO = """
import os, sys
inner = os.fork()
if inner == 0:
    os.write(1, b"up")
    os.read(0, 1)  # until this test ends
    os.write(1, b" left alone")
elif sys.argv[1] == "stays":
    os.waitpid(inner, 0)
"""
"""Stands for bubblewrap: an outer process that ends at once or stays, and an inner one."""


@pytest.mark.parametrize(
    ("leader", "flag", "ended"),
    [
        ("leaves", "--die-with-parent", 1),
        ("stays", "--die-with-parent", 0),
        ("leaves", "--something-else", 0),
    ],
)
def test_only_orphans_are_ended(tmp_path: Path, leader: str, flag: str, ended: int) -> None:
    """Of this root folder, of bubblewrap, and of a session whose leader is gone: all three."""
    arguments = [leader, "--ro-bind", str(tmp_path), "/", flag, "--"]
    with subprocess.Popen(
        [sys.executable, "-S", "-c", TWO, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as outer:
        assert outer.stdin is not None
        assert outer.stdout is not None
        assert outer.stdout.read(2) == b"up"
        if leader == "leaves":
            outer.wait()
        assert end_orphans(tmp_path / "another") == 0
        assert end_orphans(tmp_path) == ended
        outer.stdin.close()
        assert outer.stdout.read() == (b"" if ended else b" left alone")
