"""The dashboard in a real browser: how soon it says what matters, a million points, and ten tabs left open.

One installation: 50 datasets that have run, three series of a million points each, a million events. A tab is new,
the browser's cache is warm, the server has drawn each page once. Without a browser there is nothing to measure.
"""

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.comparison import Comparison, Target, compare, over_rounds
from benchmarks.loops import Value
from benchmarks.machine import load, machine
from benchmarks.measure import ROOT, BenchmarkError, environment

DATASETS, POINTS, EVENTS, TABS = 50, 1_000_000, 1_000_000, 10
SERIES = ("pressure", "temperature", "load")
WATCHED_S, LONG_S = 60.0, 600.0
PATIENCE_MS = 45_000
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
SENTENCE = ".st-key-sentence [data-testid='stText']"
LINES = ".js-plotly-plot .scatterlayer .trace path.js-line"
BARS = ".js-plotly-plot .barlayer .point path"

TARGETS = (
    Target("sentence_s", "<= 1.8", 1.8),
    Target("charts_s", "<= 2.5", 2.5),
    Target("refresh_cpu_ms", "<= 80", 80),
    Target("scroll_kept", "yes", at_least=1),
    Target("million_visible_s", "<= 2.2", 2.2),
    Target("million_kb", "<= 150", 150),
    Target("million_click_s", "<= 0.4", 0.4),
    Target("spike_drawn", "yes", at_least=1),
    Target("tabs_cpu_percent", "<= 12", 12),
    Target("tabs_rss_mb", "<= 250", 250),
    Target("tabs_growth_mb", "<= 20", 20),
)


def measure(folder: Path, *, runs: int, short: bool) -> Comparison:
    """Run it in `folder`. `short`: a hundredth of the points and events, ten seconds of tabs."""
    before, about = load(), machine(folder)
    share = 100 if short else 1
    print("an installation is made", file=sys.stderr, flush=True)
    config = _installation(folder, POINTS // share, EVENTS // share)
    taken: dict[str, list[Value]] = {}
    with _served(folder, config) as server, _browser() as browser:
        for number in range(1 if short else runs):
            print(f"round {number + 1}", file=sys.stderr, flush=True)
            for figures in (_first_view(browser, server, warm=number == 0), _million(browser, server)):
                for figure, value in figures.items():
                    taken.setdefault(figure, []).append(value)
        print("ten tabs", file=sys.stderr, flush=True)
        watched = 10.0 if short else LONG_S if os.environ.get("LONG") else WATCHED_S
        taken.update({figure: [value] for figure, value in _tabs(browser, server, watched).items()})
    about = {**about, "datasets": DATASETS, "points": POINTS // share, "events": EVENTS // share, "tabs_s": watched}
    return compare("dashboard", TARGETS, over_rounds(TARGETS, {"ours": taken}), about, (before, load()))


@dataclass(frozen=True, slots=True)
class _Server:
    """The dashboard as people start it; `pid`: the process that draws."""

    address: str
    pid: int

    def cpu_s(self) -> float:
        """Processor time that it has taken."""
        import psutil

        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)

    def rss_mb(self) -> float:
        import psutil

        return float(psutil.Process(self.pid).memory_info().rss) / 1e6


def _installation(folder: Path, points: int, events: int) -> Path:
    import numpy as np

    from integrated_system import IntegratedSystem
    from operations.actor import Actor
    from operations.run import run
    from utils.events import NewEvent

    source = {"kind": "simulated", "rows": 20}
    datasets = [
        {"name": f"dataset_{n:02}", "collect": source, "rules": [{"not_null": ["id"]}]} for n in range(DATASETS)
    ]
    config = folder / "orchestrator.json"
    config.write_text(json.dumps({"datasets": datasets, "cache": {"ttl": "1s"}}))
    with IntegratedSystem(config, state_dir=folder / "state", environ={}) as system:
        for _ in range(12):
            run(system, Actor("benchmark"), fresh=True)
        random = np.random.default_rng(7)
        times = time.time() - np.arange(points)[::-1] * (86_400.0 / points) - 5.0
        for name in SERIES:
            values = random.normal(100.0, 3.0, points)
            values[int(points * 0.7)] = 200.0
            system.history.append(name, times.tolist(), values.tolist(), {"site": "north"})
        for start in range(0, events, 2_000):
            some = [
                NewEvent("sensor.read", f"sensor-{n % 500}", {"n": n}, source="plant")
                for n in range(start, start + 2_000)
            ]
            system.events.append(some)
    return config


@contextmanager
def _served(folder: Path, config: Path) -> Iterator[_Server]:
    import psutil

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, str(ROOT / "integrated_system.py"), "dashboard", "--port", str(port)]
    command += ["--config", str(config), "--state-dir", str(folder / "state")]
    with (folder / "log").open("wb") as log:
        started = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=folder, env=environment(), start_new_session=True
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _until(lambda: _answers(address), "the dashboard did not start")
        here = psutil.Process(started.pid)
        pids = [one.pid for one in (here, *here.children(recursive=True)) if _listens(one, port)]
        if not pids:
            raise BenchmarkError("the process that draws was not found")
        yield _Server(address, pids[0])
    finally:
        os.killpg(started.pid, signal.SIGTERM)
        started.wait(20)


