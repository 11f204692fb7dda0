"""What the API does, in numbers: requests by path and outcome, how long they took, who listens live."""

from time import perf_counter
from typing import TYPE_CHECKING

from operations.metrics import Metrics

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from api.live import Live

__all__ = ["Figures", "Measured"]

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Figures:
    """Of one application, since it started. Paths are those of the routes, so that there are as many as routes."""

    def __init__(self, live: "Live") -> None:
        self.metrics = Metrics()
        self._live = live
        requests = self.metrics.counter(
            "orchestrator_api_requests_total", "Requests answered", labels=("method", "path", "status")
        )
        self._requests = requests
        self._seconds = self.metrics.histogram(
            "orchestrator_api_request_seconds", "Time to the end of an answer; live streams left out"
        ).labels()
        self._clients = self.metrics.gauge("orchestrator_api_live_clients", "Who listens live now").labels()
        self._clients.set_function(lambda: live.clients)
        self._under_way = self.metrics.gauge("orchestrator_api_requests_in_progress", "Being answered now").labels()
        self._told = self.metrics.counter(
            "orchestrator_api_live_events_total", "Events for live clients", labels=("outcome",)
        )
        self._counted = (0, 0)
        self.answered, self.failed, self.seconds = 0, 0, 0.0

    def note(self, scope: "Scope", status: int, seconds: float) -> None:
        """A request was answered."""
        path = getattr(scope.get("route"), "path", "other")  # what no route takes is one path, whatever was asked
        method = scope["method"] if scope["method"] in METHODS else "other"
        self._requests.inc(method=method, path=path, status=f"{status // 100}xx" if status else "none")
        if not path.endswith("/follow"):
            self._seconds.observe(seconds)
            self.answered, self.seconds = self.answered + 1, self.seconds + seconds
            self.failed += not 0 < status < 500

    def begun(self, more: int) -> None:
        """So many more are under way."""
        self._under_way.inc(more)

    def text(self) -> str:
        """In the format of Prometheus."""
        handed, lost = self._live.delivered, self._live.dropped
        for outcome, now, before in (("queued", handed, self._counted[0]), ("dropped", lost, self._counted[1])):
            self._told.inc(now - before, outcome=outcome)
        self._counted = (handed, lost)
        return self.metrics.to_prometheus()


class Measured:
    """The layer around all others that counts."""

    def __init__(self, app: "ASGIApp", figures: Figures) -> None:
        self._app = app
        self._figures = figures

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = perf_counter(), 0

        async def told(message: "Message") -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._figures.begun(1)
        try:
            await self._app(scope, receive, told)
        finally:
            self._figures.begun(-1)
            self._figures.note(scope, status, perf_counter() - began)
