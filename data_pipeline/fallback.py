"""What is served when the provider does not deliver: the last good version, else the shipped snapshot."""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from config.datasets import DatasetSettings
from data_pipeline.batch import Batch
from data_pipeline.dataset import UNPARSED, Collected, Origin, Payload, Provenance, Quality
from data_pipeline.errors import PipelineError, StoreError
from data_pipeline.parse.data_time import of_good_rows
from data_pipeline.parse.options import ParseOptions
from data_pipeline.parse.parse import parse
from data_pipeline.parse.times import Zone
from data_pipeline.score import coverage, score
from data_pipeline.store.surroundings import Neighbours
from data_pipeline.store.views import Current, Version
from data_pipeline.validate.engine import Validation, validate
from data_pipeline.validate.rules import Rule
from data_pipeline.validate.surroundings import NOTHING_AROUND, Surroundings
from utils.events import rfc3339


@dataclass(frozen=True, slots=True)
class Served:
    """A copy that is served in place of a delivery. Times are RFC 3339; a snapshot has no `collected_at`."""

    origin: Origin
    rows: int
    version: str | None
    collected_at: str | None
    data_time: str | None
    content_sha256: str | None
    quality: Quality | None
    words: str


def snapshot_batch(
    dataset: DatasetSettings, rules: Sequence[Rule], *, now: datetime, around: Surroundings = NOTHING_AROUND
) -> tuple[Batch, Validation]:
    """The shipped snapshot, parsed as its dataset is, and its validation.

    Raises:
        PipelineError: the file is missing or cannot be read.
    """
    assert dataset.snapshot is not None
    path = dataset.snapshot
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StoreError(f"{dataset.name}: snapshot {path}: {error.strerror}", hint="check `snapshot`") from error
    digest = hashlib.sha256(content).hexdigest()
    payload = Payload(open=lambda: io.BytesIO(content), size=len(content), sha256=digest, name=path.name)
    provenance = Provenance(provider="snapshot", collected_at=now.astimezone(UTC), content_sha256=digest)
    asked = dataset.parse if dataset.collect.kind in {"http", "file", "object_store"} else ParseOptions()
    batch = parse(
        Collected(provenance=provenance, payloads=(payload,)),
        dataset=dataset.name,
        options=asked,
        columns=dataset.columns,
        zone=dataset.zone or "UTC",
        ambiguous=dataset.ambiguous,
        nonexistent=dataset.nonexistent,
        # The file's own date is the day somebody checked it out, not the age of what it says.
        data_time=None if dataset.data_time == "last_modified" else dataset.data_time,
    )
    validation = validate(batch, rules, now=now, surroundings=around)
    return dated(dataset, batch, validation), validation


def dated(dataset: DatasetSettings, batch: Batch, validation: Validation) -> Batch:
    """The batch with the data time of its good rows."""
    if not validation.report.quarantined:
        return batch
    good = (good for good, _ in validation.split(batch))
    return of_good_rows(batch, good, dataset.data_time, Zone(dataset.zone or "UTC"))


class Fallback:
    """Tries the alternatives a dataset names, in order; remembers what a snapshot holds, for it does not change."""

    def __init__(self, neighbours: Neighbours) -> None:
        self._neighbours = neighbours
        self._snapshots: dict[tuple[str, str], Served] = {}

    def serve(
        self,
        dataset: DatasetSettings,
        rules: Sequence[Rule],
        last_good: Version | None,
        current: Current | None,
        *,
        now: datetime,
    ) -> Served | None:
        """The first alternative there is, or None.

        Args:
            current: Where the dataset stands: when the provider last confirmed its version, which is the last good one
                unless it is damaged.
        """
        for alternative in dataset.resilience.fallback:
            if alternative == "last_good" and last_good is not None:
                if current is None or current.version == last_good.version:
                    return from_version(last_good, confirmed_at=current.collected_at if current else None)
                older = from_version(last_good, confirmed_at=None)
                return replace(older, words=f"{older.words}; the newer one ({current.version}) is damaged")
            if alternative == "snapshot" and dataset.snapshot is not None:
                try:
                    return self._snapshot(dataset, rules, now)
                except PipelineError:
                    continue  # a broken snapshot is no delivery; the provider's own error is what the user must see
        return None

    def _snapshot(self, dataset: DatasetSettings, rules: Sequence[Rule], now: datetime) -> Served:
        key = (dataset.name, dataset.fingerprint)
        if key not in self._snapshots:
            around = self._neighbours.of(dataset.name, None)
            batch, validation = snapshot_batch(dataset, rules, now=now, around=around)
            report = validation.report
            data_time = batch.provenance.data_time
            self._snapshots[key] = Served(
                origin="snapshot",
                rows=report.rows - report.quarantined,
                version=None,
                collected_at=None,
                data_time=rfc3339(data_time) if data_time else None,
                content_sha256=batch.provenance.content_sha256,
                quality=score(report, coverage(report, {*batch.schema.names} - {UNPARSED})),
                words="the shipped snapshot",
            )
        return self._snapshots[key]


def from_version(version: Version, *, confirmed_at: str | None, origin: Origin = "last_good") -> Served:
    """A stored version as what is served."""
    body = version.body
    collected_at = confirmed_at or body["collected_at"]
    return Served(
        origin=origin,
        rows=version.rows,
        version=version.version,
        collected_at=collected_at,
        data_time=body["data_time"],
        content_sha256=body["content_sha256"],
        quality=quality_from(body["quality"]),
        words=f"the last good copy, collected {collected_at[:16].replace('T', ' ')} UTC",
    )


def quality_from(stored: dict[str, Any] | None) -> Quality | None:
    """A stored quality as a value again."""
    return None if stored is None else Quality.from_json(stored)
