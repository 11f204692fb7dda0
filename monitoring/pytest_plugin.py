"""A plugin for pytest: `-p monitoring.pytest_plugin` starts and watches the server under test, and tells what fails.

Only the process that leads a run watches; the workers of pytest-xdist test.
"""

from collections.abc import Generator
from pathlib import Path
from typing import NamedTuple

import pytest

from monitoring.server_under_test import Options, TestWatch

__all__ = ["MonitoredServer"]

_NAME = "monitoring-watch"
_ONLY_LOOKS = ("collectonly", "help", "showfixtures", "show_fixtures_per_test", "markers")


class MonitoredServer(NamedTuple):
    """What a test may know of the server under test. `address`: as configured."""

    address: str


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("monitor", "watch the server under test")
    group.addoption("--monitor-server", metavar="COMMAND", help="starts the server under test, in the foreground")
    group.addoption("--monitor-address", metavar="URL", help="where it serves; tests get it as `monitored_server`")
    group.addoption("--monitor-ready", metavar="URL", help="asked until it answers; default: the address")
    group.addoption("--monitor-alerts", metavar="FOLDER", help="gets each alert as a file")
    parser.addini("monitor_server", "starts the server under test, in the foreground", default="")
    parser.addini("monitor_address", "where it serves", default="")
    parser.addini("monitor_ready", "asked until it answers; default: the address", default="")
    parser.addini("monitor_alerts", "a folder that gets each alert as a file", default="")
    parser.addini("monitor_channels", "Apprise URLs that are told", type="linelist", default=[])
    parser.addini(
        "monitor_limits", "seconds that each start may take", type="args", default=["90", "120", "180", "240"]
    )
    parser.addini("monitor_test_timeout", "seconds after which a test that runs is told of; 0: never", default="300")
    parser.addini("monitor_host", "whether the host is watched", type="bool", default=True)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    only_looks = any(getattr(config.option, name, False) for name in _ONLY_LOOKS)
    if hasattr(config, "workerinput") or only_looks:
        return
    config.pluginmanager.register(_Watching(config, TestWatch(_options(config))), _NAME)


@pytest.fixture(scope="session")
def monitored_server(request: pytest.FixtureRequest) -> MonitoredServer:
    """The server under test; a test that asks for it needs an address to be configured."""
    address = _of(request.config, "address")
    if not address:
        raise pytest.UsageError("no server under test: give --monitor-address or `monitor_address`")
    return MonitoredServer(address)


class _Watching:
    """The hooks of a run that is watched."""

    def __init__(self, config: pytest.Config, watch: TestWatch) -> None:
        self._config = config
        self.watch = watch

    def pytest_sessionstart(self) -> None:
        if missing := self.watch.begin():
            self.watch.end()
            pytest.exit(missing, returncode=pytest.ExitCode.TESTS_FAILED)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """No test meets a server that is being started again: it waits."""
        if missing := self.watch.missing():
            item.session.shouldfail = missing.partition("\n")[0]
            pytest.fail(missing, pytrace=False)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.watch.test_begins(nodeid)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self.watch.test_ended(nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.watch.test_failed(report.nodeid, _why(report))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.watch.seen:
            terminalreporter.section("alerts")
            for kind, title in self.watch.seen:
                terminalreporter.write_line(f"{kind}: {title}")

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(self) -> Generator[None]:
        try:
            yield
        finally:
            self.watch.end()


def _why(report: pytest.TestReport) -> str:
    """The line that says why it failed: the exception, or the last line of what there is."""
    crash = getattr(report.longrepr, "reprcrash", None)
    told = str(crash.message) if crash is not None else report.longreprtext
    return told.strip() or "it failed without saying why"


def _of(config: pytest.Config, name: str) -> str:
    return str(config.getoption(f"--monitor-{name}") or config.getini(f"monitor_{name}"))


def _options(config: pytest.Config) -> Options:
    try:
        limits = tuple(float(limit) for limit in config.getini("monitor_limits"))
        timeout = float(config.getini("monitor_test_timeout"))
    except ValueError as error:
        raise pytest.UsageError(f"monitor_limits and monitor_test_timeout are seconds: {error}") from None
    if not limits or min(limits) <= 0:
        raise pytest.UsageError("monitor_limits: give at least one limit, in seconds above 0")
    for name in ("address", "ready"):
        if (url := _of(config, name)) and not url.startswith(("http://", "https://")):
            raise pytest.UsageError(f"monitor_{name}: give an address that begins with http or https, not {url!r}")
    alerts = _of(config, "alerts")
    return Options(
        server=_of(config, "server"),
        address=_of(config, "address"),
        ready=_of(config, "ready"),
        limits=limits,
        alerts=config.rootpath / Path(alerts) if alerts else None,
        channels=tuple(config.getini("monitor_channels")),
        test_timeout=timeout,
        host=bool(config.getini("monitor_host")),
    )
