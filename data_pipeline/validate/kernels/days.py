"""Text as a day of the calendar: the shape of ISO 8601, and whether there was such a day."""

from typing import Any

from utils.arrow import compute, pa

__all__ = ["DAY", "no_day"]

DAY = r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"


def no_day(array: Any) -> "pa.BooleanArray | None":
    """Where text is no day of the calendar, unparsable text included; null where there is none.

    Arrow reads 30 February as 1 March, so the way back must agree.
    """
    read = compute.strptime(array, format="%Y-%m-%d", unit="s", error_is_null=True)
    same = compute.fill_null(compute.equal(compute.strftime(read, format="%Y-%m-%d"), array), False)
    mask = compute.and_(compute.invert(same), compute.is_valid(array))
    return mask if mask.true_count else None
