"""A day of an installation on a clock that is moved: schedules, runs, promises, maintenance, alerts, API, pages."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from api.client import Client
from api.in_process import ApiHere
from data_pipeline.runner import PipelineRun
from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.alerting import Alerting
from operations.queue import queue_worker
from operations.run import run
from operations.schedule import Judging, Leading, Maintaining
from tests.soak.figures import Hour, Times, measured
from utils.clock import ManualClock

__all__ = ["CRUMB_S", "EVENTS_S", "MAINTAINED_S", "Day"]

BEGINS = datetime(2026, 11, 20, tzinfo=UTC)
EVENTS_S, MAINTAINED_S = 4 * 3600.0, 1800.0
"""How long events are kept at hand, and how often the house is put in order: short, so that a day is many of both."""

CRUMB_S = 4 * 3600.0
"""Seconds in which ten thousand events come together: fewer are not sealed."""

READER = Actor("soak")
EVERY = ("1m", "5m", "5m", "15m", "15m")

QUESTIONS: tuple[Callable[[Client, str], Any], ...] = (
    lambda client, _: client.queries.status(),
    lambda client, _: client.queries.datasets(),
    lambda client, name: client.queries.dataset(name),
    lambda client, name: client.queries.rows(name),
    lambda client, _: client.queries.metrics(),
    lambda client, name: list(client.queries.dataset_runs(name)),
    lambda client, _: client.queries.incidents(over=20),
    lambda client, _: list(client.queries.events(limit=50)),
    lambda client, _: client.queries.health(),
    lambda client, name: client.queries.versions(name),
    lambda client, _: client.queries.providers(),
    lambda client, name: client.queries.quality(name),
)
"""What is asked, one after the other."""


def configured(datasets: int) -> dict[str, Any]:
    """Simulated datasets of five providers; one in ten fails now and then, one in five has rows that break a rule."""
    return {
        "retention": {
            "events": "4h",
            "runs": "4h",
            "history": {"raw": "2h", "minute": "6h", "hour": "12h"},
            "versions": {"count": 5},
            "quarantine": {"age": "4h"},
        },
        "maintenance": {"every": f"{MAINTAINED_S:.0f}s"},
        "datasets": [_dataset(number) for number in range(datasets)],
    }


def _dataset(number: int) -> dict[str, Any]:
    fails = {"failure_rate": 0.05} if number % 10 == 3 else {}
    rules: list[dict[str, Any]] = [{"not_null": ["id"]}, {"unique": "id"}]
    if number % 5 == 1:
        rules.append({"range": {"column": "id", "max": 48}})
    return {
        "name": f"d{number:02}",
        "provider": f"p{number % 5}",
        "collect": {"kind": "simulated", "rows": 50, "seed": number, **fails},
        "rules": rules,
        "schedule": {"every": EVERY[number % len(EVERY)]},
        "promise": {"max_age": "2h"},
    }


@dataclass
class Day:
    """One day.

    Args:
        pages: Whether the dashboard is drawn, a page a minute; else the API is asked alone.
        questions: How many are asked each minute.
    """

    folder: Path
    datasets: int = 50
    pages: bool = True
    questions: int = len(QUESTIONS)
    clock: ManualClock = field(default_factory=lambda: ManualClock(BEGINS))
    runs: int = 0

    def hours(self, count: int, *, minutes: int = 60) -> Iterator[Hour]:
        """Let so many hours (of `minutes`) pass; each is given at its end."""
        config, state = self.folder / "orchestrator.json", self.folder / "state"
        config.write_text(json.dumps(configured(self.datasets)))
        with ExitStack() as held:
            system = held.enter_context(IntegratedSystem(config, state_dir=state, environ={}, clock=self.clock))
            run(system, READER)  # until a schedule is due for the first time there would be nothing to be asked for
            times, ended = Times(), list[PipelineRun]()
            leading = Leading(system, lambda _: None)
            worker = queue_worker(system, told=ended.append)
            for part in (leading, worker):
                held.callback(part.close)
            services = [Judging(system, leading.leads), Maintaining(system, leading.leads)]
            alerting = held.enter_context(closing(Alerting(system)))
            client = held.enter_context(closing(ApiHere(system))).client(READER)
            asked, names = cycle(QUESTIONS), cycle(dataset.name for dataset in system.settings.datasets)
            drawn = held.enter_context(_drawn(config, state, self.clock)) if self.pages else None
            for number in range(1, count + 1):
                times.clear()
                for _ in range(minutes):
                    self.clock.advance(60.0)
                    leading.step()
                    took = _timed(worker.drain)
                    self.runs += len(ended)
                    if ended:
                        times.runs.append(took / len(ended))
                    ended.clear()
                    for service in services:
                        service.step()
                    alerting.step()
                    for ask in islice(asked, self.questions):
                        times.questions.append(_timed(partial(ask, client, next(names))))
                    if drawn is not None:
                        times.pages.append(_timed(drawn))
                yield measured(number, times, state, self.clock.time())


def _raised(_: object, error: Exception) -> None:
    raise error


def _timed(work: Callable[[], Any]) -> float:
    began = time.process_time()  # of all threads; how busy the machine is beside us is not ours
    work()
    return time.process_time() - began


@contextmanager
def _drawn(config: Path, state: Path, clock: ManualClock) -> Iterator[Callable[[], None]]:
    """Draws the next page, with the eyes of somebody who follows a link."""
    import pytest
    from streamlit.testing.v1 import AppTest
    from streamlit.util import calc_hash

    from dashboard import shell
    from integrated_system import ROOT

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ORCHESTRATOR_CONFIG", str(config))
        patch.setenv("ORCHESTRATOR_APP__STATE_DIR", str(state))
        patch.setattr("dashboard.login.at_this_machine", lambda: True)
        patch.setattr("dashboard.shell.broken_page", _raised)  # what users see as a face
        patch.setattr("dashboard.shell.IntegratedSystem", partial(IntegratedSystem, clock=clock))
        patch.setattr("streamlit.runtime.scriptrunner_utils.script_run_context._LOGGER.disabled", True)  # a line a page
        patch.setattr("streamlit.components.v2.manifest_scanner.scan_component_manifests", lambda *_: [])
        names = cycle(shell.PAGES)

        def draw() -> None:
            name = next(names)
            app = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=120)
            app._page_hash = calc_hash(name)
            app.run()
            if app.exception:
                raise AssertionError(f"the page {name} broke: {app.exception[0].value}")

        try:
            yield draw
        finally:
            source, actions = shell.process(str(config), str(state))
            actions.close()
            source.close()
            shell.process.clear()
