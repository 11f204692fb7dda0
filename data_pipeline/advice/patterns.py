"""From counts to findings: what most of the rows that broke a rule share, and the others do not."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from data_pipeline.advice.gathering import BINS, Base, Breaches
from data_pipeline.advice.words import percent, shown
from data_pipeline.validate.quarantine import FILE
from data_pipeline.validate.report import RuleOutcome

__all__ = ["Finding", "file", "place", "segment", "time", "together", "value"]

MOST_OF = 0.8
"""Share of the broken rows from which on they are said to lie in one place."""

FEWEST = 5
"""Broken rows below which a common place is chance."""

_FEW_VALUES = 3


class Finding(NamedTuple):
    """One thing that broken rows have in common.

    Attributes:
        kind: `value mended segment file time place together since`.
        text: A sentence.
        rows: How many of the broken rows it speaks of.
    """

    kind: str
    text: str
    rows: int


def value(outcome: RuleOutcome, found: Breaches) -> Finding | None:
    """The value that most broken rows have, or all of them where they are few."""
    if len(outcome.columns) != 1 or not found.values.counts:
        return None
    top = found.values.top(_FEW_VALUES + 1)
    whole = found.values.total
    if len(top) <= _FEW_VALUES and found.values.exact and whole == found.rows:
        told = [shown(one) if count == 1 or len(top) == 1 else f"{shown(one)} ({count:,})" for one, count in top]
        text = f"The value is {told[0]}." if len(told) == 1 else f"The values are {', '.join(told)}."
        return Finding("value", text, whole)
    (most, count), *_ = top
    if count < 2 or count / found.rows < 0.5:
        return None
    return Finding("value", f"{percent(count / found.rows)} of them are {shown(most)} ({count:,}).", count)


def segment(outcome: RuleOutcome, found: Breaches, base: Base) -> Finding | None:
    """The value of another column that the broken rows have, and the others do not."""
    if found.rows < FEWEST or base.segments is None:
        return None
    best: tuple[float, str, Any, int] | None = None
    for name, tally in found.segments.items():
        if name in outcome.columns or name not in base.segments or not tally.counts:
            continue
        ((most, count),) = tally.top(1)
        share, usual = count / found.rows, base.segments[name].counts.get(most, 0) / max(1, base.rows)
        gain = share - usual
        if share >= MOST_OF and usual <= share / 2 and (best is None or gain > best[0]):
            best = (gain, name, most, count)
    if best is None:
        return None
    _, name, most, count = best
    all_of_it = base.segments[name].counts[most]
    whole = f"; every row that has it breaks the rule ({all_of_it:,})" if all_of_it == count else ""
    of_all = percent(all_of_it / base.rows)
    text = f"{_all_or_share(count, found.rows)} have `{name}` {shown(most)}, as {of_all} of the batch do{whole}."
    return Finding("segment", text, count)


def file(found: Breaches, *, files: int) -> Finding | None:
    """The file that the broken rows came in.

    Args:
        files: Of how many files the batch consists.
    """
    tally = found.segments.get(FILE)
    if tally is None or files < 2 or not tally.total:
        return None
    ((name, count),) = tally.top(1)
    if count / found.rows < MOST_OF:
        return None
    return Finding("file", f"{_all_or_share(count, found.rows)} came in {shown(name)}, one of {files:,} files.", count)


def time(found: Breaches, base: Base) -> Finding | None:
    """The stretch of time that the broken rows lie in, or the hour of the day, and the other rows do not."""
    hours = found.hours
    if found.rows < FEWEST or not hours.counts or hours.total < MOST_OF * found.rows or not base.hours.total:
        return None
    window = _window(hours.counts, needed=_needed(hours.total))
    if window is not None:
        first, last, count = window
        usual = sum(c for hour, c in base.hours.counts.items() if first <= hour <= last) / base.hours.total
        if usual <= count / hours.total / 2:
            share = _all_or_share(count, found.rows)
            return Finding("time", f"{share} lie {_between(first, last)}, as {percent(usual)} of the batch do.", count)
    clock = hours.by(lambda hour: hour % 24)
    hour, count = max(sorted(clock.items()), key=lambda one: one[1])
    usual = base.hours.by(lambda hour: hour % 24).get(hour, 0) / base.hours.total
    if count / hours.total < MOST_OF or usual > count / hours.total / 2:
        return None
    days = len({one // 24 for one in hours.counts if one % 24 == hour})
    where = f"between {hour:02}:00 and {(hour + 1) % 24:02}:00 UTC, on {days:,} days"
    return Finding("time", f"{_all_or_share(count, found.rows)} lie {where}.", count)


def place(found: Breaches, *, rows: int) -> Finding | None:
    """The stretch of the batch that the broken rows lie in."""
    if found.rows < FEWEST or not found.places:
        return None
    window = _window({at: count for at, (count, _, _) in found.places.items()}, needed=_needed(found.rows))
    if window is None:
        return None
    first = min(low for at, (_, low, _) in found.places.items() if window[0] <= at <= window[1])
    last = max(high for at, (_, _, high) in found.places.items() if window[0] <= at <= window[1])
    count, size = window[2], last - first + 1
    if size / rows > count / found.rows / 2:
        return None
    where = f"are the rows {first:,} to {last:,}" if size == count else f"lie in the rows {first:,} to {last:,}"
    gap = ", without a gap" if size == count else f" ({percent(size / rows)} of the batch)"
    return Finding("place", f"{_all_or_share(count, found.rows)} {where}{gap}.", count)


def together(found: Breaches) -> Finding | None:
    """The other rule that the same rows broke."""
    ranked = sorted(found.together.items(), key=lambda one: (-one[1], one[0]))
    if not ranked or ranked[0][1] < max(2, found.rows / 2):
        return None
    other, count = ranked[0]
    return Finding("together", f"{_all_or_share(count, found.rows)} broke `{other}` too.", count)


def _all_or_share(count: int, of: int) -> str:
    if count == of:
        return f"All {count:,}" if of > 1 else "It"
    return f"{percent(count / of)} of them"


def _needed(total: int) -> int:
    return -(-total * 9 // 10)


def _window(counts: Mapping[int, int], *, needed: int) -> tuple[int, int, int] | None:
    """The shortest stretch of keys that holds so many (the whole, if it is no longer), and how many it holds."""
    keys = sorted(counts)
    whole = sum(counts.values())
    if not keys or whole < needed:
        return None
    best: tuple[int, int, int] | None = None
    held = start = 0
    for key in keys:
        held += counts[key]
        while held - counts[keys[start]] >= needed:
            held -= counts[keys[start]]
            start += 1
        if held >= needed and (best is None or key - keys[start] < best[1] - best[0]):
            best = (keys[start], key, held)
    # A few stragglers more are worth it when that makes it all of them, in hardly more room.
    if best is not None and keys[-1] - keys[0] + 1 <= max(best[1] - best[0] + 1, BINS // 32) * 1.25:
        return keys[0], keys[-1], whole
    return best


def _between(first: int, last: int) -> str:
    """A stretch of hours since 1970, in words."""
    begin, end = _moment(first), _moment(last + 1)
    if begin is None or end is None:
        return "in a time beyond the calendar"
    if begin.hour == 0 and end - begin == timedelta(days=1):
        return f"on {begin:%Y-%m-%d}"
    if (end - timedelta(seconds=1)).date() == begin.date():
        return f"between {begin:%H:%M} and {end:%H:%M} UTC on {begin:%Y-%m-%d}"
    return f"between {begin:%Y-%m-%d %H:%M} and {end:%Y-%m-%d %H:%M} UTC"


def _moment(hour: int) -> datetime | None:
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(hours=hour)
    except OverflowError:
        return None
