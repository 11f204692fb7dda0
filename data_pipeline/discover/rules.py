"""Rules that what was seen suggests. Whether they hold is for the caller to try."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from utils.arrow import pa

_BOUNDED = (
    (re.compile(r"(?i)(?:.*[._ ])?lat(?:itude)?"), -90, 90),
    (re.compile(r"(?i)(?:.*[._ ])?(?:lon|lng|long)(?:itude)?"), -180, 180),
)
_NEVER_NEGATIVE = re.compile(
    r"(?i).*(?:price|rate|amount|count|quantity|qty|total|volume|population|size|weight|height|width|distance|speed|"
    r"percent|pct|share|duration|age|stock|fiyat|kur|adet|preis|menge|buying|selling|cases|deaths).*"
)
MOST = 6


@dataclass(frozen=True, slots=True)
class Suggested:
    """One rule as it is written, and why."""

    rule: dict[str, Any]
    why: str = ""


def rules_of(table: "pa.Table", key: Sequence[str], time: str | None) -> list[Suggested]:
    """Nothing missing in key and time, no key twice, some rows, and bounds where the name of a column suggests them."""
    from utils.arrow import compute, pa

    found = [Suggested({"row_count": {"min": 1}}, "an empty answer is no delivery")]
    needed = [name for name in dict.fromkeys((*key, *([time] if time else ()))) if not table.column(name).null_count]
    if needed:
        found.append(Suggested({"not_null": needed}, "no value is missing in this batch"))
    if key:
        found.append(Suggested({"unique": key[0] if len(key) == 1 else list(key)}))
    bounds: list[Suggested] = []
    for field in table.schema:
        kind = field.type
        if (
            not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))
            or field.name in key
        ):
            continue
        ends = compute.min_max(table.column(field.name)).as_py()
        if ends["min"] is None:
            continue
        for pattern, least, most in _BOUNDED:
            if pattern.fullmatch(field.name) and least <= ends["min"] and ends["max"] <= most:
                rule = {"column": field.name, "min": least, "max": most}
                bounds.append(Suggested({"range": rule}, f"{ends['min']} to {ends['max']} in this batch"))
                break
        else:
            if _NEVER_NEGATIVE.fullmatch(field.name) and ends["min"] >= 0:
                rule = {"column": field.name, "min": 0, "severity": "warning"}
                bounds.append(Suggested({"range": rule}, f"a guess: {ends['min']} to {ends['max']} in this batch"))
    return [*found, *bounds[:MOST]]
