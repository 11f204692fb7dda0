"""What texts have in common: a few values, a well-known form, one build, their length."""

import re
from collections.abc import Collection, Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from data_pipeline.suggest.candidate import Candidate, is_text, tolerance_of
from data_pipeline.suggest.trying import outcomes
from data_pipeline.validate.arguments import FORMATS

if TYPE_CHECKING:
    from utils.arrow import pa

__all__ = ["texts"]

FEWEST_ROWS = 50
MOST_VALUES = 30
SEEN_ONCE = 0.1
"""Share of a category's values that may have come only once (Deequ's bound)."""

NEARLY_ALL = 0.99
FEWEST_FOR_BUILD = 100
LONGEST = 200

_SPECIAL = frozenset("\\.+*?()|[]{}^$")
_PHONE = re.compile(r"(?i).*(?:phone|tel|mobile|fax|gsm|handy).*")


def texts(table: "pa.Table", besides: Collection[str]) -> Iterator[Candidate]:
    """For each column of texts the strictest of: form, values, build, length. Not for the columns `besides`."""
    from utils.arrow import compute

    for field in table.schema:
        column = table.column(field.name)
        there = column.length() - column.null_count
        if not is_text(field.type) or there < FEWEST_ROWS:
            continue
        form = _form(table.select([field.name]), field.name)
        if form is not None:
            yield form
            continue
        if field.name in besides:
            continue
        counts = compute.value_counts(column.drop_null())
        values = dict(zip(counts.field(0).to_pylist(), counts.field(1).to_pylist(), strict=True))
        found = _values(field.name, values) or _build(field.name, values) or _length(field.name, values)
        if found is not None:
            yield found


def _form(table: "pa.Table", name: str) -> Candidate | None:
    """The form that nearly all values have, of those that have a name."""
    asked = [form for form in FORMATS if form != "phone" or _PHONE.fullmatch(name)]
    tried = outcomes([Candidate({"format": {"column": name, "is": form}}) for form in asked], table)
    for form, outcome in zip(asked, tried, strict=True):
        if outcome.of and outcome.failed <= (1 - NEARLY_ALL) * outcome.of:
            rule = {"format": {"column": name, "is": form}}
            if not outcome.failed:
                return Candidate(rule, f"every value is of the form {form}")
            share = outcome.failed / outcome.of
            loose = {"severity": "warning", "tolerance": tolerance_of(outcome.failed, outcome.of)}
            return Candidate({**rule, **loose}, f"{100 * (1 - share):.3g} % of the values are of the form {form}")
    return None


def _values(name: str, values: dict[str, int]) -> Candidate | None:
    """A category: few values, hardly any of which came only once."""
    rows = sum(values.values())
    once = sum(count == 1 for count in values.values())
    if not 1 < len(values) <= min(MOST_VALUES, rows // 10) or once > SEEN_ONCE * len(values):
        return None
    rule = {"one_of": {"column": name, "values": sorted(values)}}
    if not once:
        return Candidate(rule, f"{len(values)} values, each of them several times")
    # Good (1953): the chance that the next value is a new one is about the share of those that came once.
    why = (
        f"{len(values)} values, {once} of them once: about {100 * once / rows:.2g} % of the rows to come have a new one"
    )
    return Candidate({**rule, "severity": "warning"}, why)


def _build(name: str, values: dict[str, int]) -> Candidate | None:
    """Letters and digits in the same places in every value: a code."""
    if len(values) < FEWEST_FOR_BUILD or max(map(len, values)) > LONGEST:
        return None
    builds = [[(kind, len(list(run))) for kind, run in groupby(value, key=_kind)] for value in values]
    first = [kind for kind, _ in builds[0]]
    if not first or any([kind for kind, _ in build] != first for build in builds):
        return None
    lengths = [{build[at][1] for build in builds} for at in range(len(first))]
    if len(first) == 1 and len(lengths[0]) > 1:
        return None  # words of any length: that is no build
    pattern = "".join(_written(kind, min(sizes), max(sizes)) for kind, sizes in zip(first, lengths, strict=True))
    return Candidate({"matches": {"column": name, "pattern": pattern}}, f"every value is built like {min(values)!r}")


def _kind(sign: str) -> str:
    if "0" <= sign <= "9":
        return "[0-9]"
    if "A" <= sign <= "Z":
        return "[A-Z]"
    return "[a-z]" if "a" <= sign <= "z" else sign


def _written(kind: str, least: int, most: int) -> str:
    one = f"\\{kind}" if kind in _SPECIAL else kind
    if least != most:
        return f"{one}+"
    return one if least == 1 else f"{one}{{{least}}}"


def _length(name: str, values: dict[str, int]) -> Candidate | None:
    """One length, or lengths that differ little; texts of all lengths suggest nothing."""
    if len(values) < FEWEST_FOR_BUILD:
        return None
    sizes = {len(value) for value in values}
    least, most = min(sizes), max(sizes)
    if least == most:
        return Candidate({"length": {"column": name, "min": least, "max": most}}, f"every value has {least} signs")
    if most > LONGEST or most > 2 * least:
        return None
    room = max(1, (most - least) // 2)
    rule = {"column": name, "min": max(1, least - room), "max": most + room}
    why = f"{least} to {most} signs were seen; half of that more on each side"
    return Candidate({"length": rule, "severity": "warning"}, why)
