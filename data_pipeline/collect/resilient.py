"""COLLECT as the line calls it: the dataset's collector, each request through its provider's resilience chain."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from config.datasets import DatasetSettings
from data_pipeline.batch import MEMORY_LIMIT
from data_pipeline.collect import protection
from data_pipeline.collect.cassette import Recorder
from data_pipeline.collect.collector import Collector, CollectRequest, InputTable, TokenStore
from data_pipeline.collect.course import Course
from data_pipeline.collect.own_network import NetworkJudge
from data_pipeline.collect.placeholders import Partition
from data_pipeline.dataset import Collected, FileSeen
from data_pipeline.errors import CollectError, RequestRefused
from utils.clock import Clock
from utils.resilience.errors import RejectedError
from utils.resilience.settings import RetrySettings

if TYPE_CHECKING:
    from datetime import datetime

    from utils.resilience.registry import ResilienceRegistry

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Asked:
    """Which part of a dataset is wanted; the fields are those of `CollectRequest`."""

    cursor: Any = None
    cursor_format: str = "iso"
    partition: Partition | None = None
    full: bool = False
    only_new: bool = False
    ledger: Callable[[], Mapping[str, FileSeen]] | None = None
    recorder: Recorder | None = None


class ResilientCollector:
    """Builds collectors by kind, once, and runs them with retries, breaker, limits and bulkhead of the provider.

    Args:
        build: Gives the collector class of a kind (`config.kinds`).
        provider_settings: Gives a provider's own settings (auth, headers, tls, ...) by its name and the kind of source.
        folder: Where temporary files are made.
        judge: Says whose fault it is that nobody answered; None: always the provider's.
    """

    def __init__(
        self,
        *,
        build: Callable[[str], type[Collector]],
        registry: "ResilienceRegistry",
        provider_settings: Callable[[str, str], Any],
        folder: Path,
        clock: Clock,
        judge: NetworkJudge | None = None,
        tokens: TokenStore | None = None,
        column_of: Callable[[str, str], Iterator[Any]] | None = None,
        table_of: Callable[[str], InputTable] | None = None,
        memory_limit: int = MEMORY_LIMIT,
    ) -> None:
        self._build = build
        self._registry = registry
        self._settings = provider_settings
        self.folder = folder
        self._clock = clock
        self._judge = judge
        self._tokens = tokens
        self._others: dict[str, Any] = {} if column_of is None else {"column_of": column_of}
        if table_of is not None:
            self._others["table_of"] = table_of
        self._memory_limit = memory_limit
        self._collectors: dict[str, Collector] = {}
        self._kinds: dict[str, str] = {}
        self._retries: dict[str, RetrySettings] = {}

    def kind_of(self, provider: str) -> str:
        """The kind of source a provider is; a host that was only ever redirected to is HTTP."""
        return self._kinds.get(provider, "http")

    def provider_of(self, dataset: DatasetSettings) -> str:
        return str(dataset.provider or self._collector(dataset.collect.kind).provider_of(dataset.collect, dataset.name))

    def places(self, dataset: DatasetSettings) -> int | None:
        """How many datasets of this one's provider make sense at once: its bulkhead; None: it has none."""
        bulkhead = self._settings(self.provider_of(dataset), dataset.collect.kind).resilience.bulkhead
        return None if bulkhead is None else int(bulkhead.concurrency)

    def collect(
        self,
        dataset: DatasetSettings,
        *,
        provider: str,
        now: "datetime",
        number: int,
        validators: dict[str, str],
        asked: Asked | None = None,
        course: Course | None = None,
    ) -> Collected:
        """What the provider sends, with the number of attempts it took. `asked`: what part of it; default: all.

        `course`: takes note of waits and of attempts that fail.

        Raises:
            CollectError: nothing usable came; `attempts` says how often it was asked.
        """
        resilience, kind = dataset.resilience, dataset.collect.kind
        self._kinds.setdefault(provider, kind)
        retry = self._retry_of(dataset)
        tries, judge = _Tries(course), self._judge
        on_wait = None if course is None else course.waited

        def call(name: str, request: Callable[[], T], *, last_resort: bool = False) -> T:
            asked = tries.counted(request)
            judged = judge.around(asked) if judge else asked
            return self._registry.policy(name).call(
                judged, retry=retry, on_retry=tries.pauses, on_wait=on_wait, last_resort=last_resort
            )

        def as_last_resort(name: str, request: Callable[[], T]) -> T:
            return call(name, request, last_resort=True)

        request = CollectRequest(
            dataset=dataset.name,
            options=dataset.collect,
            provider=provider,
            call=call,
            last_resort=as_last_resort,
            now=now,
            folder=self.folder,
            base=dataset.base,
            settings=self._settings(provider, kind),
            validators=validators,
            number=number,
            connect_timeout=resilience.timeout.connect,
            read_timeout=resilience.timeout.read,
            clock=self._clock,
            tokens=self._tokens,
            memory_limit=self._memory_limit,
            records=getattr(dataset.parse, "records", None) or "",
            zone=dataset.zone or "UTC",
            **self._others,
            **_part(asked),
        )
        try:
            collected = self._collector(kind).collect(request)
        except CollectError as error:
            error.attempts, error.provider = tries.most, error.provider or provider
            raise
        except RejectedError as error:
            # The breaker, limiter, bulkhead or deadline said no; to the line it is one more way of "nothing came".
            raise RequestRefused(
                str(error),
                refused_by=error.refused_by,
                retry_after=error.retry_after,
                hint=error.hint,
                provider=provider,
                attempts=tries.most,
            ) from error
        if collected.provenance.attempts == tries.most:
            return collected
        return replace(collected, provenance=replace(collected.provenance, attempts=tries.most))

    def close(self) -> None:
        for collector in self._collectors.values():
            collector.close()
        self._collectors.clear()

    def _retry_of(self, dataset: DatasetSettings) -> RetrySettings:
        found = self._retries.get(dataset.name)
        if found is None:
            found = self._retries[dataset.name] = protection.retries(dataset.resilience.retry)
        return found

    def _collector(self, kind: str) -> Collector:
        found = self._collectors.get(kind)
        if found is None:
            found = self._collectors.setdefault(kind, self._build(kind)())
        return found


def _part(asked: Asked | None) -> dict[str, Any]:
    """The fields of a `CollectRequest` that say which part of the data is wanted."""
    if asked is None:
        return {}
    found = {"cursor": asked.cursor, "cursor_format": asked.cursor_format, "partition": asked.partition}
    found |= {"full": asked.full, "only_new": asked.only_new, "recorder": asked.recorder}
    return found if asked.ledger is None else {**found, "ledger": asked.ledger}


class _Tries:
    """Counts how often the most stubborn request of a collection was made; `course` hears of those that failed."""

    def __init__(self, course: Course | None) -> None:
        self.most = 0
        self._course = course

    def pauses(self, _attempts: int, _error: BaseException, seconds: float) -> None:
        """Before the pause that comes before the next attempt."""
        if self._course is not None:
            self._course.pauses(seconds)

    def counted(self, request: Callable[[], T]) -> Callable[[], T]:
        made, course = 0, self._course

        def once() -> T:
            nonlocal made
            made += 1
            self.most = max(self.most, made)
            if course is None:
                return request()
            began = course.monotonic()
            try:
                return request()
            except Exception as error:
                course.failed(began, error)
                raise

        return once
