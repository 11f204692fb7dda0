"""A table in pieces: which pieces are complete and due, and several of them as one batch."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from config.datasets import PartitionSettings
from data_pipeline.batch import Batch
from data_pipeline.collect.placeholders import Partition

if TYPE_CHECKING:
    from data_pipeline.validate.engine import Validation
    from utils.arrow import pa

__all__ = ["MOST_AT_ONCE", "due", "fits", "good_rows", "together"]

MOST_AT_ONCE = 31
"""Pieces that one run collects at most when some are missing."""

_AGAIN = "b"
_KEYS = {"hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d", "month": "%Y-%m"}


def due(settings: PartitionSettings, *, now: datetime, newest: str | None) -> list[Partition]:
    """The pieces that a run at `now` collects, oldest first.

    Those that became complete (their end and `lag` are past) since `newest`, the last one collected whole; when there
    are none, the newest complete one once more. Without any collected yet: those since `start`, if they are at most
    `MOST_AT_ONCE`, else the newest. Of a list: every key.
    """
    if isinstance(settings.by, tuple):
        return [Partition(key) for key in settings.by]
    zone = ZoneInfo(settings.zone)
    last = _before(_floor(now.astimezone(zone), settings.by), settings.by)
    while _end(last, settings.by).astimezone(UTC) + timedelta(seconds=settings.lag) > now:
        last = _before(last, settings.by)
    begin = None if settings.start is None else _floor(_local(settings.start, zone), settings.by)
    if begin is not None and begin.astimezone(UTC) > last.astimezone(UTC):
        return []
    missing = [last]
    while len(missing) <= MOST_AT_ONCE:
        earlier = _before(missing[-1], settings.by)
        if newest is not None and _piece(earlier, settings.by).key <= newest:
            break
        if begin is not None and earlier.astimezone(UTC) < begin.astimezone(UTC):
            break
        missing.append(earlier)
    if len(missing) > MOST_AT_ONCE:
        missing = _after(newest, zone, settings.by) if newest is not None else [last]
    elif newest is None and begin is None:
        missing = [last]
    return sorted((_piece(start, settings.by) for start in missing), key=lambda piece: piece.key)


def fits(key: str | None, by: str) -> bool:
    """Whether a key can be one of these pieces. `by`: `hour`, `day`, `month`, or "" for a list of keys.

    >>> fits("2026-03", "month"), fits("2026-03", "day"), fits(None, "")
    (True, False, False)
    """
    if key is None or not by:
        return key is not None
    text = key.removesuffix(_AGAIN) if by == "hour" else key
    try:
        return datetime.strptime(text, _KEYS[by]).strftime(_KEYS[by]) == text  # noqa: DTZ007 - only its form counts
    except ValueError:
        return False


def together(batches: Sequence[tuple[str, Batch]]) -> tuple[Batch, tuple[tuple[str, int], ...]]:
    """The rows of several pieces as one batch, and how many each of them has."""
    pieces = tuple((key, batch.rows) for key, batch in batches)
    if len(batches) == 1:
        batch = batches[0][1]
        return batch.with_provenance(replace(batch.provenance, pieces=pieces)), pieces
    parts = [batch for _, batch in batches]
    schema = _common(parts)
    provenances = [batch.provenance for batch in parts]
    digest = hashlib.sha256("".join(found.content_sha256 for found in provenances).encode())
    moments = [found.data_time for found in provenances if found.data_time is not None]
    all_known = all(found.origins for found in provenances)
    provenance = replace(
        provenances[-1],
        content_sha256=digest.hexdigest(),
        data_time=max(moments, default=None),
        attempts=max(found.attempts for found in provenances),
        latency_s=sum(found.latency_s for found in provenances),
        size=sum(found.size for found in provenances),
        partial=any(found.partial for found in provenances),
        validators=(),
        notes=tuple(dict.fromkeys(note for found in provenances for note in found.notes)),
        files=tuple(file for found in provenances for file in found.files),
        origins=tuple(origin for found in provenances for origin in found.origins) if all_known else (),
        pieces=pieces,
    )

    def rows() -> "Iterator[pa.RecordBatch]":
        from data_pipeline.store.widening import fitted

        for part in parts:
            for batch in part.batches():
                yield fitted(batch, schema)

    whole = Batch(
        schema,
        rows,
        rows=sum(part.rows for part in parts),
        nbytes=sum(part.nbytes for part in parts),
        provenance=provenance,
        memory_limit=parts[0].memory_limit,
    )
    return whole, pieces


def good_rows(pieces: tuple[tuple[str, int], ...], validation: "Validation") -> tuple[tuple[str, int], ...]:
    """How many rows of each piece are good. A record batch belongs to one piece."""
    marks = iter(validation.marks)
    found = []
    for key, rows in pieces:
        good, left = 0, rows
        while left > 0:
            mark = next(marks)
            left -= mark.rows
            good += mark.rows - (mark.bad.true_count if mark.bad is not None else 0)
        found.append((key, good))
    return tuple(found)


def _common(parts: Sequence[Batch]) -> "pa.Schema":
    """One schema for all; text where a value would not fit into the wider type."""
    from data_pipeline.store.widening import as_type, unified
    from utils.arrow import pa

    schema = parts[0].schema.remove_metadata()
    for part in parts[1:]:
        schema = unified(schema, part.schema)
    for at, field in enumerate(schema):
        for part in parts:
            if field.name in part.schema.names and part.schema.field(field.name).type != field.type:
                try:
                    for batch in part.batches():
                        as_type(batch.column(field.name), field.type)
                except pa.ArrowInvalid:
                    schema = schema.set(at, pa.field(field.name, pa.string()))
                    break
    return schema


def _piece(start: datetime, by: str) -> Partition:
    # When clocks go back, an hour comes twice; both must not be one piece.
    twice = _AGAIN if by == "hour" and start.fold else ""
    return Partition(start.strftime(_KEYS[by]) + twice, start, _end(start, by))


def _local(text: str, zone: ZoneInfo) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.astimezone(zone) if moment.tzinfo else moment.replace(tzinfo=zone)


def _floor(moment: datetime, by: str) -> datetime:
    """The start of the piece that a local moment lies in."""
    hour = moment.replace(minute=0, second=0, microsecond=0)
    if by == "hour":
        return hour
    day = hour.replace(hour=0, fold=0)
    return day if by == "day" else day.replace(day=1)


def _end(start: datetime, by: str) -> datetime:
    """The start of the next piece. Days and months are those of the calendar: 23 to 25 hours at clock changes."""
    if by == "day":
        return start + timedelta(days=1)
    if by == "month":
        return start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
    return (start.astimezone(UTC) + timedelta(hours=1)).astimezone(start.tzinfo)


def _before(start: datetime, by: str) -> datetime:
    """The start of the piece before."""
    if by == "hour":
        return (start.astimezone(UTC) - timedelta(hours=1)).astimezone(start.tzinfo)
    return _floor(start - timedelta(days=1), by)


def _after(key: str, zone: ZoneInfo, by: str) -> list[datetime]:
    """The oldest pieces that follow a key, `MOST_AT_ONCE` of them."""
    wall = datetime.strptime(f"{key.removesuffix(_AGAIN)} +0000", f"{_KEYS[by]} %z")
    found = [_end(wall.replace(tzinfo=zone, fold=int(key.endswith(_AGAIN))), by)]
    while len(found) < MOST_AT_ONCE:
        found.append(_end(found[-1], by))
    return found
