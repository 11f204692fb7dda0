"""`/metrics`: the whole state as numbers, for Prometheus."""

import asyncio
import contextlib

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.cached import CachedReads, Ready
from api.figures import Figures
from api.negotiation import wanted
from api.problems import Refused
from integrated_system import IntegratedSystem
from operations.metrics import as_prometheus
from operations.recent_runs import RecentRuns

__all__ = ["Exposition", "router"]

router = APIRouter(tags=["monitoring"])

MEDIA_TYPE = "text/plain"
FORMAT = f"{MEDIA_TYPE}; version=0.0.4; charset=utf-8"

EVERY_S = 5.0
"""So often the figures are taken while somebody scrapes them: a scrape does not wait, and is hardly ever older."""

OLDEST_S = 10.0
"""No scrape is given figures older than this: it waits for new ones."""

SCRAPED_S = 90.0
"""Nobody scrapes any more when this long nobody came; most come once a minute or more often."""

_EXAMPLE = """# HELP orchestrator_dataset_age_seconds Age of our copy
# TYPE orchestrator_dataset_age_seconds gauge
orchestrator_dataset_age_seconds{dataset="earthquakes"} 610.2
"""


class Exposition:
    """The page of one application, and who keeps it new while somebody asks for it.

    Args:
        stopping: Set when the server ends.
        every: Seconds from one page to the next.
    """

    def __init__(
        self,
        system: IntegratedSystem,
        cached: CachedReads,
        figures: Figures,
        stopping: asyncio.Event,
        *,
        every: float = EVERY_S,
    ) -> None:
        self.recent = RecentRuns(system)
        self._clock = system.clock
        self._cached, self._figures = cached, figures
        self._stopping, self._every = stopping, every
        self._page: Ready | None = None
        self._taken_at = self._asked_at = 0.0
        self._own_changes = -1
        self._keeper: asyncio.Task[None] | None = None

    async def page(self) -> Ready:
        """The figures of now, a few seconds old at most; what this application changed is in them.

        Raises:
            Exception: they cannot be had; whatever hinders.
        """
        self._asked_at = now = self._clock.monotonic()
        if self._keeper is None and not self._stopping.is_set():
            self._keeper = asyncio.create_task(self._keep())
        known = self._page is not None and self._own_changes == self._cached.own_changes
        if self._page is not None and known and 0.0 <= now - self._taken_at <= OLDEST_S:
            return self._page
        return await self._take()

    @property
    def kept(self) -> bool:
        """Whether the page is made anew without being asked for."""
        return self._keeper is not None

    async def close(self) -> None:
        """Keep it no more."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])

    async def _take(self) -> Ready:
        began, changes = self._clock.monotonic(), self._cached.own_changes
        page = await self._cached.get(self, self._text, FORMAT)
        self._page, self._taken_at, self._own_changes = page, began, changes
        return page

    def _text(self, system: IntegratedSystem) -> str:
        return as_prometheus(system, self.recent) + self._figures.text()

    async def _keep(self) -> None:
        try:
            while not self._stopping.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), self._every)
                if self._stopping.is_set() or self._clock.monotonic() - self._asked_at > SCRAPED_S:
                    return
                try:
                    await self._take()
                except Exception:  # noqa: BLE001 - whoever asks next is told what hinders
                    self._page = None
        finally:
            self._keeper = None


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}, "example": _EXAMPLE}}}},
    summary="For Prometheus",
)
async def metrics(request: Request) -> Response:
    """The text format of Prometheus, version 0.0.4. Off with `api.exporter: false`, and by its variable."""
    system: IntegratedSystem = request.app.state.system
    if not system.settings.api.exporter:
        raise Refused(404, "there are no metrics here", hint="`api.exporter` is off in the configuration")
    wanted(request, (MEDIA_TYPE,))
    exposition: Exposition = request.app.state.exposition
    return await exposition.page()
