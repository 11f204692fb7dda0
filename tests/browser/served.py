"""The dashboard as `integrated_system.py dashboard` starts it, and windows of a browser that look at it."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from integrated_system import ROOT, IntegratedSystem
from tests.browser.chromium import executable
from tests.browser.installation import Installation
from tests.browser.views import address

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 120_000
"""Milliseconds: a shared machine may be slow, the page is not."""
DRAWN = """() => document.querySelector('.st-key-faint-foot')
    && document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'
    && !document.querySelector('[data-testid=stSkeleton]')
    && [...document.querySelectorAll('[data-testid=stPlotlyChart]')].every(one => one.querySelector('.main-svg'))"""
"""Nothing is being computed, and nothing still has a grey face in its place."""

T = TypeVar("T")


@dataclass
class Served:
    """A dashboard that runs, and the state it shows."""

    installation: Installation
    port: int
    server: "subprocess.Popen[bytes] | None" = None
    known: dict[str, object] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def look(self, ask: Callable[[IntegratedSystem], T]) -> T:
        """Ask the state itself, past the page."""
        return self.installation.look(ask)

    def view(self, name: str) -> str:
        """The address of a view."""
        if not self.known:
            self.known = self.look(_known)
        return f"{self.url}/{address(name, **self.known)}"

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        folder = self.installation.state.parent
        command = [sys.executable, str(ROOT / "integrated_system.py"), "dashboard", "--port", str(self.port)]
        command += ["--config", str(self.installation.config), "--state-dir", str(self.installation.state)]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("ORCHESTRATOR_")}
        with (folder / "log").open("ab") as log:
            self.server = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=folder, env=environment, start_new_session=True
            )
        until = time.monotonic() + PATIENCE / 1000
        while time.monotonic() < until:
            try:
                with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=2):
                    return
            except (urllib.error.URLError, OSError):
                try:
                    self.server.wait(0.1)  # one that died will never answer
                    break
                except subprocess.TimeoutExpired:
                    continue
        raise RuntimeError(f"the dashboard did not start: {(folder / 'log').read_text()}")

    def stop(self) -> None:
        """End it, with all it started."""
        if self.server is not None:
            os.killpg(self.server.pid, 15)
            self.server.wait(120)
            self.server = None


@contextmanager
def served(installation: Installation) -> Iterator[Served]:
    """The dashboard of an installation, for the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    found = Served(installation, port)
    try:
        found.start()
        yield found
    finally:
        found.stop()


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser without a window, for the block."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def window(browser: Any, **options: Any) -> Any:
    """A page in a fresh session of the browser."""
    context = browser.new_context(**{"viewport": {"width": 1440, "height": 1000}, **options})
    context.set_default_timeout(PATIENCE)
    return context.new_page()


def go(page: Any, url: str) -> Any:
    """Lead a window there, and wait until the page is drawn."""
    page.goto(url)
    page.wait_for_function(DRAWN)
    return page


def _known(system: IntegratedSystem) -> dict[str, object]:
    """What the addresses of some views are about."""
    finished = next(one for one in system.views.runs() if one.status in {"failed", "degraded"})
    return {"run": finished.run_id, "event": system.events.head()[0], "then": finished.started_at}


def tall(page: Any, most: int) -> None:
    """Make the window as high as what it shows, `most` pixels at most."""
    height = page.evaluate("document.querySelector('[data-testid=stMainBlockContainer]').scrollHeight")
    page.set_viewport_size({"width": page.viewport_size["width"], "height": max(700, min(int(height) + 60, most))})
