"""Which pieces a table has: when each begins and ends, which are complete, due, or asked for by hand."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from config.datasets import PartitionSettings
from data_pipeline.collect.placeholders import Partition

__all__ = ["MOST_AT_ONCE", "Asked", "NoSuchPiece", "all_of", "asked_for", "due", "fits", "reached", "span"]

MOST_AT_ONCE = 31
"""Pieces that one run collects at most when some are missing."""

_AGAIN = "b"
_KEYS = {"hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d", "month": "%Y-%m"}
_BEGINS = {"hour": "2024-01-31T05", "day": "2024-01-31", "month": "2024-01"}


class NoSuchPiece(ValueError):
    """What was asked for is no piece of this table."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Asked:
    """Pieces that somebody asked for, in order, and what was left out of them.

    Attributes:
        before_start: Keys before the table's first piece.
        incomplete: Keys of pieces that are not complete yet.
    """

    pieces: tuple[Partition, ...]
    before_start: tuple[str, ...] = ()
    incomplete: tuple[str, ...] = ()


_FIRST_YEAR, _LAST_YEAR = 1, 9999
"""In these a zone may take a moment out of what can be told."""


def due(settings: PartitionSettings, *, now: datetime, newest: str | None) -> list[Partition]:
    """The pieces that a run at `now` collects, oldest first.

    Those that became complete (their end and `lag` are past) since `newest`, the last one collected whole; when there
    are none, the newest complete one once more. Without any collected yet: those since `start`, if they are at most
    `MOST_AT_ONCE`, else the newest. Of a list: every key.
    """
    if isinstance(settings.by, tuple):
        return [Partition(key) for key in settings.by]
    zone, by = ZoneInfo(settings.zone), settings.by
    last = _last_complete(settings, now)
    begin = _begin(settings)
    if begin is not None and begin > last.astimezone(UTC):
        return []
    missing = [last]
    while len(missing) <= MOST_AT_ONCE:
        earlier = _before(missing[-1], by)
        if newest is not None and _piece(earlier, by).key <= newest:
            break
        if begin is not None and earlier.astimezone(UTC) < begin:
            break
        missing.append(earlier)
    if len(missing) > MOST_AT_ONCE:
        missing = list(islice(_from(_end(_started(newest, zone, by), by), by), MOST_AT_ONCE)) if newest else [last]
    elif newest is None and begin is None:
        missing = [last]
    return sorted((_piece(start, by) for start in missing), key=lambda piece: piece.key)


def span(settings: PartitionSettings, begin: str | None, end: str | None, *, now: datetime, most: int) -> Asked:
    """The pieces that begin at `begin` or later, and before `end`.

    Args:
        begin: A date, month, hour or moment at which a piece begins; without a zone: in the partition's. None: `start`.
        end: Likewise; None: now.
        most: How many pieces there may be.

    Raises:
        NoSuchPiece: no piece begins there, there are none between, or too many.
    """
    by = settings.by
    if isinstance(by, tuple):
        raise NoSuchPiece("its pieces are a list of keys, not stretches of time", f"name them: {', '.join(by[:5])}")
    zone = ZoneInfo(settings.zone)
    first = _begin(settings)
    if begin is None and first is None:
        raise NoSuchPiece("nothing says where to begin", "give --from, or set `partition.start`")
    at = _boundary(begin, zone, by) if begin is not None else _local(settings.start or "", zone)
    until = _boundary(end, zone, by).astimezone(UTC) if end is not None else now
    if until <= at.astimezone(UTC):
        raise NoSuchPiece(
            f"there is no {by} from {begin or settings.start} up to {end or 'now'}",
            "--to is exclusive: it is where the first piece begins that is not wanted",
        )
    found: list[Partition] = []
    early: list[str] = []
    late: list[str] = []
    for start in _from(_floor(at, by), by):
        if start.astimezone(UTC) >= until:
            break
        piece = _piece(start, by)
        if first is not None and start.astimezone(UTC) < first:
            early.append(piece.key)
        elif _complete_at(start, settings) > now:
            if end is None:
                break
            late.append(piece.key)
        else:
            found.append(piece)
        if max(len(found), len(early), len(late)) > most:
            raise NoSuchPiece(f"there are more than {most:,} pieces between", "take them in several steps")
    return Asked(tuple(found), tuple(early), tuple(late))


def asked_for(settings: PartitionSettings, keys: tuple[str, ...], *, now: datetime) -> Asked:
    """The pieces of these keys, in the order of the table.

    Raises:
        NoSuchPiece: a key is none of the table's.
    """
    by = settings.by
    if isinstance(by, tuple):
        for key in keys:
            if key not in by:
                raise NoSuchPiece(f"there is no piece {key!r}", f"`partition.by` lists {', '.join(by[:20])}")
        return Asked(tuple(Partition(key) for key in by if key in keys))
    zone, first = ZoneInfo(settings.zone), _begin(settings)
    local = sorted({key: _started(key, zone, by) for key in keys}.values(), key=lambda start: start.astimezone(UTC))
    early = [start for start in local if first is not None and start.astimezone(UTC) < first]
    late = [start for start in local if start not in early and _complete_at(start, settings) > now]
    return Asked(
        tuple(_piece(start, by) for start in local if start not in early and start not in late),
        tuple(_piece(start, by).key for start in early),
        tuple(_piece(start, by).key for start in late),
    )


