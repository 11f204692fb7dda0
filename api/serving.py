"""Serves the API over HTTP in a thread of its own, as a service beside others, until it is told to stop."""

import asyncio
import socket
import threading
from typing import TYPE_CHECKING, Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from api.app import create_app
from api.problems import MEDIA_TYPE, problem
from api.sockets import Sockets
from integrated_system import IntegratedSystem
from operations.actor import UsageError
from operations.api import get_logger
from operations.serving import Totals
from operations.tokens import refuse_open_bind

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI

    from api.figures import Figures

__all__ = ["ApiService"]

LOOK_S = 5.0
"""How soon it is noticed that the server ended, or that a port is free; then it is started again."""

HEAD_S = 10.0
"""A connection has sent a whole head of a request within this time, or it is closed."""

STOP_S = 3
"""Seconds that answers have to end once the server is told to."""

IDLE_S = 30
"""A connection without a request is kept so long: a Prometheus comes back every 15."""

CONNECTIONS = 2000
WS_LIMIT = 64 * 1024
"""Bytes of one message of a WebSocket client: it subscribes, it does not upload."""


class ApiService:
    """A service (`operations.serving`): the application on an address.

    Args:
        host, port: Default: as configured; port 0: any that is free.
        application: Makes what is served.

    Who calls `bind` first is told at once that a port is taken; else it is told in the log, and tried again.
    """

    name = "api"
    hears = False

    def __init__(
        self,
        system: IntegratedSystem,
        *,
        host: str | None = None,
        port: int | None = None,
        application: "Callable[[IntegratedSystem], FastAPI]" = create_app,
    ) -> None:
        asked = system.settings.api
        self._system = system
        self._application = application
        self._host = host or asked.host
        self._port = asked.port if port is None else port
        self._socket: socket.socket | None = None
        self._server: _Server | None = None
        self._figures: Figures | None = None
        self._thread: threading.Thread | None = None
        self._told = ""

    @property
    def url(self) -> str:
        """Where it is served, once it is bound."""
        host, port = self._host, self._port if self._socket is None else self._socket.getsockname()[1]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def bind(self) -> None:
        """Take the address; connections are answered once it is stepped.

        Raises:
            UsageError: it is taken, or no address of this machine; others reach it, and no token was made.
        """
        refuse_open_bind(self._system, self._host)
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        # Named as TCP: else asyncio would leave out TCP_NODELAY, and each answer would wait 40 ms for the client's ACK.
        taken = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind((self._host, self._port))
            taken.listen(2048)
        except OSError as error:
            taken.close()
            words = f"the API cannot listen on {self._host}, port {self._port}: {error.strerror or error}"
            raise UsageError(words, hint="another program may be there: choose `--port`, or `api.port`") from error
        self._socket = taken

    def step(self) -> float:
        """Start the server, when it does not run; gives the seconds until it is looked at again."""
        if self._thread is not None and self._thread.is_alive():
            return LOOK_S
        if self._thread is not None:
            get_logger("api").warning("api.ended", url=self.url)
            self._thread = self._socket = None
        if self._socket is None:
            try:
                self.bind()
            except UsageError as error:
                if self._told != (words := str(error)):  # once, not every few seconds
                    self._told = words
                    get_logger("api").warning("api.not_served", reason=words)
                return LOOK_S
        assert self._socket is not None, "bound above"
        try:
            app = self._application(self._system)
            self._server = _Server(app)
        except BaseException:  # connections would wait there for answers that nobody gives
            self._socket.close()
            self._socket = None
            raise
        self._figures = getattr(app.state, "figures", None)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), name="api-server")
        self._thread.start()
        get_logger("api").info("api.served", url=self.url)
        return LOOK_S

    def totals(self) -> Totals:
        """The requests that were answered; in error are those that are our fault."""
        found = self._figures
        return Totals() if found is None else Totals(found.answered, found.failed, found.seconds)

    def close(self) -> None:
        """End it: what is being answered has three seconds."""
        if self._server is not None:
            self._server.should_exit = True
        if self._thread is not None:
            self._thread.join()
        if self._socket is not None:
            self._socket.close()


class _Server(uvicorn.Server):
    """Tells the handlers when it is to end: those that wait for news would keep their sockets open for ever."""

    def __init__(self, app: "FastAPI") -> None:
        self._stopping: asyncio.Event = app.state.stopping
        super().__init__(
            uvicorn.Config(
                app,
                http=_Impatient,
                ws=Sockets,
                loop="asyncio",
                lifespan="on",
                log_config=None,
                log_level="critical",  # what goes wrong is in our own log, by the layer around every request
                access_log=False,
                proxy_headers=False,  # who says for whom it asks is not believed
                server_header=False,
                limit_concurrency=CONNECTIONS,
                timeout_keep_alive=IDLE_S,
                timeout_graceful_shutdown=STOP_S,
                ws_max_size=WS_LIMIT,
                ws_ping_interval=20.0,
                ws_ping_timeout=20.0,
                h11_max_incomplete_event_size=32 * 1024,
            )
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping.set()
        await super().shutdown(sockets)


class _Impatient(H11Protocol):
    """A connection that does not come to the point is closed: each holds a socket, and there are so many at most."""

    _waits: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait()

    def handle_events(self) -> None:
        super().handle_events()
        if self.cycle is not None and not self.cycle.response_complete:
            self._calm()
        elif self._waits is None and self.transport.get_protocol() is self:  # else it is a WebSocket by now
            self._wait()  # a part of a head: whole ones never come here

    def handle_websocket_upgrade(self, event: Any) -> None:
        self._calm()
        super().handle_websocket_upgrade(event)

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP is told in the form of all errors; whose request it is, nobody knows."""
        told = problem({"path": ""}, 400, "this is no HTTP request", hint="ask with an HTTP client")
        headers = [(b"content-type", MEDIA_TYPE.encode()), (b"connection", b"close")]
        for event in (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=bytes(told.body)),
            h11.EndOfMessage(),
        ):
            if (sent := self.conn.send(event)) is not None:
                self.transport.write(sent)
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._calm()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._waits = self.loop.call_later(HEAD_S, self._close)

    def _calm(self) -> None:
        if self._waits is not None:
            self._waits.cancel()
            self._waits = None

    def _close(self) -> None:
        self._waits = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
