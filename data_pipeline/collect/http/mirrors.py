"""Which of several addresses of the same data is asked first: the one that works and has least to do."""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

__all__ = ["Load", "Source"]

RESTS_FOR = 60.0
"""Seconds for which an address that failed is asked last, and between two last resorts of the same providers."""


@dataclass(frozen=True, slots=True)
class Source:
    """One address of a dataset's data.

    Attributes:
        address: Full, its placeholders not filled yet.
        provider: On whose account its requests are.
        mirror: Not the dataset's own address.
    """

    address: str
    provider: str
    mirror: bool = False


class Load:
    """How many collections are under way at each provider, and which failed lately. Thread-safe.

    The dataset's own address comes first, then its mirrors as they are written. While collections are under way,
    the provider with the fewest is asked first, so that a limit of one does not hold up what another could bring.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: Counter[str] = Counter()
        self._failed: dict[str, float] = {}
        self._last_resorts: dict[frozenset[str], float] = {}

    def order(self, sources: Sequence[Source], now: float) -> list[Source]:
        """The sources in the order in which they are tried. `now`: monotonic seconds."""
        if len(sources) == 1:
            return list(sources)
        with self._lock:
            return sorted(sources, key=lambda source: (self._rests(source, now), self._under_way[source.provider]))

    @contextmanager
    def at(self, source: Source) -> Iterator[None]:
        """Around a collection from this source."""
        with self._lock:
            self._under_way[source.provider] += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way[source.provider] -= 1
                if not self._under_way[source.provider]:
                    del self._under_way[source.provider]

    def failed(self, source: Source, now: float) -> None:
        with self._lock:
            self._failed[source.address] = now

    def worked(self, source: Source) -> None:
        with self._lock:
            self._failed.pop(source.address, None)

    def may_resort(self, sources: Sequence[Source], now: float) -> bool:
        """Whether one of these may be asked though every circuit is open; it counts as asked.

        Ten datasets of the same dead providers take turns: all of them together cost a request a minute.
        """
        providers = frozenset(source.provider for source in sources)
        with self._lock:
            before = self._last_resorts.get(providers)
            if before is not None and now - before < RESTS_FOR:
                return False
            self._last_resorts[providers] = now
            return True

    def _rests(self, source: Source, now: float) -> bool:
        since = self._failed.get(source.address)
        return since is not None and now - since < RESTS_FOR
