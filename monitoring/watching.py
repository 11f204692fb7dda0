"""The parts that watch this host and tell people, each built when it is first asked for."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from utils.state import State

if TYPE_CHECKING:
    from config.loading import Loaded
    from config.settings import Settings
    from monitoring.alerting.alert import Alert
    from monitoring.alerting.channels import Channel
    from monitoring.alerting.letter import Post
    from monitoring.alerting.manager import AlertManager
    from monitoring.alerting.outbox import Outbox
    from monitoring.progressive import ProgressiveMonitor
    from utils.host import MetricsCollector

__all__ = ["Watching"]


class Watching(State):
    """What is kept, and the parts that watch and tell. Who builds the whole gives settings and state directory."""

    if TYPE_CHECKING:

        @cached_property
        def loaded(self) -> Loaded: ...

        @cached_property
        def settings(self) -> Settings: ...

        @cached_property
        def state_dir(self) -> Path: ...

    @cached_property
    def host(self) -> "MetricsCollector":
        """The samples of this machine: a burst of readers costs one."""
        from utils.host import MetricsCollector
        from utils.host.processes import ProcessTable

        return MetricsCollector(
            self.clock,
            ttl=0.25,
            disk_path=self.state_dir,
            processes=ProcessTable(self.clock),
            canaries=self.settings.network.addresses,
            redacted=self.loaded.known.redacted,
        )

    @cached_property
    def progressive(self) -> "ProgressiveMonitor":
        """Watches this machine, once somebody steps it (`operations.monitor`)."""
        from monitoring.progressive import Level, ProgressiveMonitor, Thresholds

        asked = self.settings.monitor
        limits = Thresholds(asked.thresholds.cpu, asked.thresholds.memory, asked.thresholds.disk)
        return ProgressiveMonitor(self.host.collect, thresholds=limits, level=Level(asked.level), clock=self.clock)

    @property
    def alerts_dir(self) -> Path:
        """Where alerts are kept as files."""
        return self.state_dir / "alerts"

    @cached_property
    def alert_channels(self) -> "Mapping[str, Channel]":
        """How people are told, by the name of the channel."""
        from monitoring.alerting.channels import channels_of

        asked = self.settings.alerts.channels
        return channels_of(asked, app=self.settings.app.name, redacted=self.loaded.known.redacted)

    @cached_property
    def alert_outbox(self) -> "Outbox":
        """What is to be sent, and how far that is."""
        from monitoring.alerting.outbox import Outbox

        return Outbox(self.database, lambda events, change: self.events.append(events, guard=change), clock=self.clock)

    @cached_property
    def alerts(self) -> "AlertManager":
        """Tells people and programs, through the outbox of this installation."""
        from monitoring.alerting.manager import AlertManager

        return AlertManager(
            self.alerts_dir,
            self.settings.alerts.channels,
            app=self.settings.app.name,
            clock=self.clock,
            redacted=self.loaded.known.redacted,
            deliver=self._raise_alert,
        )

    def _raise_alert(self, alert: "Alert", posts: "list[Post]") -> None:
        from utils.events import NewEvent

        said = {"id": alert.id, "level": alert.level, "type": alert.type, "title": alert.title}
        news = NewEvent("alert.raised", alert.source or alert.type, said, source="alerting")
        self.alert_outbox.put(posts, [news])
