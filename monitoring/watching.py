"""The parts that watch this host and tell people, each built when it is first asked for."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from utils.state import State

if TYPE_CHECKING:
    from config.loading import Loaded
    from config.settings import Settings
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
