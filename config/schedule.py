"""When a dataset is collected by itself: a cron line, an interval, a window of the day, or after something happened."""

import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from config import kinds
from config.cron_line import cron_line
from config.durations import Duration
from config.errors import Fault, Faults, KeyPath, shown
from config.model import Section
from config.sections import Zone

__all__ = ["DAYS", "HOLIDAY_FILE", "CalendarSettings", "ScheduleSettings", "TimeOfDay", "seconds_of_day"]

_TIME = re.compile(r"([01]?[0-9]|2[0-4]):([0-5][0-9])(?::([0-5][0-9]))?")
_Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[_Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""The days of the week in the order of `date.weekday()`."""

LEAST_INTERVAL_S = 1.0
HOLIDAY_FILE = "file:"


def seconds_of_day(text: str) -> int:
    """Seconds since midnight of a time as written.

    >>> seconds_of_day("16:30"), seconds_of_day("24:00")
    (59400, 86400)
    """
    hours, minutes, seconds = (int(part) for part in (text + ":00:00").split(":")[:3])
    return hours * 3600 + minutes * 60 + seconds


def _time(value: object) -> object:
    found = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None or seconds_of_day(found[0]) > 86_400:
        raise Fault(f"expected a time of day, got {shown(value)}", hint='Write it quoted: "16:30".')
    return found[0]


TimeOfDay = Annotated[str, BeforeValidator(_time)]
"""A wall time: `16:30`, `16:30:10`; `24:00` is the end of the day."""


def _weekdays(value: object) -> object:
    """`mon-fri`, `sun-thu`, `mon,wed`, or a list of them; gives the days in the order of the week."""
    texts = value if isinstance(value, list | tuple) else str(value).split(",") if isinstance(value, str) else None
    found: set[int] = set()
    for text in texts or ("",):
        first, _, last = str(text).strip().lower().partition("-")
        if first not in DAYS or (last or first) not in DAYS:
            raise Fault(f"expected weekdays, got {shown(value)}", hint="Write for example `mon-fri` or `mon,wed,fri`.")
        at, end = DAYS.index(first), DAYS.index(last or first)
        found |= {(at + step) % 7 for step in range((end - at) % 7 + 1)}
    return tuple(DAYS[day] for day in sorted(found))


def _holiday(value: object) -> object:
    """A day off as `2026-12-25`, or `file:` and a path."""
    if isinstance(value, date):
        return value.isoformat()[:10]
    if isinstance(value, str) and value.startswith(HOLIDAY_FILE) and value.removeprefix(HOLIDAY_FILE).strip():
        return value
    try:
        return date.fromisoformat(value).isoformat() if isinstance(value, str) else _no_holiday(value)
    except ValueError:
        return _no_holiday(value)


def _no_holiday(value: object) -> object:
    raise Fault(f"expected a date, got {shown(value)}", hint='Write "2026-12-25", or "file:holidays.ics".')


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) and value else value


class CalendarSettings(Section):
    """Days on which something is due: the weekdays that are no holidays.

    Attributes:
        weekdays: `mon` to `sun`, in the order of the week.
        holidays: Dates (`2026-12-25`), or `file:holidays.ics`, whose events are holidays; absolute once loaded.
    """

    weekdays: Annotated[tuple[_Day, ...], BeforeValidator(_weekdays)] = DAYS
    holidays: Annotated[tuple[Annotated[str, BeforeValidator(_holiday)], ...], BeforeValidator(_listed)] = ()


def _interval(value: float | None) -> float | None:
    if value is not None and value < LEAST_INTERVAL_S:
        raise Fault(f"expected at least `1s`, got `{value:g}s`")
    return value


def _opens(value: str) -> str:
    if seconds_of_day(value) == 86_400:
        raise Fault("a window cannot open at 24:00", hint='Write "00:00", the beginning of the next day.')
    return value


def _done_when(value: str) -> str:
    try:
        kinds.load(kinds.DONE_PARSER)(value)
    except Fault:
        raise
    except ValueError as error:
        raise Fault(str(error), hint='Write for example "max(date) == today".') from error
    return value


class ScheduleSettings(Section):
    """One of: `cron`, `every` (with `from` and `until`: a window), `after`, `on_file`.

    Attributes:
        every: Seconds between two occurrences; of a window: between two tries.
        cron: Five fields, in `zone`.
        zone: Of `cron`, `from` and `until`; None: `app.zone`.
        calendar: The name of a calendar; on its days off nothing is due.
        jitter: Seconds by which an occurrence may be moved back, so that not all begin at once.
        opens: `from`, the wall time at which a window opens; `until`: at which it closes.
        done_when: An expression over the rows delivered; once it holds, the window is done for the day.
        after: Datasets; each delivery of one of them is an occurrence.
        on_file: A path pattern; each new or changed file is one. Absolute once loaded.
        missed: What becomes of occurrences that nobody was there for: none, the last, or all (at most 1,000) are run.
        overlap: What an occurrence does while the one before still runs.
    """

    every: Annotated[Duration | None, AfterValidator(_interval)] = None
    cron: Annotated[str, Field(min_length=1), AfterValidator(cron_line)] | None = None
    zone: Zone | None = None
    calendar: str | None = None
    jitter: Duration = 0.0
    opens: Annotated[TimeOfDay, AfterValidator(_opens)] | None = Field(default=None, alias="from")
    until: TimeOfDay | None = None
    done_when: Annotated[str, Field(min_length=1), AfterValidator(_done_when)] | None = None
    after: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    on_file: str | None = None
    missed: Literal["skip", "last", "all"] = "last"
    overlap: Literal["skip", "queue", "replace"] = "skip"

    @property
    def kind(self) -> Literal["cron", "every", "window", "after", "on_file"]:
        """Which of the five it is."""
        if self.cron is not None:
            return "cron"
        if self.after:
            return "after"
        if self.on_file is not None:
            return "on_file"
        return "every" if self.opens is None else "window"

    @model_validator(mode="after")
    def _one_of_them(self) -> "ScheduleSettings":
        given = [name for name in ("cron", "every", "after", "on_file") if getattr(self, name)]
        found: list[tuple[KeyPath, ValueError, type | None]] = []
        if len(given) != 1:
            got = "none of them" if not given else " and ".join(f"`{name}`" for name in given)
            hint = 'Write for example `{every: 15m}` or `{cron: "5 16 * * *"}`.'
            found.append(
                ((), Fault(f"expected one of `every`, `cron`, `after`, `on_file`, got {got}", hint=hint), None)
            )
        window: dict[str, Any] = {"from": self.opens, "until": self.until, "done_when": self.done_when}
        written = [name for name, value in window.items() if value is not None]
        if written and (self.every is None or self.opens is None or self.until is None):
            hint = 'A window is `{every: 10m, from: "16:00", until: "18:00"}`, with `done_when` if you like.'
            found.append(((written[0],), Fault("belongs to a window", hint=hint), None))
        elif self.opens is not None and self.until is not None and self.opens == self.until:
            found.append((("until",), Fault(f"the window from {self.opens} until {self.until} is empty"), None))
        if found:
            raise Faults(found)
        return self
