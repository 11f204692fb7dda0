"""What a dataset promises its readers: how old its data may be, or by which time the data of the day is there.

Everything is derived from one moment: until when a promise holds with the data that is there. It is kept up to that
moment and broken afterwards, whoever asks: a delivery, `status`, the objectives, or nobody.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, Literal, NamedTuple

from config.schedule import seconds_of_day
from utils.ages import ages, duration
from utils.calendars import Calendar
from utils.events import rfc3339
from utils.wall_time import first_moment

__all__ = ["FOR_EVER", "NO_TRIES", "Judgement", "Promise", "State", "Tries"]

State = Literal["kept", "at_risk", "broken"]

FOR_EVER = datetime.max.replace(tzinfo=UTC)
_DAY = timedelta(days=1)
_MOST_LITTLE = 3600.0
"""Seconds left, at most, that are little."""


class Judgement(NamedTuple):
    """How a promise stands at a moment.

    Attributes:
        until: The last moment at which the data keeps it; None: nobody knows how old the data is.
        words: What is wrong; empty when it is kept.
        changes_at: Before this moment nothing changes, as long as the same data is there and the same tries are due.
        age_s: The age of the data that it is held against, days off included.
    """

    state: State
    until: datetime | None
    words: str
    changes_at: datetime
    age_s: float | None

    def left_s(self, now: datetime) -> float | None:
        """Seconds until it breaks; below 0: since it broke. None: nobody knows, or it never does."""
        if self.until is None or self.until == FOR_EVER:
            return None
        return round((self.until - now).total_seconds(), 3)


class Tries(NamedTuple):
    """What is known of attempts to bring new data.

    Attributes:
        following: When the next one is due; None: nobody knows, as no clock says it.
        paused: There is a schedule, and it is paused.
        last_failed: The last one brought nothing.
        at_work: One is under way, or waits for its turn.
    """

    following: datetime | None = None
    paused: bool = False
    last_failed: bool = False
    at_work: bool = False


NO_TRIES = Tries()


@dataclass(frozen=True, slots=True)
class Promise:
    """What is promised; at least one of `max_age` and `due`.

    Attributes:
        max_age: Seconds; those of days off do not count.
        due: A wall time; by then, on each open day, the data of that day is there.
        calendar: Tells days off; `days`: its name, "" where every day counts.
    """

    max_age: float | None
    due: str | None
    zone: tzinfo
    calendar: Calendar
    days: str = ""

    def holds_until(self, collected: datetime | None, data: datetime | None) -> datetime | None:
        """The last moment at which it is kept with data that was collected, and is dated, so.

        Data is never younger than our copy of it: a wrong year far ahead, or a forecast, does not keep `max_age`. For
        `due` it counts as the data of the open day after its collection at most, so that what is published the day
        before is there in time.

        None: neither moment is known.
        """
        known = [at for at in (collected, data) if at is not None]
        if not known:
            return None
        ends = FOR_EVER
        if self.max_age is not None:
            ends = self.calendar.lasts(min(known), self.max_age, self.zone) or FOR_EVER
        if self.due is not None and (missed := self._next_day(collected, data)) is not None:
            ends = min(ends, self.deadline(missed))
        return ends

    def judge(
        self, collected_at: str | None, data_time: str | None, now: datetime, tries: Tries = NO_TRIES
    ) -> Judgement:
        """How it stands.

        It is at risk when it breaks before the next try that is due could mend it; or when little time is left (a tenth
        of `max_age`, an hour at most) and the last try failed.

        Args:
            collected_at: When our copy was collected, `data_time`: what its data is dated; RFC 3339.
        """
        copy_age, data_age = ages(collected_at, data_time, now)
        age = max((one for one in (copy_age, data_age) if one is not None), default=None)
        until = None if age is None else self.holds_until(_moment(collected_at), _moment(data_time))
        if until is None or now > until:
            return Judgement("broken", until, f"promise broken: {_broken(self, until, age)}", FOR_EVER, age)
        if until == FOR_EVER:
            return Judgement("kept", until, "", FOR_EVER, age)
        little = until - timedelta(seconds=_little(self))
        if why := _risk(until, tries, little=now >= little):
            left = duration((until - now).total_seconds(), decimals=1)
            return Judgement("at_risk", until, f"promise at risk: it breaks in {left}, and {why}", until, age)
        turns = [
            until,
            *([tries.following] if tries.following is not None else []),
            *([little] if now < little else []),
        ]
        return Judgement("kept", until, "", min(turns), age)

    def deadline(self, day: date) -> datetime:
        """The moment at which the data of a day is due."""
        midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - a wall time
        return first_moment(midnight + timedelta(seconds=seconds_of_day(self.due or "24:00")), self.zone)

    def _next_day(self, collected: datetime | None, data: datetime | None) -> date | None:
        """The first open day whose data is not there."""
        try:
            newest = None if data is None else data.astimezone(self.zone).date()
            if collected is not None:
                came = collected.astimezone(self.zone).date()
                following = self.calendar.next_open(came + _DAY)
                newest = came if newest is None else min(newest, following or newest)
            return None if newest is None else self.calendar.next_open(newest + _DAY)
        except OverflowError:  # dated on one of the last days of the year 9999
            return None

    def to_json(self) -> dict[str, Any]:
        """What is promised, without what is not."""
        told: dict[str, Any] = {}
        if self.max_age is not None:
            told["max_age_s"] = self.max_age
        if self.due is not None:
            told |= {"due": self.due, "zone": str(self.zone)}
        return told | ({"calendar": self.days} if self.days else {})


def _risk(until: datetime, tries: Tries, *, little: bool) -> str:
    """Why nothing will mend it in time; empty when something may."""
    if tries.at_work:
        return ""
    if tries.paused:
        return "its schedule is paused"
    if tries.following is not None and tries.following >= until:
        return f"the next try is not before {_shown(tries.following)}"
    return "the last try failed" if tries.last_failed and little else ""


def _broken(promise: Promise, until: datetime | None, age: float | None) -> str:
    if promise.due is not None and until is not None:
        day = (until - timedelta(microseconds=1)).astimezone(promise.zone).date()  # 24:00 belongs to the day before
        if promise.deadline(day) == until:
            return f"the data of {day} was due at {promise.due} ({promise.zone}) and is not there"
    if promise.max_age is None:
        return f"the data of the day is due at {promise.due} ({promise.zone}), and nobody knows of which day this is"
    old = "of unknown age" if age is None else f"{duration(age, decimals=1)} old"
    without = f" without the days off of `{promise.days}`" if promise.days else ""
    return f"the data is {old}, promised is {duration(promise.max_age, decimals=1)}{without}"


def _little(promise: Promise) -> float:
    return _MOST_LITTLE if promise.max_age is None else min(_MOST_LITTLE, promise.max_age / 10)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _shown(moment: datetime) -> str:
    return f"{rfc3339(moment)[:16].replace('T', ' ')} UTC"
