"""Watches a test run and the server that it tests: what goes wrong becomes an alert that names the test."""

import shlex
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitoring.alerting.alert import AlertType
from monitoring.service_event import ServiceEvent, Why

if TYPE_CHECKING:
    from monitoring.alerting.manager import AlertManager
    from monitoring.progressive import ProgressiveMonitor
    from monitoring.supervisor import Supervisor
    from monitoring.watchdog import ProcessWatchdog

__all__ = ["Options", "TestWatch"]

HOST_AFTER_S = 10.0
"""Seconds after which the host is watched: a short test run is over by then, and pays nothing."""

_PROBE_S = 2.0

_INNERMOST = 12
"""Frames of each thread that are told: a message is cut at its end, and the end is where the test stands."""

_OF_SERVER: dict[Why, AlertType] = {
    "slow_start": AlertType.SERVER_SLOW,
    "permission": AlertType.PERMISSION_ERROR,
    "given_up": AlertType.CRITICAL,
}


@dataclass(frozen=True, slots=True)
class Options:
    """What the plugin was told.

    Attributes:
        server: Command that starts the server under test, in the foreground; "": there is none to start.
        address: Where it serves.
        ready: Asked until it answers with a status below 400; "": the address.
        limits: Seconds that its first, second, … start may take.
        alerts: Folder that gets each alert as a file; None: none.
        channels: Apprise URLs that are told.
        test_timeout: Seconds after which a test that still runs is told of; 0: never.
        host: Whether the host is watched.
    """

    server: str = ""
    address: str = ""
    ready: str = ""
    limits: tuple[float, ...] = (90.0, 120.0, 180.0, 240.0)
    alerts: Path | None = None
    channels: tuple[str, ...] = ()
    test_timeout: float = 300.0
    host: bool = True


