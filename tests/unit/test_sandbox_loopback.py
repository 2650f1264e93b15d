"""Sockets that only this machine reaches: which addresses, and files of unix sockets."""

import os
import socket
from pathlib import Path

import pytest

from quasar.errors import TryAgain, UsageError
from quasar.sandbox.loopback import is_loopback, tcp_socket, unix_socket


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", ""])
def test_no_address_that_others_reach(host: str) -> None:
    """Whoever reaches the port runs programs here; the error says what to do instead."""
    with pytest.raises(UsageError, match="tunnel"):
        tcp_socket(host, 0)


def test_loopback_has_several_names() -> None:
    """And no name that another machine could give to itself."""
    assert all(map(is_loopback, ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"]))
    assert not any(map(is_loopback, ["localhost.example", "127.0.0.1.example", "2130706433"]))


def test_a_port_that_is_taken() -> None:
    """One line that names the flag."""
    with tcp_socket("localhost", 0) as taken, pytest.raises(UsageError, match="--port"):
        tcp_socket("127.0.0.1", taken.getsockname()[1])
    with pytest.raises(UsageError, match="--port"):
        tcp_socket("127.0.0.1", 99_999)


def test_a_stale_socket_is_replaced_and_a_live_one_is_not(tmp_path: Path) -> None:
    """What a killed server left behind is no reason to fail."""
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))
    with unix_socket(path):
        with pytest.raises(TryAgain, match="listens at"), unix_socket(path):
            pass
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(str(path))
    assert not path.exists()


def test_only_a_socket_is_ever_removed(tmp_path: Path) -> None:
    """A file in its place stays, at the beginning and at the end."""
    path = tmp_path / "s"
    path.write_text("mine")
    with pytest.raises(UsageError, match="no socket"), unix_socket(path):
        pass
    path.unlink()
    with unix_socket(path):
        path.unlink()
        path.write_text("mine")
    assert path.read_text() == "mine"


@pytest.mark.parametrize("name", ["absent/s", "x" * 200])
def test_a_path_that_cannot_be(tmp_path: Path, name: str) -> None:
    """One line that names the flag; the umask is as before."""
    before = os.umask(0o022)
    os.umask(before)
    with pytest.raises(UsageError, match="--unix"), unix_socket(tmp_path / name):
        pass
    assert os.umask(before) == before
