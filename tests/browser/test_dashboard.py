"""The page in a real browser: what it shows, what its buttons do to the state, and that nothing harmful runs."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from integrated_system import ROOT, IntegratedSystem
from operations.actor import Actor
from operations.run import run
from tests.browser.chromium import ADVICE, executable
from tests.dashboard.configuration import HARM, write_configuration

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(executable() is None, reason=ADVICE),
]

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 20_000
"""Milliseconds: a shared machine may be slow, the page is not."""

T = TypeVar("T")


@dataclass(frozen=True)
class Served:
    """A dashboard that runs, and the state it shows."""

    address: str
    config: Path
    state_dir: Path

    def look(self, ask: Callable[[IntegratedSystem], T]) -> T:
        """Ask the state itself, past the page."""
        with IntegratedSystem(self.config, state_dir=self.state_dir, environ={}) as system:
            return ask(system)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The dashboard as `integrated_system.py dashboard` starts it, over a state with one run."""
    folder = tmp_path_factory.mktemp("dashboard")
    config, state_dir = write_configuration(folder, harm=True), folder / "state"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    served = Served(f"http://127.0.0.1:{port}", config, state_dir)
    served.look(lambda system: run(system, Actor("tester")))
    command = [sys.executable, str(ROOT / "integrated_system.py"), "dashboard", "--port", str(port)]
    command += ["--config", str(config), "--state-dir", str(state_dir)]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, start_new_session=True)
    try:
        _wait_until_up(server, served.address, folder / "log")
        yield served
    finally:
        os.killpg(server.pid, 15)
        server.wait(20)


def _wait_until_up(server: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
    until = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            try:
                server.wait(0.1)  # one that died will never answer
                break
            except subprocess.TimeoutExpired:
                continue
    pytest.fail(f"the dashboard did not start: {log.read_text()}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Any, served: Served) -> Iterator[Callable[..., Any]]:
    """Opens the page in a fresh window and waits until it is drawn."""
    contexts = []

    def open_page(**options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1440, "height": 1000}, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(served.address)
        page.get_by_text("Times are UTC").wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()


def _run_ids(system: IntegratedSystem) -> list[str]:
    return [stored.run_id for stored in system.views.runs()]


def _maintenances(system: IntegratedSystem) -> int:
    return len(system.events.read(type="maintenance.finished"))


def _report(page: Any) -> Any:
    return page.locator(".st-key-report")


def test_the_page_shows_the_sentence_and_every_dataset(open_page: Callable[..., Any]) -> None:
    """Whoever opens it knows within five seconds."""
    page = open_page()

    assert "1 of 3 datasets delivered as they should" in page.locator(".st-key-sentence").inner_text()
    for name in ("orders", "partner", "nothing"):
        assert page.locator(f".st-key-tile-{name}").is_visible()


def test_what_a_provider_says_is_shown_as_text_and_does_not_run(open_page: Callable[..., Any]) -> None:
    """Neither HTML, nor Markdown, nor LaTeX."""
    page = open_page()

    tile = page.locator(".st-key-tile-nothing")
    assert HARM in tile.inner_text()
    assert tile.locator("strong, a, script, .katex").count() == 0
    assert page.title() == "Cloud Data Orchestrator"


def test_nothing_is_fetched_from_anywhere_else(browser: Any, served: Served) -> None:
    """The page works where there is no internet, and tells nobody that it is open."""
    context = browser.new_context()
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(served.address)
    page.get_by_text("Times are UTC").wait_for(timeout=PATIENCE)
    page.locator(".js-plotly-plot").wait_for(timeout=PATIENCE)
    context.close()

    assert asked
    assert [url for url in asked if not url.startswith((served.address, "data:", "blob:"))] == []


def test_run_now_runs_and_tells_the_result(open_page: Callable[..., Any], served: Served) -> None:
    """A click is a row in the queue, a detached process, a stored run, and words on the page."""
    page = open_page()
    before = served.look(_run_ids)

    page.get_by_role("button", name="Run now").click()
    _report(page).get_by_text("The run failed in").wait_for()

    newest, *rest = served.look(_run_ids)
    assert rest == before
    stored = served.look(lambda system: system.views.run(newest))
    assert stored is not None
    assert (stored.status, stored.queued_at is not None) == ("failed", True)
    assert "1 succeeded, 1 degraded, 1 failed (nothing, partner)" in _report(page).inner_text()


def test_two_quick_clicks_on_run_now_are_one_run(open_page: Callable[..., Any], served: Served) -> None:
    """Impatience costs nothing."""
    page = open_page()
    before = len(served.look(_run_ids))

    page.get_by_role("button", name="Run now").dblclick()
    _report(page).get_by_text("The run failed in").wait_for()

    assert len(served.look(_run_ids)) == before + 1


def test_maintenance_keeps_house_once_and_tells_what_it_did(open_page: Callable[..., Any], served: Served) -> None:
    """Two quick clicks: one `maintenance.finished` in the log."""
    page = open_page()
    before = served.look(_maintenances)

    page.get_by_role("button", name="Maintenance").dblclick()
    _report(page).get_by_text("Maintenance freed").wait_for()

    assert served.look(_maintenances) == before + 1


def test_a_run_of_another_process_appears_without_reloading(open_page: Callable[..., Any], served: Served) -> None:
    """The page follows the state by itself, and keeps its place."""
    page = open_page(viewport={"width": 1440, "height": 500})
    main = page.get_by_test_id("stMain")
    main.evaluate("element => element.scrollTo(0, 300)")

    served.look(lambda system: run(system, Actor("somebody-else"), ["orders"], fresh=True))

    page.get_by_text("by somebody-else").first.wait_for()
    assert main.evaluate("element => element.scrollTop") == 300


def test_a_paused_page_stays_still_until_it_is_live_again(open_page: Callable[..., Any], served: Served) -> None:
    """Switched off, no news; switched on, all of it."""
    page = open_page()
    page.locator(".st-key-live label").click()
    page.get_by_text("paused · updated").wait_for()

    served.look(lambda system: run(system, Actor("late-comer"), ["orders"], fresh=True))
    page.wait_for_timeout(3_000)
    still = page.get_by_text("by late-comer").count()
    page.locator(".st-key-live label").click()
    page.get_by_text("by late-comer").first.wait_for()

    assert still == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_all_of_it(open_page: Callable[..., Any], scheme: str) -> None:
    """At 390 px nothing sticks out to the side, and no text is cut."""
    page = open_page(viewport={"width": 390, "height": 844}, color_scheme=scheme)

    wide = page.evaluate(
        """() => [...document.querySelectorAll('[data-testid=stMain] [data-testid=stText] span')]
            .filter(text => text.scrollWidth > text.clientWidth + 1
                || text.getBoundingClientRect().right > innerWidth)
            .map(text => text.textContent)"""
    )
    assert wide == []
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") == 390