def all_of(settings: PartitionSettings, oldest: str | None, *, now: datetime, most: int) -> tuple[Partition, ...]:
    """The pieces that a table should have by now: of a list all; else the complete ones since `start`.

    Args:
        oldest: The oldest that the table has; it begins there when it has no `start`. None: it has none.
        most: The newest ones, if there are more.
    """
    by = settings.by
    if isinstance(by, tuple):
        return tuple(Partition(key) for key in by)
    last, begin = _last_complete(settings, now), _begin(settings)
    if oldest is not None:
        there = _started(oldest, ZoneInfo(settings.zone), by).astimezone(UTC)
        begin = there if begin is None else min(begin, there)
    if begin is None:
        return (_piece(last, by),)
    found: list[Partition] = []
    while last.astimezone(UTC) >= begin and len(found) < most:
        found.append(_piece(last, by))
        last = _before(last, by)
    return tuple(reversed(found))


def reached(settings: PartitionSettings, newest: str | None, whole: frozenset[str]) -> str | None:
    """How far a table is whole without a gap once it has these pieces as well.

    Args:
        newest: Up to where it was; None: nothing was collected yet, so that it begins at `start`.
        whole: Keys that came.
    """
    by = settings.by
    if isinstance(by, tuple):
        return newest
    zone = ZoneInfo(settings.zone)
    if newest is not None:
        following = _end(_started(newest, zone, by), by)
    elif settings.start is not None:
        following = _floor(_local(settings.start, zone), by)
    else:
        return None
    for start in _from(following, by):
        if (key := _piece(start, by).key) not in whole:
            break
        newest = key
    return newest


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


def _last_complete(settings: PartitionSettings, now: datetime) -> datetime:
    by = settings.by
    assert isinstance(by, str)
    last = _before(_floor(now.astimezone(ZoneInfo(settings.zone)), by), by)
    while _complete_at(last, settings) > now:
        last = _before(last, by)
    return last


def _complete_at(start: datetime, settings: PartitionSettings) -> datetime:
    return _end(start, str(settings.by)).astimezone(UTC) + timedelta(seconds=settings.lag)


def _begin(settings: PartitionSettings) -> datetime | None:
    """Where the first piece begins; None: nothing says so."""
    if settings.start is None:
        return None
    return _floor(_local(settings.start, ZoneInfo(settings.zone)), str(settings.by)).astimezone(UTC)


def _piece(start: datetime, by: str) -> Partition:
    # When clocks go back, an hour comes twice; both must not be one piece.
    twice = _AGAIN if by == "hour" and start.fold else ""
    return Partition(start.strftime(_KEYS[by]) + twice, start, _end(start, by))


def _local(text: str, zone: ZoneInfo) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.astimezone(zone) if moment.tzinfo else moment.replace(tzinfo=zone)


def _boundary(text: str, zone: ZoneInfo, by: str) -> datetime:
    """The moment that somebody gave, at which a piece must begin.

    Raises:
        NoSuchPiece: it is no moment, or none begins there.
    """
    try:
        if fits(text, by):
            return _started(text, zone, by)
        moment = _local(f"{text}-01" if fits(text, "month") else text, zone)
        begins = moment.astimezone(UTC) == _floor(moment, by).astimezone(UTC)
    except (ValueError, OverflowError) as error:  # overflow: the zone takes it out of the years 1 to 9999
        if isinstance(error, NoSuchPiece):
            raise
        raise NoSuchPiece(f"{text!r} is not a date", f"write it as {_BEGINS[by]}") from error
    if not begins:
        raise NoSuchPiece(f"no {by} begins at {text}", f"write it as {_BEGINS[by]}")
    return moment


def _started(key: str, zone: ZoneInfo, by: str) -> datetime:
    """When the piece of a key begins.

    Raises:
        NoSuchPiece: the key is none of these pieces.
    """
    if not fits(key, by) or not _FIRST_YEAR < int(key[:4]) < _LAST_YEAR:
        raise NoSuchPiece(f"{key!r} is no {by}", f"write it as {_BEGINS[by]}")
    text = f"{key.removesuffix(_AGAIN)} +0000" if by == "hour" else f"{key} +0000"
    wall = datetime.strptime(text, f"{_KEYS[by]} %z").replace(tzinfo=zone)
    start = wall.astimezone(UTC).astimezone(zone) if by == "hour" else wall
    if by == "hour" and key.endswith(_AGAIN):
        start = _end(start, by)
    if _piece(start, by).key != key:
        raise NoSuchPiece(f"there is no hour {key} in {zone.key}", "clocks are changed there: see `partition.zone`")
    return start


def _from(start: datetime, by: str) -> Iterator[datetime]:
    while True:
        yield start
        start = _end(start, by)


def _floor(moment: datetime, by: str) -> datetime:
    """The start of the piece that a local moment lies in."""
    if by != "hour":
        day = moment.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        return day if by == "day" else day.replace(day=1)
    start = _plain(moment.replace(minute=0, second=0, microsecond=0))
    while (later := _end(start, by)).astimezone(UTC) <= moment.astimezone(UTC):
        start = later
    return start


def _end(start: datetime, by: str) -> datetime:
    """The start of the next piece. Days and months are those of the calendar: 23 to 25 hours at clock changes."""
    if by == "day":
        return start + timedelta(days=1)
    if by == "month":
        return start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
    later = (start.astimezone(UTC) + timedelta(hours=1)).astimezone(start.tzinfo)
    # Lord Howe changes its clocks by half an hour: then a piece ends where the hour does, after thirty minutes.
    full = _plain(later.replace(minute=0))
    return full if full.astimezone(UTC) > start.astimezone(UTC) else later


def _before(start: datetime, by: str) -> datetime:
    """The start of the piece before."""
    if by == "hour":
        return _floor((start.astimezone(UTC) - timedelta(microseconds=1)).astimezone(start.tzinfo), by)
    return _floor(start - timedelta(days=1), by)


def _plain(moment: datetime) -> datetime:
    """The same moment as its zone's clocks show it: one that is skipped has another name there."""
    return moment.astimezone(UTC).astimezone(moment.tzinfo)