def _listens(process: Any, port: int) -> bool:
    return any(one.laddr.port == port and one.status == "LISTEN" for one in process.net_connections(kind="inet"))


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
            return True
    except OSError:
        return False


@contextmanager
def _browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    from tests.browser.chromium import ADVICE, executable

    path = executable()
    if path is None:
        raise BenchmarkError(ADVICE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        context = browser.new_context(viewport={"width": 1440, "height": 1000})
        context.set_default_timeout(PATIENCE_MS)
        yield context
        browser.close()


def _first_view(context: Any, server: _Server, *, warm: bool) -> dict[str, Value]:
    if warm:
        _open(context, server, "", BARS)[2].close()
    sentence_s, charts_s, page, _ = _open(context, server, "", BARS)
    scroller = "document.querySelector('[data-testid=stMain]')"
    page.evaluate(f"() => {scroller}.scrollTo(0, 600)")
    before = page.evaluate(f"() => {scroller}.scrollTop")
    page.wait_for_timeout(4_500)  # two refreshes
    kept = float(abs(page.evaluate(f"() => {scroller}.scrollTop") - before) < 2)
    page.close()
    return {"sentence_s": sentence_s, "charts_s": charts_s, "scroll_kept": kept}


def _million(context: Any, server: _Server) -> dict[str, Value]:
    """Three charts of a million points; a click that draws them anew: another rate of false alarms."""
    names = [f'{name}{{site="north"}}' for name in SERIES]
    from urllib.parse import urlencode

    path = f"anomalies?{urlencode([('metric', name) for name in names])}"
    _open(context, server, path, LINES, count=3)[2].close()
    _, visible_s, page, received = _open(context, server, path, LINES, count=3)
    first_kb = received[0] / 1000
    spike = page.evaluate(
        "() => [...document.querySelectorAll('.js-plotly-plot')].every("
        "plot => plot._fullData.some(trace => Array.from(trace.y).some(value => value >= 199)))"
    )
    page.wait_for_timeout(1_000)
    clicks = []
    slider, app = page.get_by_role("slider"), "document.querySelector('[data-testid=stApp]')"
    for key in ("ArrowRight", "ArrowLeft", "ArrowRight"):
        slider.focus()
        begun = time.perf_counter()
        slider.press(key)
        for state in ("running", "notRunning"):
            page.wait_for_function(f"() => {app}.getAttribute('data-test-script-state') === '{state}'")
        clicks.append(time.perf_counter() - begun)
    page.close()
    return {
        "million_visible_s": visible_s,
        "million_kb": first_kb,
        "million_click_s": statistics.median(clicks),
        "spike_drawn": float(bool(spike)),
    }


def _open(
    context: Any, server: _Server, path: str, drawn: str, *, count: int = 1
) -> tuple[float, float, Any, list[int]]:
    """Seconds until the sentence, and until so many charts, from before the navigation; and what the socket brought."""
    page = context.new_page()
    received = [0]

    def count_bytes(payload: Any) -> None:
        received[0] += len(payload)

    page.on("websocket", lambda opened: opened.on("framereceived", count_bytes))
    begun = time.perf_counter()
    page.goto(f"{server.address}/{path}", wait_until="commit")
    page.locator(SENTENCE).first.wait_for()
    sentence_s = time.perf_counter() - begun
    page.wait_for_function("([what, count]) => document.querySelectorAll(what).length >= count", arg=[drawn, count])
    return sentence_s, time.perf_counter() - begun, page, received


def _tabs(context: Any, server: _Server, watched_s: float) -> dict[str, Value]:
    """Ten live tabs of the first page: what the server takes, and what one refresh does."""
    # Only the first is seen, as with people: a browser does not draw what is behind. The server knows no difference.
    pages = [_open(context, server, "", SENTENCE)[2] for _ in range(TABS)]
    pages[0].wait_for_timeout(5_000)
    rss, cpu, begun = server.rss_mb(), server.cpu_s(), time.monotonic()
    pages[0].wait_for_timeout(watched_s * 1000)
    took_s, cpu_s, after = time.monotonic() - begun, server.cpu_s() - cpu, server.rss_mb()
    for page in pages:
        page.close()
    refreshes = TABS * took_s / 2.0
    return {
        "tabs_cpu_percent": 100 * cpu_s / took_s,
        "refresh_cpu_ms": 1000 * cpu_s / refreshes,
        "tabs_rss_mb": after,
        "tabs_growth_mb": after - rss,
    }


def _until(ready: Callable[[], bool], words: str) -> None:
    end = time.monotonic() + PATIENCE_MS / 1000
    while time.monotonic() < end:
        if ready():
            return
        time.sleep(0.05)
    raise BenchmarkError(words)
