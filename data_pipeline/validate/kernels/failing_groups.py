"""Which of the groups that fail an `aggregate` rule are off the most, in words."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from data_pipeline.python_values import values_of
from utils.arrow import compute, pa

if TYPE_CHECKING:
    import numpy as np

    Floats = np.ndarray[Any, np.dtype[np.float64]]

__all__ = ["WORST", "Failing", "Worst", "worst_of"]

WORST = 20
"""Groups that are named."""

_MOST = 80
"""Characters of a value that are shown."""


class Failing(NamedTuple):
    """Groups that fail, in the order of their keys.

    Attributes:
        keys: Name -> the column of the key.
        found: The expression, and what it gives in each group.
        expected: `equals`, `min`, `max` -> what it is called, and what it gives in each group.
        single: The columns that should have one value in a group.
        several: Groups whose rows differ in one of them; None: there are none.
    """

    rows: int
    keys: "Mapping[str, pa.ChunkedArray]"
    found: tuple[str, Any]
    expected: Mapping[str, tuple[str, Any]]
    single: tuple[str, ...]
    several: "pa.BooleanArray | None"


class Worst(NamedTuple):
    """What is said of them.

    Attributes:
        examples: The worst ones: their keys, what was found and what was expected. These are values of rows.
        off: By how much, over all of them.
        figures: Of the worst: `found` and each bound, as text.
        several: In how many a column has several values that should have one; empty: in none.
    """

    examples: tuple[tuple[tuple[str, str], ...], ...]
    off: str
    figures: Mapping[str, str]
    several: str


def worst_of(failing: Failing) -> Worst:
    """Those that are off the most; of those that are off equally, the first by their keys."""
    import numpy as np

    distance = _distance(failing)
    worst = np.argsort(-distance, kind="stable")[:WORST]
    mixed = None if failing.several is None else failing.several.to_numpy(zero_copy_only=False)[worst]
    columns = {name: _texts(values, worst) for name, values in failing.keys.items()}
    columns[failing.found[0]] = _texts(failing.found[1], worst)
    for text, values in failing.expected.values():
        shown = _texts(values, worst)
        columns[text] = [_MIXED if mixed is not None and mixed[at] else one for at, one in enumerate(shown)]
    examples = tuple(tuple(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
    several = 0 if failing.several is None else failing.several.true_count
    largest = float(distance[worst[0]])
    off = f", off by up to {_shown(largest)}" if 0 < largest < float("inf") and not _are_times(failing) else ""
    texts = {"found": failing.found[0], **{name: text for name, (text, _) in failing.expected.items()}}
    figures = {name: columns[text][0] for name, text in texts.items()}
    which = " or ".join(f"`{name}`" for name in failing.single)
    return Worst(examples, off, figures, f"{which} has more than one value in {several:,}" if several else "")


_MIXED = "more than one value"


def _all(failing: Failing) -> list[Any]:
    return [failing.found[1], *(values for _, values in failing.expected.values())]


def _type(values: Any) -> "pa.DataType | None":
    return None if isinstance(values, list) else values.type


def _are_times(failing: Failing) -> bool:
    return any((kind := _type(values)) is not None and pa.types.is_temporal(kind) for values in _all(failing))


def _distance(failing: Failing) -> "Floats":
    """How far each group is from what was expected; 0 where that is no number."""
    import numpy as np

    found = _floats(failing.found[1], failing.rows)
    far = np.zeros(failing.rows)
    with np.errstate(invalid="ignore"):
        for name, (_, values) in failing.expected.items():
            off = found - _floats(values, failing.rows)
            far = np.fmax(far, np.abs(off) if name == "equals" else off if name == "max" else -off)
    return far


def _floats(values: Any, rows: int) -> "Floats":
    import numpy as np

    if isinstance(values, list):
        return np.array([np.nan if number is None else float(number) for number in values])
    if isinstance(values, pa.Scalar):
        values = pa.repeat(values, rows)
    kind = values.type
    if pa.types.is_temporal(kind):
        values = values.view(pa.int64() if kind.bit_width == 64 else pa.int32())
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        return np.full(rows, np.nan)
    found: Floats = compute.cast(values, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return found


def _texts(values: Any, places: Any) -> list[str]:
    if isinstance(values, pa.Scalar):
        values = pa.repeat(values, 1)
        places = [0] * len(places)
    chosen = [values[at] for at in places] if isinstance(values, list) else values_of(values.take(pa.array(places)))
    return [_shown(value) for value in chosen]


def _shown(value: Any) -> str:
    """A value as a person writes it; numbers digit for digit, floats to 12 of them."""
    if value is None:
        return "no value"
    if isinstance(value, float):
        return f"{value:.12g}"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat() + "Z"
    text = value.isoformat() if isinstance(value, date) else str(value)
    return text if len(text) <= _MOST else f"{text[: _MOST - 1]}…"
