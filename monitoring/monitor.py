"""One object that watches a Python program: its host, its health, its threads; and tells people when it is not well."""

import atexit
import os
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from monitoring import monitor_words as words
from monitoring.health_loop import HealthLoop
from monitoring.monitor_settings import MonitorConfig, from_environment, from_file, from_mapping
from monitoring.sd_notify import SystemdNotifier
from monitoring.service_event import ServiceEvent
from monitoring.watchdog import ProcessWatchdog
from utils.clock import SYSTEM_CLOCK, Clock

if TYPE_CHECKING:
    from config.settings import Settings
    from monitoring.alerting.manager import AlertManager
    from monitoring.healing.healer import AutoHealer
    from monitoring.health import HealthResults
    from monitoring.health_changes import Standing
    from monitoring.health_checks import HealthChecks
    from monitoring.progressive import ProgressiveMonitor, Snapshot
    from monitoring.supervisor import Supervisor
    from utils.host import HostSample, MetricsCollector
    from utils.resilience.breaker import CircuitBreaker
    from utils.resilience.limiter import RateLimiter
    from utils.resilience.registry import ResilienceRegistry

__all__ = ["Detector", "Monitor"]

DETECTED = ("cpu_percent", "memory_percent", "disk_percent", "network_sent_bytes_s", "network_recv_bytes_s")
"""Figures of the host that a detector is given."""


class Detector(Protocol):
    """Finds what is strange in figures as they come; `data_pipeline.detect.stream.StreamDetector` is one."""

    def add_sample(self, metrics: Mapping[str, float]) -> object: ...

    def detect(self) -> Sequence[words.Finding]: ...


