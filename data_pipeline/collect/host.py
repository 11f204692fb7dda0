"""Collect one sample of this machine and process as a row."""

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from data_pipeline.collect.collector import CollectRequest
from data_pipeline.dataset import Collected, Provenance
from utils.clock import Clock

if TYPE_CHECKING:
    from utils.host import MetricsCollector

__all__ = ["COLUMNS", "HostCollector", "Options"]

PROVIDER = "host"

COLUMNS = (
    *("cpu_percent", "memory_percent", "disk_percent", "network_bytes_sent", "network_bytes_recv", "process_threads"),
    *("gc_collections", "load_1m", "swap_percent", "disk_free_bytes", "temperature_c", "time"),
)
"""Of each row. A sample has more: what it has is for those who watch the host, a column is a promise to readers."""


class Options(BaseModel):
    """`collect: {kind: host}`. `disk`: the disk of this folder is measured."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["host"] = "host"
    disk: Path = Path("/")


class HostCollector:
    """Brings one row: `COLUMNS` of a `utils.host.HostSample`."""

    Options: ClassVar[type] = Options

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._metrics: dict[Path, MetricsCollector] = {}

    def provider_of(self, options: Any, dataset: str) -> str:
        return PROVIDER

    def collect(self, request: CollectRequest) -> Collected:
        """See `Collector.collect`."""
        import orjson

        from utils.arrow import pa

        started = request.clock.monotonic()
        calls = 0

        def sample() -> dict[str, Any]:
            nonlocal calls
            calls += 1
            # Rates (CPU, network) are differences between two samples, which must not overlap.
            with self._lock:
                taken = self._collector(request.base / request.options.disk, request.clock).collect()
            return {column: getattr(taken, column) for column in COLUMNS}

        row = request.call(request.provider, sample)
        batch = pa.RecordBatch.from_pylist([row])
        content = orjson.dumps(row, default=str, option=orjson.OPT_SORT_KEYS)
        provenance = Provenance(
            provider=request.provider,
            collected_at=request.clock.now(),
            content_sha256=hashlib.sha256(content).hexdigest(),
            attempts=max(1, calls),
            latency_s=max(0.0, request.clock.monotonic() - started),
            size=len(content),
            source=PROVIDER,
        )

        def rows() -> Iterator[Any]:
            yield batch

        return Collected(provenance, rows=rows)

    def close(self) -> None:
        self._metrics.clear()

    def _collector(self, disk: Path, clock: Clock) -> "MetricsCollector":
        known = self._metrics.get(disk)
        if known is None:
            from utils.host import MetricsCollector

            known = self._metrics[disk] = MetricsCollector(clock, disk_path=disk)
        return known
