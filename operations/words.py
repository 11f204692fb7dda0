"""Numbers and moments as people say them: what status, commands and pages share."""

from datetime import UTC, datetime

from utils.ages import ages, duration
from utils.sizes import size

__all__ = ["about", "ages", "count_of", "duration", "listed", "moment", "size"]


def count_of(number: int, noun: str) -> str:
    """How many of something.

    >>> count_of(1, "dataset"), count_of(1200, "provider")
    ('1 dataset', '1,200 providers')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def about(dataset: str, reason: str) -> str:
    """A reason, with the dataset's name before it unless it begins with it already.

    >>> about("fx", "fx: no answer"), about("fx", "fx (a.csv): cut off"), about("fx", "the batch is held")
    ('fx: no answer', 'fx (a.csv): cut off', 'fx: the batch is held')
    """
    return reason if reason.startswith((f"{dataset}: ", f"{dataset} (")) else f"{dataset}: {reason}"


def moment(text: str | None) -> str:
    """A stored moment, to the minute.

    >>> moment("2026-11-20T16:00:12.000000Z"), moment(None)
    ('20 Nov 2026 16:00 UTC', 'never')
    """
    if text is None:
        return "never"
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%-d %b %Y %H:%M UTC")


def listed(names: list[str], most: int = 4) -> str:
    """Names in a row, the rest count_of.

    >>> listed(["a", "b", "c"]), listed(["a", "b", "c"], most=2)
    ('a, b, c', 'a, b and 1 more')
    """
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"
