"""Hold the age of a dataset's data against what it promises its readers."""

from utils.ages import duration


def oldest(copy_age: float | None, data_age: float | None) -> float | None:
    """The age that a promise is held against: of the data, which is never younger than our copy of it.

    A wrong year far ahead, or a forecast, makes the data look new for ever; the copy grows old all the same.

    >>> oldest(60.0, 3600.0), oldest(60.0, 0.0), oldest(60.0, None), oldest(None, None)
    (3600.0, 60.0, 60.0, None)
    """
    return max((age for age in (copy_age, data_age) if age is not None), default=None)


def broken(max_age: float | None, oldest: float | None) -> str:
    """How the promise is broken, in words; empty when it is kept, or none was made.

    Args:
        max_age: What is promised, in seconds; None: nothing.
        oldest: The age of the data in seconds; None: nobody knows it, which keeps no promise.

    >>> broken(86_400, 3600), broken(86_400, 90_000)
    ('', 'promise broken: the data is 25 h old, promised is 24 h')
    """
    if max_age is None or (oldest is not None and oldest <= max_age):
        return ""
    old = "of unknown age" if oldest is None else f"{duration(oldest, decimals=1)} old"
    return f"promise broken: the data is {old}, promised is {duration(max_age, decimals=1)}"
