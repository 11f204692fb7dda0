"""Whether a text is a cron line that we run: five fields, and a day on which it fires."""

from datetime import datetime
from functools import lru_cache

from config.errors import Fault, shown

_FIELDS = {
    "minute": "0 to 59",
    "hour": "0 to 23",
    "day-of-month": "1 to 31, `L` for the last, `LW` for the last from Monday to Friday",
    "month": "1 to 12, or `jan` to `dec`",
    "day-of-week": "0 to 7 (0 and 7 are Sunday), or `sun` to `sat`; `5#2` is the second Friday, `5L` the last",
}
"""In their order; what each may hold."""

_NAMED = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


@lru_cache(maxsize=4096)
def cron_line(text: str) -> str:
    """The line, one space between its fields.

    >>> cron_line(" 5 16  * * mon-fri")
    '5 16 * * mon-fri'

    Raises:
        Fault: it is no cron line, or it never fires.
    """
    fields = text.split()
    if text.lstrip().startswith("@"):
        meant = _NAMED.get(text.strip().lower())
        hint = f'Write `cron: "{meant}"`.' if meant else 'Write five fields, such as `"5 16 * * *"`.'
        raise Fault(f"{shown(text)} is no cron line of five fields", hint=hint)
    if len(fields) == 6:
        hint = f'Leave the seconds out: `"{" ".join(fields[1:])}"`; for less than a minute there is `every`.'
        raise Fault(f"{shown(text)} has six fields, a cron line has five", hint=hint)
    if len(fields) != 5:
        hint = "They are minute, hour, day of the month, month, day of the week."
        raise Fault(f"expected five fields, got {len(fields)}: {shown(text)}", hint=hint)
    from cronsim import CronSim, CronSimError

    line = " ".join(fields)
    try:
        # Without a zone: whether it fires is a question of the calendar alone. cronsim gives up after 50 years.
        next(CronSim(line, datetime(2000, 1, 1)))  # noqa: DTZ001
    except CronSimError as error:
        raise _unreadable(text, fields, str(error).removeprefix("Bad ")) from error
    except (ValueError, IndexError, AssertionError) as error:
        raise Fault(f"{shown(text)} is no cron line") from error
    except StopIteration:
        raise _never(text) from None
    return line


def _unreadable(text: str, fields: list[str], name: str) -> Fault:
    if name not in _FIELDS:
        return Fault(f"{shown(text)} is no cron line")
    field = fields[list(_FIELDS).index(name)]
    if name == "day-of-month" and _is_day(field):
        return _never(text)
    return Fault(
        f"{shown(field)} is no {name.replace('-', ' ').replace('day of', 'day of the')} of a cron line",
        hint=f"It is {_FIELDS[name]}.",
    )


def _is_day(field: str) -> bool:
    return all(part.isdigit() and 1 <= int(part) <= 31 for item in field.split(",") for part in item.split("-"))


def _never(text: str) -> Fault:
    return Fault(f"{shown(text)} never fires: no year has such a day", hint="`L` as the day is the last of the month.")