class TestWatch:
    """One test run. Its parts are made when they are needed, so that a healthy run is as quick as without it.

    Attributes:
        level: `CRITICAL` from the moment that the server is away until it is ready again, else `NORMAL`.
        seen: Titles of the alerts, in order, with their type.
    """

    __test__ = False  # pytest: no test class, whatever its name

    def __init__(self, options: Options) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._running: dict[str, None] = {}  # the tests at this moment, in order
        self._alerts: AlertManager | None = None
        self._server: Supervisor | None = None
        self._watchdog: ProcessWatchdog | None = None
        self._host: ProgressiveMonitor | None = None
        self._host_soon: threading.Timer | None = None
        self.level = "NORMAL"
        self.seen: list[tuple[AlertType, str]] = []

    # --- the run

    def begin(self) -> str:
        """Start what is to be watched; gives why the server could not be started, "" when all is well."""
        if self._options.server:
            from monitoring.supervisor import Supervisor

            self._server = Supervisor(
                "server under test",
                shlex.split(self._options.server),
                ready=self._is_ready if self._url else None,
                limits=self._options.limits,
            )
            self._server.on_event(self._hear_of_server)
            self._server.start().wait_ready()
        if self._options.host:
            self._host_soon = soon = threading.Timer(HOST_AFTER_S, self._watch_host)
            soon.daemon = True
            soon.start()
        return self.missing()

    def end(self) -> None:
        """Stop the server and the watch; alerts get a moment to go out."""
        with self._lock:
            soon, self._host_soon = self._host_soon, None
        if soon is not None:
            soon.cancel()
        if self._server is not None:
            self._server.stop()
        with self._lock:
            host, self._host = self._host, None
            alerts = self._alerts
        if host is not None:
            host.stop()
        if self._watchdog is not None:
            self._watchdog.stop()
        if alerts is not None:
            alerts.close()

    # --- a test

    def missing(self) -> str:
        """Wait until the server is ready, as long as it is tried; gives why it will not be, or ""."""
        if self._server is None or self._server.state == "ready" or self._server.wait_ready():
            return ""
        output, tries = "\n".join(self._server.output()), self._server.attempt
        counted = f"{tries} {'try' if tries == 1 else 'tries'}"
        told = f"the server under test is not there, after {counted}: {self._server.reason}"
        return told + (output and f":\n{output}")

    def test_begins(self, name: str) -> None:
        with self._lock:
            self._running[name] = None
        if self._options.test_timeout > 0:
            self._beat(name)

    def test_ended(self, name: str) -> None:
        with self._lock:
            self._running.pop(name, None)
        if self._watchdog is not None:
            self._watchdog.forget(name)

    def test_failed(self, name: str, message: str) -> None:
        """A phase of it failed; `message`: the line that says why."""
        if message.startswith("PermissionError") or "[Errno 13]" in message:
            kind = AlertType.PERMISSION_ERROR
        elif "pytest-timeout" in message or message.startswith("Failed: Timeout"):
            kind = AlertType.TEST_TIMEOUT
        else:
            kind = AlertType.TEST_FAILED
        if self.level == "CRITICAL":
            message += "\nThe server under test was away at that time."
        self._send("error", kind, f"{_WORDS[kind]}: {name}", message)

    # --- what is heard

    def _hear_of_server(self, event: ServiceEvent) -> None:
        if event.what == "unavailable":
            kind = _OF_SERVER.get(event.why, AlertType.SERVER_DOWN)
            self._set_level("CRITICAL")
            during = self._during()
            lines = (f"It happened during {during}." if during else "", *event.output)
            title = f"{_WORDS[kind]}: {event.reason}"
            self._send(
                "critical", kind, f"{title} (during {during})" if during else title, "\n".join(filter(None, lines))
            )
        elif event.what == "recovered":
            self._set_level("NORMAL")
            self._send("info", AlertType.SERVER_DOWN, f"Server under test: {event.reason}", "")

    def _hear_of_silence(self, event: ServiceEvent) -> None:
        if event.what != "unavailable":
            return
        stacks = "\n\n".join("\n".join((stack.thread, *stack.frames[-_INNERMOST:])) for stack in event.stacks)
        title = f"{_WORDS[AlertType.TEST_TIMEOUT]}: {event.service} runs for more than {event.limit_s:g} s"
        self._send("error", AlertType.TEST_TIMEOUT, title, stacks)

    def _hear_of_host(self, notice: Any) -> None:
        from monitoring.progressive import Overloaded

        if isinstance(notice, Overloaded):
            during = self._during()
            words = notice.words() + (f" (during {during})" if during else "")
            self._send("critical", AlertType.RESOURCE_CRITICAL, f"{_WORDS[AlertType.RESOURCE_CRITICAL]}: {words}", "")

    # --- parts

    @property
    def _url(self) -> str:
        return self._options.ready or self._options.address

    def _is_ready(self) -> bool:
        from monitoring.probes import http

        return bool(http(self._url, _PROBE_S)())

    def _beat(self, name: str) -> None:
        if self._watchdog is None:
            from monitoring.watchdog import ProcessWatchdog

            self._watchdog = ProcessWatchdog("test run").start()
            self._watchdog.on_event(self._hear_of_silence)
        self._watchdog.heartbeat(name, self._options.test_timeout)

    def _watch_host(self) -> None:
        from monitoring.progressive import ProgressiveMonitor
        from utils.host import MetricsCollector

        host = ProgressiveMonitor(MetricsCollector().collect)
        host.on_notice(self._hear_of_host)
        with self._lock:
            if self._host_soon is None:  # the run has ended meanwhile
                host.stop()
                return
            self._host = host
        host.set_level(self.level)
        host.start()

    def _set_level(self, level: str) -> None:
        self.level = level
        if self._host is not None:
            self._host.set_level(level, reason="the server under test")

    def _during(self) -> str:
        with self._lock:
            return ", ".join(self._running)

    def _send(self, level: str, kind: AlertType, title: str, message: str) -> None:
        with self._lock:
            if self._alerts is None:
                from monitoring.alerting.manager import AlertManager
                from utils.redaction import Redactor

                redactor = Redactor(secrets=lambda: self._options.channels)
                channels = {f"channel_{number}": url for number, url in enumerate(self._options.channels, 1)}
                self._alerts = AlertManager(self._options.alerts, channels, app="pytest", redacted=redactor.text)
            alerts = self._alerts
        if alerts.send(level=level, type=kind, title=title, message=message, source="pytest") is not None:
            self.seen.append((kind, title))


_WORDS: dict[AlertType, str] = {
    AlertType.PERMISSION_ERROR: "Permission denied",
    AlertType.SERVER_DOWN: "Server down",
    AlertType.SERVER_SLOW: "Server slow",
    AlertType.RESOURCE_CRITICAL: "Resource critical",
    AlertType.TEST_TIMEOUT: "Test timeout",
    AlertType.TEST_FAILED: "Test failed",
    AlertType.CRITICAL: "Critical",
}
