"""Fixtures that every test may use."""

import pytest
from hypothesis import settings

settings.register_profile("quasar", deadline=None)
settings.load_profile("quasar")  # a loaded machine must not fail an example; pytest has a deadline


@pytest.fixture
def anyio_backend() -> str:
    """nats-py and aiohttp run on asyncio only."""
    return "asyncio"
