"""Builds the parts of the system from the configuration, each when it is first asked for; `operations` uses them.

As a program: `python integrated_system.py COMMAND` (see `--help`); without a command it runs the pipeline, does overdue
maintenance and shows the state. As a library:

    with IntegratedSystem() as system:
        frame = system.load("earthquakes")
"""

import os
import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitoring.watching import Watching
from utils.clock import SYSTEM_CLOCK, Clock

if TYPE_CHECKING:
    from config.loading import Loaded
    from config.settings import Settings
    from data_pipeline.collect.resilient import ResilientCollector
    from data_pipeline.pipeline import Pipeline
    from data_pipeline.publish.publish import Outbox
    from data_pipeline.runner import Runner
    from data_pipeline.store.distinct import Distinct
    from data_pipeline.store.raw import Raw
    from data_pipeline.store.results import Results
    from data_pipeline.store.upstreams import Upstreams
    from data_pipeline.store.views import Views
    from operations.own_metrics import Recorded
    from utils.network import OwnNetwork
    from utils.plugins import Plugins
    from utils.resilience.registry import ResilienceRegistry
    from utils.state import Kept

ROOT = Path(__file__).resolve().parent


class IntegratedSystem(Watching):
    """The parts of one installation. `State` opens what it keeps, `Watching` builds what watches and tells.

    Args:
        config: The configuration file; default: found as the configuration contract says.
        state_dir: Where the state lives; default: `app.state_dir`.
        clock: Where the time comes from.

    Raises (when a part is first asked for):
        ConfigError: the configuration has faults; all of them at once.
        StateError: the state directory cannot be used.
    """

    def __init__(
        self,
        config: Path | None = None,
        *,
        state_dir: Path | None = None,
        environ: Mapping[str, str] | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        super().__init__(self._what_is_kept, clock)
        self.config = config
        self._state_dir = state_dir
        self._environ = os.environ if environ is None else environ

    @cached_property
    def loaded(self) -> "Loaded":
        from config.loading import load

        return load(self.config, environ=self._environ, cwd=Path.cwd())

    @cached_property
    def settings(self) -> "Settings":
        settings = self.loaded.settings
        for folder in settings.code:
            if str(folder) not in sys.path:
                sys.path.append(str(folder))
        return settings

    @cached_property
    def state_dir(self) -> Path:
        from utils.sqlite import prepare_directory

        path = (self._state_dir or Path(self.settings.app.state_dir)).absolute()
        prepare_directory(path)
        return path

    @cached_property
    def views(self) -> "Views":
        from data_pipeline.store.views import Views

        return Views(self.database)

    @cached_property
    def results(self) -> "Results":
        from data_pipeline.store.results import Results
        from data_pipeline.store.wholeness import note_damage

        return Results(self.storage, self.views, lambda version, damage: note_damage(self.events, version, damage))

    @cached_property
    def distinct(self) -> "Distinct":
        from data_pipeline.store.distinct import Distinct

        return Distinct(self.settings, self.results, self.views)

    @cached_property
    def upstreams(self) -> "Upstreams":
        from data_pipeline.store.upstreams import Upstreams

        return Upstreams(self.results, self.views, memory_limit=self.settings.app.memory_limit)

    @cached_property
    def plugins(self) -> "Plugins":
        from data_pipeline.plugged import load

        return load(self.settings.plugins, lambda: self.events)

    @cached_property
    def outbox(self) -> "Outbox":
        from data_pipeline.publish.publish import Outbox
        from data_pipeline.publish.version_rows import VersionRows
        from data_pipeline.publish.views import Publications

        return Outbox(
            rows=VersionRows(self.results),
            views=self.views,
            publications=Publications(self.database),
            events=self.events,
            leases=self.leases,
            transactions=self.transactions,
            clock=self.clock,
            redacted=self.loaded.known.redacted,
        )

    @cached_property
    def resilience(self) -> "ResilienceRegistry":
        from data_pipeline.collect.breaker_events import note_breaker
        from data_pipeline.collect.own_network import tells_against_provider
        from data_pipeline.collect.protection import of_provider
        from utils.resilience.registry import ResilienceRegistry

        return ResilienceRegistry(
            lambda name: of_provider(self.settings.provider(name, kind=self.collector.kind_of(name)).resilience),
            shared=self.verdicts,
            quotas=self.quotas,
            rates=self.rates,
            listener=lambda moved: note_breaker(self.events, moved),
            clock=self.clock,
            counts_in_breaker=tells_against_provider,
        )

    @cached_property
    def own_network(self) -> "OwnNetwork":
        from data_pipeline.collect.network_events import watched

        return watched(self.settings.network.addresses, lambda: self.events, self.clock)

    @cached_property
    def collector(self) -> "ResilientCollector":
        from config.kinds import collector
        from data_pipeline.collect.own_network import NetworkJudge
        from data_pipeline.collect.resilient import ResilientCollector
        from utils.sqlite import prepare_directory

        prepare_directory(folder := self.state_dir / "tmp")
        return ResilientCollector(
            build=collector,
            registry=self.resilience,
            provider_settings=lambda name, kind: self.settings.provider(name, kind=kind),
            folder=folder,
            clock=self.clock,
            judge=NetworkJudge(self.own_network),
            tokens=self.tokens,
            column_of=lambda dataset, column: self.distinct.each(dataset, column),  # noqa: PLW0108 - read when asked
            table_of=lambda dataset: self.upstreams.table(dataset),  # noqa: PLW0108 - likewise
            memory_limit=self.settings.app.memory_limit,
        )

    @cached_property
    def raw(self) -> "Raw":
        from data_pipeline.store.raw import Raw

        return Raw(self.storage)

    @cached_property
    def pipeline(self) -> "Pipeline":
        from data_pipeline.pipeline import Pipeline
        from data_pipeline.promises import Promises
        from data_pipeline.replaying import Replaying
        from data_pipeline.store.surroundings import Neighbours

        return Pipeline(
            collector=self.collector,
            results=self.results,
            neighbours=Neighbours(self.distinct, self.results, self.views, self.settings),
            upstreams=self.upstreams,
            redacted=self.loaded.known.redacted,
            cache=self.cache,
            clock=self.clock,
            memory_limit=self.settings.app.memory_limit,
            promises=Promises(self.settings).with_calendars(),
            ledger=self.views.ledger,
            replaying=Replaying(self.raw, self.views),
        )

    @cached_property
    def runner(self) -> "Runner":
        from data_pipeline.detect.datasets import RunDetection
        from data_pipeline.runner import Runner

        return Runner(
            pipeline=self.pipeline,
            provider_of=self.collector.provider_of,
            counted=self.resilience.news,
            limit_of=self.collector.places,
            events=self.events,
            views=self.views,
            detection=RunDetection(self.history, self.database, self.clock, self.settings),
            leases=self.leases,
            cache=self.cache,
            cache_ttl=self.settings.cache.ttl,
            clock=self.clock,
        )

    def load(self, dataset: str) -> Any:
        """The delivered table of a dataset as a pandas frame with Arrow-backed columns."""
        from operations.show import delivered

        return delivered(self, dataset).frame

    def record(self, name: str, value: float, unit: str = "", tags: Mapping[str, str] = {}) -> "Recorded":
        """Keep a number of yours, as `record-metric` does."""
        from operations.actor import local_user
        from operations.own_metrics import record

        return record(self, local_user(), name, value, unit, tags)

    def close(self) -> None:
        """Commit what waits, free what is held. Parts that were never built stay unbuilt."""
        if (collector := self.__dict__.pop("collector", None)) is not None:
            collector.close()
        super().close()

    def _what_is_kept(self) -> "Kept":
        from operations.kept import kept

        return kept(self.settings, self.state_dir, self.loaded.known)


if __name__ == "__main__":
    from importlib import import_module

    try:
        sys.exit(import_module("cli.main").main())
    except KeyboardInterrupt:  # while it still imports; later on the command line sees to it
        sys.exit(130)