class Monitor:
    """Watches this program and its host from `start` to `stop`. Needs no configuration and no database.

    Its parts are there for the program: `alerts`, `watchdog`, `health`, `progressive`, `healer`, `resilience`. Each is
    made when it is first asked for.

    Args:
        config: The configuration's sections, as in a file; or a whole `Settings`. See `from_file`, `from_environment`.
        detector: Is given the host's figures; what it finds strange becomes an alert.
        dashboard: Start the web dashboard beside it, where `dashboard.host` and `dashboard.port` say.
        folder: Keeps alerts as files, what waits to be sent, and the dashboard's state; None: nothing is kept.

    Raises:
        ConfigError: the configuration is wrong; all its faults at once.

    >>> with Monitor({"app": {"name": "shop"}}) as monitor:
    ...     monitor.register_health_check("stock", lambda: True)
    ...     results = monitor.run_health_checks()
    >>> all(results.values()), results["stock"].healthy
    (True, True)
    """

    def __init__(
        self,
        config: "Mapping[str, Any] | Settings | MonitorConfig | None" = None,
        *,
        detector: Detector | None = None,
        dashboard: bool = False,
        folder: Path | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._config = config if isinstance(config, MonitorConfig) else from_mapping(config or {})
        self.settings = self._config.settings
        self._detector, self._wants_dashboard = detector, dashboard
        self._folder, self._clock = folder, clock
        self._lock = threading.RLock()
        self._started = False
        self._checking: HealthLoop | None = None
        self._standing: dict[str, Standing] = {}
        self._strange: dict[str, object] = {}
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._dashboard: Supervisor | None = None

    @classmethod
    def from_file(cls, path: Path | str, *, environ: Mapping[str, str] = os.environ, **options: Any) -> Self:
        """As a file in JSON (YAML, TOML) says; `options` as above.

        Raises:
            ConfigError: the file is not there, or wrong.
        """
        return cls(from_file(Path(path), environ), **options)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ, **options: Any) -> Self:
        """As variables say: `ORCHESTRATOR_APP__NAME=shop`, `ORCHESTRATOR_MONITOR__THRESHOLDS__CPU=[60, 80]`.

        Raises:
            ConfigError: a variable names no key, or its value is wrong.
        """
        return cls(from_environment(environ), **options)

    # --- its life

    def start(self) -> Self:
        """Watch from now on; nothing happens when it does already. A program that ends stops it by itself."""
        with self._lock:
            if self._started:
                return self
            self._started = True
            self.watchdog.start()
            if self.settings.monitor.enabled:
                self.progressive.start()
            self._checking = HealthLoop(self.health, self._note)
            if self._wants_dashboard:
                self._start_dashboard()
            atexit.register(self.stop)
        return self

    def stop(self) -> None:
        """Watch no more; alerts that wait get a moment to go out, the dashboard ends."""
        with self._lock:
            if not self._started:
                return
            self._started = False
            atexit.unregister(self.stop)
        if self._dashboard is not None:
            self._dashboard.stop()
        if self._checking is not None:
            self._checking.stop()
        self.watchdog.stop()
        if "progressive" in self.__dict__:
            self.progressive.stop()
        if "alerts" in self.__dict__:
            self.alerts.close()
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # --- what a program asks of it

    def collect(self) -> "HostSample":
        """One sample of host and process; readers within a quarter of a second share one."""
        return self.metrics.collect()

    def heartbeat(self, name: str = "", limit: float | None = None) -> None:
        """It works: to be called by a loop each time it comes by. See `ProcessWatchdog.heartbeat`."""
        self.watchdog.heartbeat(name, limit)

    def register_health_check(
        self,
        name: str,
        look: Callable[[], Any],
        *,
        timeout: float = 5.0,
        every: float = 30.0,
        parent: str | None = None,
    ) -> None:
        """Ask `look` how a part is: something true is well, what it raises is not. See `HealthCheck`.

        Args:
            timeout: Seconds after which it has failed.
            every: Seconds between two looks while the monitor is started; a change is an alert.
            parent: The check that explains this one when both fail.

        Raises:
            ValueError: timeout or interval are not above 0.
        """
        from monitoring.health_checks import HealthCheck

        self.health.add(HealthCheck(name, look, timeout=timeout, every=every, parent=parent))
        if (loop := self._checking) is not None:
            loop.wake()

    def run_health_checks(self) -> "HealthResults":
        """Ask all checks now. The results are true when they are well, and any web framework writes them as JSON."""
        results = self.health.run()
        self._note(results)
        return results

    def create_circuit_breaker(self, name: str, **settings: Any) -> "CircuitBreaker":
        """A circuit breaker, the same for the same name; `settings` as `CircuitBreaker` has them.

        Raises:
            ValueError: there is one with other settings, or there can be none with these.
        """
        return self.resilience.breaker(name, **settings)

    def create_rate_limiter(self, name: str, *, requests_per_second: float, burst: int | None = None) -> "RateLimiter":
        """A rate limiter, the same for the same name; `burst`: requests at once after a silence.

        Raises:
            ValueError: there is one with another rate, or there can be none with this.
        """
        return self.resilience.limiter(name, rate=requests_per_second, burst=burst)

    # --- its parts

    @cached_property
    def alerts(self) -> "AlertManager":
        """Tells people: `send`, `on_alert`."""
        from monitoring.alerting.manager import AlertManager

        return AlertManager(
            None if self._folder is None else self._folder / "alerts",
            self.settings.alerts.channels,
            app=self.settings.app.name,
            redacted=self._config.redacted,
            clock=self._clock,
        )

    @cached_property
    def watchdog(self) -> ProcessWatchdog:
        """Heartbeats, watched locks; systemd is told when it started the program."""
        notifier = SystemdNotifier.from_environment(clock=self._clock)
        made = ProcessWatchdog(
            self.settings.app.name, redacted=self._config.redacted, notifier=notifier, clock=self._clock
        )
        made.on_event(self._hear_of_service)
        return made

    @cached_property
    def health(self) -> "HealthChecks":
        """Named checks: those of the configuration, and those that were registered."""
        from monitoring.configured_checks import configured_checks

        return configured_checks(
            self.settings.monitor,
            newest=self.watchdog.last_heartbeat,
            redacted=self._config.redacted,
            clock=self._clock,
        )

    @cached_property
    def metrics(self) -> "MetricsCollector":
        """Samples of host and process."""
        from utils.host import MetricsCollector
        from utils.host.processes import ProcessTable

        return MetricsCollector(self._clock, ttl=0.25, processes=ProcessTable(self._clock))

    @cached_property
    def progressive(self) -> "ProgressiveMonitor":
        """Watches the host, the closer the worse it stands."""
        from monitoring.progressive import Level, ProgressiveMonitor, Thresholds

        asked = self.settings.monitor
        limits = Thresholds(asked.thresholds.cpu, asked.thresholds.memory, asked.thresholds.disk)
        made = ProgressiveMonitor(self.metrics.collect, thresholds=limits, level=Level(asked.level), clock=self._clock)
        made.on_notice(lambda notice: self._tell(words.of_host(notice)))
        made.on_snapshot(self._heal)
        if self._detector is not None:
            made.on_snapshot(self._detect)
        return made

    @cached_property
    def healer(self) -> "AutoHealer":
        """Treats what the program can mend itself, once it was asked for: `register_cache`, `register_handler`."""
        from monitoring.healing.healer import AutoHealer

        limits = self.settings.monitor.thresholds
        return AutoHealer(memory=limits.memory, disk=limits.disk, clock=self._clock)

    @cached_property
    def resilience(self) -> "ResilienceRegistry":
        """All breakers and limiters by name, with their figures."""
        from utils.resilience.registry import ResilienceRegistry

        return ResilienceRegistry(listener=lambda moved: self._tell(words.of_breaker(moved)), clock=self._clock)

    @property
    def dashboard(self) -> "Supervisor | None":
        """The dashboard's process, once it was started."""
        return self._dashboard

    # --- what it hears

    def _tell(self, notice: words.Notice | None) -> None:
        if notice is not None:
            with self._lock:
                alerts = self.alerts
            alerts.send(**notice._asdict(), source=self.settings.app.name)

    def _hear_of_service(self, event: ServiceEvent) -> None:
        self._tell(words.of_service(event))

    def _note(self, results: "HealthResults") -> None:
        from monitoring.health_changes import changes

        with self._lock:
            news, self._standing = changes(results, self._standing)
        for change in news:
            self._tell(words.of_health(change))

    def _heal(self, _: "Snapshot") -> None:
        if "healer" in self.__dict__:
            self.healer.step(self.metrics.collect())

    def _detect(self, snapshot: "Snapshot") -> None:
        assert self._detector is not None
        figures = {name: getattr(snapshot, name) for name in DETECTED}
        self._detector.add_sample({name: value for name, value in figures.items() if value is not None})
        found = {one.metric: one for one in self._detector.detect()}
        for metric, one in found.items():
            since = getattr(one, "since", None)
            if since is None or self._strange.get(metric) != since:  # an episode is told once
                self._tell(words.of_anomaly(one))
            self._strange[metric] = since

    def _start_dashboard(self) -> None:
        from monitoring.dashboard_process import dashboard_process

        if (folder := self._folder) is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="monitor-")
            folder = Path(self._temporary.name)
        self._dashboard = dashboard_process(self._config, folder)
        self._dashboard.on_event(self._hear_of_service)
        self._dashboard.start()
