"""One installation in trouble, one server, one browser for all tests here."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.browser.chromium import ADVICE, executable
from tests.browser.installation import made
from tests.browser.served import Served, chromium, go, served, window
from tests.faulty_server import FaultyServer, ok


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of them in one worker, for they share the server; none where there is no browser."""
    missing = executable() is None
    for item in items:
        if item.path.parent.name == "browser":
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.xdist_group("browser"))
            if missing:
                item.add_marker(pytest.mark.skip(reason=ADVICE))


@pytest.fixture(scope="module")
def mail() -> Iterator[FaultyServer]:
    """Where messages are sent to."""
    with FaultyServer(ok(b"")) as mail:
        yield mail


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, mail: FaultyServer) -> Iterator[Served]:
    with served(made(tmp_path_factory.mktemp("dashboard"), mail)) as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def laptop(browser: Any) -> Any:
    """A window that tests lead from page to page; each time it is a new session of the server."""
    return window(browser, accept_downloads=True, locale="en")


@pytest.fixture
def open_page(laptop: Any, server: Served) -> Iterator[Callable[..., Any]]:
    """Leads the window to a view or an address; nothing of it lives on after the test."""

    def open_page(address: str = "") -> Any:
        return go(laptop, address if address.startswith("http") else f"{server.url}/{address}")

    yield open_page
    laptop.goto("about:blank")
