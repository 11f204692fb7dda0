"""The API without a network: a transport for `Client` that asks an application in this process."""

import asyncio
import threading
from concurrent.futures import TimeoutError as Late
from functools import partial
from typing import TYPE_CHECKING

import httpx

from api.app import create_app
from api.client import Client
from api.security import KNOWN
from integrated_system import IntegratedSystem
from operations.actor import Actor

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["ApiHere"]


class ApiHere:
    """The API over one installation, which stays the caller's to close. For any thread.

    An answer is read whole before it is given, so what never ends (`follow`) is not for it: wait with `queries.wait`.

    """

    def __init__(self, system: IntegratedSystem) -> None:
        self._guard = threading.Lock()
        self._clients: dict[tuple[Actor, float], Client] = {}
        self._app = create_app(system)
        self._life = self._app.router.lifespan_context(self._app)
        self._loop = asyncio.new_event_loop()
        # A daemon: a process that is told to end does not wait for whoever forgot to close.
        self._thread = threading.Thread(target=self._loop.run_forever, name="api-here", daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._life.__aenter__(), self._loop).result()

    def client(self, actor: Actor, *, patience: float = 30.0) -> Client:
        """The client of somebody whose role is known here: no token is asked for.

        Args:
            patience: Seconds to wait for an answer; then `ApiError`, as if nobody had answered.
        """
        with self._guard:
            if (client := self._clients.get((actor, patience))) is None:
                transport = _Transport(self, actor)
                client = Client("http://localhost", transport=transport, timeout=patience, tries=1)
                self._clients[actor, patience] = client
            return client

    def close(self) -> None:
        """End what is under way, within a second."""
        for client in self._clients.values():
            client.close()
        asyncio.run_coroutine_threadsafe(self._life.__aexit__(None, None, None), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def ask(self, actor: Actor, request: httpx.Request) -> httpx.Response:
        """The answer to a request, made in the application's own thread.

        Raises:
            httpx.ReadTimeout: there was none in time; what was begun goes on.
        """
        patience = request.extensions["timeout"]["read"]
        answer = asyncio.run_coroutine_threadsafe(self._answer(actor, request), self._loop)
        try:
            return answer.result(patience)
        except Late:
            answer.cancel()
            raise httpx.ReadTimeout(f"no answer within {patience:g} s", request=request) from None

    async def _answer(self, actor: Actor, request: httpx.Request) -> httpx.Response:
        transport = httpx.ASGITransport(partial(_known, self._app, actor), raise_app_exceptions=False)
        asked = httpx.Request(request.method, request.url, headers=request.headers, content=request.content)
        response = await transport.handle_async_request(asked)
        body = b"".join([part async for part in response.stream])  # type: ignore[union-attr]  # of an async transport
        return httpx.Response(response.status_code, headers=response.headers, content=body)


async def _known(app: "ASGIApp", actor: Actor, scope: "Scope", receive: "Receive", send: "Send") -> None:
    scope["extensions"] = {**scope.get("extensions", {}), KNOWN: actor}
    await app(scope, receive, send)


class _Transport(httpx.BaseTransport):
    def __init__(self, here: ApiHere, actor: Actor) -> None:
        self._here, self._actor = here, actor

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        return self._here.ask(self._actor, request)
