"""What all tests share: a clean environment, and the rule that CI skips nothing."""

import os

import pytest
from hypothesis import settings

from tests.dask_cluster import dask_cluster  # noqa: F401
from tests.databases import address  # noqa: F401 - a fixture for whoever asks
from tests.postgres import own_server, postgres, postgres_server  # noqa: F401 - fixtures for whoever asks
from tests.redis_server import redis_folder, redis_server  # noqa: F401

# The first example of a test imports what it needs, on a machine that does other things too: 200 ms are no promise of
# ours. What hangs is ended by pytest's own time limit.
settings.register_profile("without_a_stopwatch", deadline=None)
settings.load_profile("without_a_stopwatch")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own settings must not change what a test sees."""
    for name in list(os.environ):
        if name.startswith("ORCHESTRATOR_") or name in {"NO_COLOR", "http_proxy", "https_proxy", "all_proxy"}:
            monkeypatch.delenv(name)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    outcome = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get("NOTHING_MAY_SKIP"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and here nothing may be"
