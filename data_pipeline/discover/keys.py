"""Which columns make a row one row."""

import re
from itertools import combinations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from utils.arrow import pa

_NAMED = re.compile(r"(?i)(?:.*[._ -])?(?:id|uuid|guid|isin|iban|sku|slug)|.*(?:Id|ID|_key|Key)")
_LIKELY = re.compile(
    r"(?i)(?:.*[._ -])?(?:code|key|nr|no|number|symbol|ticker|currency|station|country|region|name|type|kind|city|"
    r"product|item|series|metric|indicator|url|link|geo|unit|freq|ref_area|iso\d?|kod\w*)"
)
MOST_COLUMNS, MOST_ROWS = 12, 200_000


def key_of(table: "pa.Table", time: str | None) -> tuple[tuple[str, ...], str]:
    """The smallest set of columns without nulls whose values never repeat, and why it was chosen; () if none is found.

    Names of ids come first, then a time with what it may be a time of. Fractions never make a key.
    """
    from utils.arrow import pa

    if not table.num_rows:
        return (), ""
    table = table.slice(0, MOST_ROWS)
    usable = [
        field.name
        for field in table.schema
        if (pa.types.is_integer(field.type) or pa.types.is_string(field.type) or pa.types.is_temporal(field.type))
        and not table.column(field.name).null_count
    ]
    named = sorted((name for name in usable if _NAMED.fullmatch(name)), key=lambda name: (name.count("."), len(name)))
    for name in named:
        if _unique(table, (name,)):
            return (name,), "its name says so, and no value repeats"
    if table.num_rows < 2:
        return (), ""
    likely = [name for name in usable if _LIKELY.fullmatch(name) and name not in named]
    for name in (*likely, *([time] if time is not None and time in usable else ())):
        if _unique(table, (name,)):
            return (name,), "no value repeats"
    texts = [
        n for n in usable if n != time and n not in (*named, *likely) and pa.types.is_string(table.schema.field(n).type)
    ]
    parts = [*named, *likely, *texts][:MOST_COLUMNS]
    if time is not None and time in usable:
        parts = [time, *parts]
    for size in (2, 3):
        for names in combinations(parts, size):
            if (time is None or time not in usable or time in names) and _unique(table, names):
                return names, "together they never repeat"
    return (), ""


def _unique(table: "pa.Table", names: tuple[str, ...]) -> bool:
    if len(names) == 1:
        from utils.arrow import compute

        return bool(compute.count_distinct(table.column(names[0])).as_py() == table.num_rows)
    return bool(table.group_by(list(names)).aggregate([]).num_rows == table.num_rows)
