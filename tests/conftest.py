"""What all tests share: a clean environment, and the rule that CI skips nothing."""

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import counts, folders
from tests.dask_cluster import dask_cluster  # noqa: F401
from tests.databases import address  # noqa: F401 - a fixture for whoever asks
from tests.folders import on_disk  # noqa: F401
from tests.postgres import own_server, postgres, postgres_server  # noqa: F401 - fixtures for whoever asks
from tests.redis_server import patient_redis, redis_folder, redis_server  # noqa: F401

counts.register()
folders.choose()

# Who starts the tests in the background of a script has them ignore Ctrl-C, and so would every process they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

QUICK = {"config", "data_pipeline", "monitoring", "operations"}
"""Folders whose tests seldom start processes or servers."""


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own settings must not change what a test sees."""
    for name in list(os.environ):
        if name.startswith("ORCHESTRATOR_") or name in {"NO_COLOR", "http_proxy", "https_proxy", "all_proxy"}:
            monkeypatch.delenv(name)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Ten thousand tests are made and none is garbage: looking for some took a fifth of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long comes first, so that the workers, which take a file at a time, end at about the same time."""
    here = len(Path(__file__).parent.parts)
    items.sort(key=lambda item: item.path.parts[here] in QUICK)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    outcome = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get("NOTHING_MAY_SKIP"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and here nothing may be"
