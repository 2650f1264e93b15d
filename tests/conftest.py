"""Fixtures that every test may use."""

import importlib.util
import os
from collections.abc import Iterator

import anyio
import pytest
import structlog
from hypothesis import settings

settings.register_profile("quasar", deadline=None)
settings.load_profile("quasar")  # a loaded machine must not fail an example; pytest has a deadline

UNCOUNTED = {"contract", "e2e", "families", "faults", "golden", "packaging", "property"}
"""Folders whose tests run other programs, or repeat what unit tests reach."""
PROGRAMS = {"contract", "e2e", "faults"}
"""Folders whose tests run several real processes side by side. In CI one that fails there is run
once more, named in the end as RERUN; `.ci/run` bears two of them and no third."""
UNCOUNTED_FILES = (
    *("test_families_", "test_longbench", "test_metrics_", "test_packs", "test_ruler"),
    *("test_diff_statistics", "test_findings_chance", "test_key_in_log"),
    *("test_forgeries_fields", "test_honest_logs"),
)
"""Of task families and metrics, whose lines have no threshold; many rounds of what others reach.

Counting doubles the time of a test that computes.
"""


@pytest.fixture(autouse=True)
def fixture_logging() -> Iterator[None]:
    """A command that a test ran logs to that test's stderr, which is gone afterwards."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def anyio_backend() -> str:
    """nats-py and aiohttp run on asyncio only."""
    return "asyncio"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what this machine cannot run. On CI nothing is left out: there it must fail.

    Lines are counted in what runs in this process; elsewhere counting only costs time.
    """
    for item in items:
        elsewhere = UNCOUNTED.intersection(item.path.parts)
        repeated = item.path.name.startswith(UNCOUNTED_FILES)
        if elsewhere or repeated or item.get_closest_marker("torch"):
            item.add_marker("no_cover")
    if os.environ.get("CI"):
        for item in items:
            if PROGRAMS.intersection(item.path.parts):
                item.add_marker(pytest.mark.flaky(reruns=1))
        return
    for marker, missing in (("docker", no_docker), ("torch", no_torch), ("browser", no_browser)):
        marked = [item for item in items if item.get_closest_marker(marker)]
        if marked and (reason := missing()):
            for item in marked:
                item.add_marker(pytest.mark.skip(reason=reason))


def no_docker() -> str | None:
    """Why tests of containers cannot run here."""
    from quasar.sandbox import find_engine

    return None if anyio.run(find_engine) else "no Docker engine answers"


def no_browser() -> str | None:
    """Why tests of pages cannot run here."""
    from tests.e2e.chromium import find_chromium

    return None if find_chromium() else "chromium is not installed: apt-get install chromium"


def no_torch() -> str | None:
    """Why tests of models cannot run here."""
    found = all(importlib.util.find_spec(name) for name in ("torch", "transformers", "gguf"))
    return None if found else "torch is not installed: pip install 'quasar-subnet[torch]'"
