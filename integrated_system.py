"""Builds the parts of the system from the configuration, each when it is first asked for; `operations` uses them.

As a program: `python integrated_system.py COMMAND` (see `--help`); without a command it runs the pipeline, does overdue
maintenance and shows the state. As a library:

    with IntegratedSystem() as system:
        frame = system.load("earthquakes")
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from utils.clock import SYSTEM_CLOCK, Clock

if TYPE_CHECKING:
    from config.loading import Loaded
    from config.providers import ProviderSettings
    from config.settings import Settings
    from data_pipeline.collect.resilient import ResilientCollector
    from data_pipeline.pipeline import Pipeline
    from data_pipeline.publish.publish import Outbox
    from data_pipeline.publish.views import Publications
    from data_pipeline.replaying import Replaying
    from data_pipeline.runner import Runner
    from data_pipeline.store.raw import Raw
    from data_pipeline.store.results import Results
    from data_pipeline.store.views import Views
    from utils.bus import Bus
    from utils.cache.disk import DiskCache
    from utils.coordination import SharedVerdicts
    from utils.database import Database
    from utils.events import EventStore
    from utils.history import History
    from utils.leases import Leases
    from utils.quotas import CountedQuotas
    from utils.resilience.exchange import Transition
    from utils.resilience.registry import ResilienceRegistry
    from utils.resilience.settings import ProviderResilience
    from utils.storage import Storage
    from utils.tokens import StoredTokens

PACK_BELOW = 16_384
"""Bytes below which a version is a row in one file instead of a file of its own."""

ROOT = Path(__file__).resolve().parent


class IntegratedSystem:
    """The parts of one installation: a configuration and a state directory.

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
        self.config = config
        self._state_dir = state_dir
        self._environ = os.environ if environ is None else environ
        self.clock = clock
        self._resilience: dict[int, ProviderResilience] = {}  # by the section's id: sections are frozen and stay

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
        from utils.database import prepare_directory

        path = (self._state_dir or Path(self.settings.app.state_dir)).absolute()
        prepare_directory(path)
        return path

    @cached_property
    def database(self) -> "Database":
        from data_pipeline.publish import views as publish
        from data_pipeline.store import views
        from utils import events, history
        from utils.database import Database

        schema = ";".join((events.SCHEMA, history.SCHEMA, views.SCHEMA))
        path = self.state_dir / "orchestrator.db"
        # A script that was released is never changed: what is new is one more.
        migrations = [schema, views.FILES_SCHEMA, publish.SCHEMA]
        return Database(path, migrations=migrations, durability=self.settings.app.durability)

    @cached_property
    def coordination(self) -> "Database":
        """A small database of its own: a permit or a lease must not wait behind the log."""
        from utils import coordination, leases, quotas, tokens
        from utils.database import Database

        first = ";".join((leases.SCHEMA, coordination.SCHEMA))
        second = ";".join((quotas.SCHEMA, tokens.SCHEMA))
        return Database(self.state_dir / "coordination.db", migrations=[first, second])

    @cached_property
    def bus(self) -> "Bus":
        from utils.bus import Bus

        # The writer's thread announces: it must never wait for a handler, who may be waiting for a commit.
        return Bus(policy="drop_oldest")

    @cached_property
    def events(self) -> "EventStore":
        from data_pipeline.publish.views import PublicationViews
        from data_pipeline.store.views import PipelineViews
        from utils.events import EventStore

        views = (PipelineViews(), PublicationViews())
        return EventStore(self.database, projections=views, announce=self._announce, clock=self.clock)

    @cached_property
    def views(self) -> "Views":
        from data_pipeline.store.views import Views

        return Views(self.database)

    @cached_property
    def history(self) -> "History":
        from utils.history import History

        return History(self.database)

    @cached_property
    def leases(self) -> "Leases":
        from utils.leases import Leases

        return Leases(self.coordination, clock=self.clock)

    @cached_property
    def verdicts(self) -> "SharedVerdicts":
        from utils.coordination import SharedVerdicts

        return SharedVerdicts(self.coordination)

    @cached_property
    def quotas(self) -> "CountedQuotas":
        from utils.quotas import CountedQuotas

        return CountedQuotas(self.coordination)

    @cached_property
    def tokens(self) -> "StoredTokens":
        from utils.tokens import StoredTokens

        return StoredTokens(self.coordination, self.state_dir / "locks")

    @cached_property
    def storage(self) -> "Storage":
        from utils.storage import Storage

        url = str(self.settings.storage.url).removeprefix("file://")
        return Storage(Path(url) if url else self.state_dir / "storage", clock=self.clock, pack_below=PACK_BELOW)

    @cached_property
    def results(self) -> "Results":
        from data_pipeline.store.results import Results

        return Results(self.storage, self.views)

    @cached_property
    def publications(self) -> "Publications":
        from data_pipeline.publish.views import Publications

        return Publications(self.database)

    @cached_property
    def outbox(self) -> "Outbox":
        from data_pipeline.publish.publish import Outbox, VersionRows

        return Outbox(
            rows=VersionRows(self.results),
            views=self.views,
            publications=self.publications,
            events=self.events,
            leases=self.leases,
            clock=self.clock,
            redacted=self.loaded.known.redacted,
        )

    @cached_property
    def cache(self) -> "DiskCache":
        from utils.cache.disk import DiskCache

        return DiskCache(
            self.state_dir / "cache",
            size_limit=self.settings.cache.size_limit,
            clock=self.clock,
            listener=self._cache_event,
        )

    @cached_property
    def resilience(self) -> "ResilienceRegistry":
        from utils.resilience.registry import ResilienceRegistry

        return ResilienceRegistry(
            self._provider_resilience,
            shared=self.verdicts,
            quotas=self.quotas,
            listener=self._breaker_moved,
            clock=self.clock,
        )

    @cached_property
    def collector(self) -> "ResilientCollector":
        from config.kinds import collector
        from data_pipeline.collect.resilient import ResilientCollector
        from utils.database import prepare_directory

        folder = self.state_dir / "tmp"
        prepare_directory(folder)
        return ResilientCollector(
            build=collector,
            registry=self.resilience,
            provider_settings=self._provider_settings,
            folder=folder,
            clock=self.clock,
            tokens=self.tokens,
            column_of=self._column_of,
            memory_limit=self.settings.app.memory_limit,
        )

    @cached_property
    def raw(self) -> "Raw":
        from data_pipeline.store.raw import Raw

        return Raw(self.storage)

    @cached_property
    def replaying(self) -> "Replaying":
        from data_pipeline.replaying import Replaying

        return Replaying(self.raw, self.views)

    @cached_property
    def pipeline(self) -> "Pipeline":
        from data_pipeline.pipeline import Pipeline

        return Pipeline(
            collector=self.collector,
            results=self.results,
            redacted=self.loaded.known.redacted,
            cache=self.cache,
            clock=self.clock,
            memory_limit=self.settings.app.memory_limit,
            ledger=self.views.ledger,
            replaying=self.replaying,
        )

    @cached_property
    def runner(self) -> "Runner":
        from data_pipeline.runner import Runner

        return Runner(
            pipeline=self.pipeline,
            provider_of=self.collector.provider_of,
            events=self.events,
            views=self.views,
            history=self.history,
            leases=self.leases,
            cache=self.cache,
            cache_ttl=self.settings.cache.ttl,
            clock=self.clock,
        )

    def start_logging(self, *, level: str | None = None) -> None:
        """Send log records where the configuration says; before this, they go nowhere."""
        from utils.logger import configure

        written, kept = self.settings.logging, self.settings.retention.logs
        configure(
            level or written.level,
            console="auto" if written.console == "auto" else "on" if written.console else "off",
            directory=self.state_dir / "logs" if written.files else None,
            size=kept.size,
            files=kept.files,
            redact=written.redact,
            secrets=lambda: self.loaded.secrets,
            clock=self.clock,
        )

    def load(self, dataset: str) -> Any:
        """The delivered table of a dataset as a pandas frame with Arrow-backed columns."""
        from operations.show import delivered

        return delivered(self, dataset).frame

    def close(self) -> None:
        """Commit what waits, free what is held. Parts that were never built stay unbuilt."""
        built = self.__dict__
        for name in ("collector", "leases", "events", "bus", "cache", "storage", "database", "coordination"):
            if name in built:
                built.pop(name).close()

    def __enter__(self) -> "IntegratedSystem":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _provider_settings(self, name: str, kind: str) -> "ProviderSettings":
        return self.settings.provider(name, kind=kind)

    def _provider_resilience(self, name: str) -> "ProviderResilience":
        """Most providers share one section of the configuration, and then the settings made of it."""
        from data_pipeline.collect import protection

        written = self.settings.provider(name, kind=self.collector.kind_of(name)).resilience
        found = self._resilience.get(id(written))
        if found is None:
            found = self._resilience[id(written)] = protection.of_provider(written)
        return found

    def _column_of(self, dataset: str, column: str) -> "Iterator[Any]":
        from config.errors import ConfigError
        from data_pipeline.errors import ProviderRefused
        from data_pipeline.store.distinct import distinct

        try:
            self.settings.dataset(dataset)
        except ConfigError as error:
            raise ProviderRefused(f"for_each: {error}", hint="look at `for_each.dataset`") from error
        return distinct(self.results, self.views, dataset, column)

    def _breaker_moved(self, transition: "Transition") -> None:
        from utils.events import NewEvent

        kind = {"open": "breaker.opened", "half_open": "breaker.half_opened", "closed": "breaker.closed"}
        until = transition.open_until if transition.open_until < float("inf") else None
        data = {"before": transition.before, "reason": transition.reason, "open_until": until}
        self.events.append([NewEvent(kind[transition.after], transition.name, data, source="resilience")])

    def _cache_event(self, kind: str, data: dict[str, Any]) -> None:
        from utils.events import NewEvent

        self.events.append([NewEvent(kind, "cache", data, source="cache")])

    def _announce(self, events: Sequence[Any]) -> None:
        bus = self.__dict__.get("bus")  # nobody can have subscribed to a bus that was never asked for
        if bus is not None:
            for event in events:
                bus.publish(event)


if __name__ == "__main__":
    from importlib import import_module

    try:
        sys.exit(import_module("cli.main").main())
    except KeyboardInterrupt:  # while it still imports; later on the command line sees to it
        sys.exit(130)
