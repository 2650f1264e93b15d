"""Fixtures that every test may use."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """nats-py and aiohttp run on asyncio only."""
    return "asyncio"
