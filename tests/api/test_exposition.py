"""The page for Prometheus: kept new while somebody scrapes it, and never older than promised."""

import asyncio
from collections.abc import Callable

import httpx
import pytest
from fastapi import FastAPI

from api.metrics import EVERY_S, OLDEST_S, SCRAPED_S, Exposition
from integrated_system import IntegratedSystem
from operations.metrics import as_prometheus
from operations.recent_runs import RecentRuns
from tests.api.serving import asked
from tests.integration.installation import Installation
from utils.clock import ManualClock
from utils.events import NewEvent

SELDOM = 600.0
OFTEN = 0.001


class Pages:
    """Counts how often the figures were taken; may fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.taken = 0
        self.fails = False
        monkeypatch.setattr("api.metrics.as_prometheus", self.take)

    def take(self, system: IntegratedSystem, recent: RecentRuns) -> str:
        self.taken += 1
        if self.fails:
            raise OSError("gone")
        return as_prometheus(system, recent)


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> Pages:
    return Pages(monkeypatch)


def every(seconds: float) -> "Callable[[FastAPI], None]":
    """Pages so many seconds apart, and a path that changes something."""

    def extend(app: FastAPI) -> None:
        state = app.state
        state.exposition = Exposition(state.system, state.cached, state.figures, state.stopping, every=seconds)

        @app.post("/change")
        async def change() -> int:
            return 1

        @app.get("/kept")
        async def kept() -> bool:
            return bool(state.exposition.kept)

    return extend


def events(page: httpx.Response) -> int:
    """How many there are in the log, as the page says."""
    (line,) = [line for line in page.text.splitlines() if line.startswith("orchestrator_events ")]
    return int(line.split()[1])


async def until(client: httpx.AsyncClient, path: str, true: "Callable[[httpx.Response], bool]") -> None:
    """Ask until the answer is so: the keeper works beside."""
    async with asyncio.timeout(120):
        while not true(await client.get(path)):
            await asyncio.sleep(0.001)


def test_the_page_is_kept_new_while_somebody_scrapes(installation: Installation) -> None:
    """A scrape finds what happened since, though it waits for nothing; no longer when nobody came for a while."""
    clock = ManualClock()
    with installation.system(clock) as system:

        async def talk(client: httpx.AsyncClient) -> bool:
            first = events(await client.get("/metrics"))
            await asyncio.to_thread(system.events.append, [NewEvent("thing.happened", "x")])
            clock.advance(EVERY_S)
            await until(client, "/metrics", lambda page: events(page) > first)
            kept = (await client.get("/kept")).json()
            clock.advance(SCRAPED_S + 1)
            await until(client, "/kept", lambda told: told.json() is False)
            return bool(kept)

        assert asked(system, talk, extend=every(OFTEN))


def test_a_scrape_waits_for_figures_that_are_too_old(installation: Installation, pages: Pages) -> None:
    """Young ones are given again; whoever changed something finds it in them."""
    clock = ManualClock()
    with installation.system(clock) as system:

        async def talk(client: httpx.AsyncClient) -> list[int]:
            found = []
            for age in (0.0, EVERY_S, OLDEST_S):
                clock.advance(age)
                await client.get("/metrics")
                found.append(pages.taken)
            await client.post("/change")
            await client.get("/metrics")
            return [*found, pages.taken]

        assert asked(system, talk, extend=every(SELDOM)) == [1, 1, 2, 3]


def test_what_hinders_is_told_and_passes(installation: Installation, pages: Pages) -> None:
    """An error is kept for nobody: the page before it neither."""
    clock = ManualClock()
    with installation.system(clock) as system:

        async def talk(client: httpx.AsyncClient) -> int:
            assert (await client.get("/metrics")).status_code == 200
            pages.fails = True
            clock.advance(EVERY_S)
            await until(client, "/metrics", lambda told: told.status_code == 500)
            pages.fails = False  # one that was being taken just then may still fail for who waits for it
            await until(client, "/metrics", lambda told: told.status_code == 200)
            return (await client.get("/metrics")).status_code

        assert asked(system, talk, extend=every(OFTEN)) == 200
