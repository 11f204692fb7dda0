"""The application: its frame around every request, and its routers, one line each."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import APIRouter, FastAPI

from api import document, problems
from api.asking import Asking
from api.cached import CachedReads
from api.correlation import Correlation
from api.figures import Figures, Measured
from api.idempotency import Idempotency
from api.keys import Keys
from api.limits import Limits
from api.live import Live
from api.metrics import Exposition
from api.security import Door
from integrated_system import IntegratedSystem
from operations.verification import Prover
from operations.version import release

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["create_app"]

NOT_PACKED = (
    "text/event-stream",
    "application/vnd.apache.arrow.stream",
    "application/vnd.apache.parquet",
    "application/octet-stream",
)
"""Streams, of which each piece goes out at once; and what is packed already."""

DESCRIPTION = """The same system for programs: what the command line and the dashboard do.

Bodies are those of `--json`. Errors are `application/problem+json`."""

TAGS = (
    ("datasets", "What is delivered: rows, versions, quality, history."),
    ("runs", "Runs and backfills: asked for, followed, called off."),
    ("providers", "Circuits and limits of who serves the data."),
    ("metrics", "Numbers over time, and what is unlikely about them."),
    ("events", "The log."),
    ("incidents", "What is wrong, since when, and who takes it."),
    ("system", "Schedules, maintenance, configuration, cache, health."),
    ("monitoring", "Paths that monitoring clients use, live alerts, probes."),
)


def create_app(system: IntegratedSystem) -> FastAPI:
    """An application over one installation, which stays the caller's to close.

    `app.state` holds `system`, `asking` (the threads), `cached` (answers to reads), `live` (who listens), `figures`,
    `prover` (of the log) and `stopping`, an event that is set when the server is told to end: who waits for something
    else waits for it as well.
    """
    asking = Asking(system)
    cached = CachedReads(asking)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        cached.listen()
        try:
            yield
        finally:
            app.state.stopping.set()
            await app.state.exposition.close()
            await app.state.live.close()
            await asyncio.to_thread(app.state.prover.close)
            await asyncio.to_thread(cached.close)
            await asyncio.to_thread(asking.close)

    app = FastAPI(
        title=system.settings.app.name,
        description=DESCRIPTION,
        version=release(),
        openapi_tags=[{"name": name, "description": words} for name, words in TAGS],
        responses=problems.PROBLEMS,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.system, app.state.asking, app.state.cached = system, asking, cached
    app.state.stopping = asyncio.Event()
    app.state.live = Live(asking, app.state.stopping)
    app.state.figures = Figures(app.state.live)
    app.state.prover = Prover(system)
    app.state.exposition = Exposition(system, cached, app.state.figures, app.state.stopping)
    problems.install(app)
    document.install(app)
    _frame(app, system, asking, cached)
    for router in _routers():
        app.include_router(router)
    return app


def _frame(app: FastAPI, system: IntegratedSystem, asking: Asking, cached: CachedReads) -> None:
    """What is around every request; what is added last is outermost."""
    from starlette.middleware.gzip import GZipMiddleware

    app.add_middleware(Idempotency, system=system, asking=asking)
    app.add_middleware(GZipMiddleware, minimum_size=1024, compresslevel=5, exclude_content_types=NOT_PACKED)
    app.add_middleware(Limits, system=system, stopping=app.state.stopping)
    app.add_middleware(Door, system=system, keys=Keys(asking, lambda: cached.heard))
    if origins := system.settings.api.cors:
        from starlette.middleware.cors import CORSMiddleware

        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "X-Request-ID"],
            expose_headers=["ETag", "Location", "Retry-After", "X-Request-ID"],
        )
    app.add_middleware(Correlation, system=system, changed=cached.written, stopping=app.state.stopping)
    app.add_middleware(Measured, figures=app.state.figures)


def _routers() -> "Sequence[APIRouter]":
    """Whoever serves paths is named here."""
    from api import live_socket, live_stream, metrics, monitoring, probes, routes

    # First, for `/events/follow` is no number of an event.
    beside = (probes.router, monitoring.router, metrics.router, live_stream.router, live_socket.router)
    return (*beside, *routes.ALL)
