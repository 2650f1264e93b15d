"""What all tests of faults share."""

from pathlib import Path

import msgspec
import pytest

from quasar.log import server
from tests.ports import free_port


@pytest.fixture(autouse=True)
def _ports_that_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a server of a test is dead nobody else gets its port: clients find it there again."""
    load = server._load_access

    def load_access(folder: Path) -> server._Access:
        access = load(folder)
        new = access.port == server._ANY
        return msgspec.structs.replace(access, port=free_port()) if new else access

    monkeypatch.setattr(server, "_load_access", load_access)
