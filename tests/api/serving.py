"""The API in tests: asked in process, without a socket; or served on a free port, as users have it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

import httpx
from fastapi import FastAPI

from api.app import create_app
from api.serving import ApiService
from integrated_system import IntegratedSystem

R = TypeVar("R")

HERE = "http://127.0.0.1"


@asynccontextmanager
async def client_of(app: FastAPI, address: str = "127.0.0.1"):
    """A client of an application in this process, once it has started, until it has ended."""
    transport = httpx.ASGITransport(app, client=(address, 1))
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url=HERE) as client:
        yield client


def asked(
    system: IntegratedSystem,
    talk: Callable[[httpx.AsyncClient], Awaitable[R]],
    *,
    extend: Callable[[FastAPI], Any] = lambda _: None,
) -> R:
    """What a talk with the API gives. `extend` adds routes of the test's own."""

    async def whole() -> R:
        app = create_app(system)
        extend(app)
        async with client_of(app) as client:
            return await talk(client)

    return asyncio.run(whole())


@contextmanager
def served(system: IntegratedSystem) -> Iterator[str]:
    """The API on a free port of this machine; yields its address."""
    service = ApiService(system, host="127.0.0.1", port=0)
    service.bind()
    service.step()
    try:
        yield service.url
    finally:
        service.close()
