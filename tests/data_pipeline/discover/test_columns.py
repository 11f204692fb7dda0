"""What columns hold that their parser cannot tell."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from data_pipeline.discover.columns import typed
from data_pipeline.discover.keys import key_of
from data_pipeline.discover.times import rhythm_of, time_of, written
from data_pipeline.suggest.first import first_rules
from utils.arrow import pa

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "values", "found"),
    [
        ("d", ["31.12.2025", "01.02.2026"], ("date", "%d.%m.%Y")),
        ("d", ["31/12/2025", "01/02/2026"], ("date", "%d/%m/%Y")),
        ("d", ["12/31/2025", "01/02/2026"], ("date", "%m/%d/%Y")),
        ("d", ["01/10/2025", "01/11/2025", "01/12/2025", "02/01/2025"], ("date", "%m/%d/%Y")),
        ("d", ["13-Feb-2026", "01-Mar-2026"], ("date", "%d-%b-%Y")),
        ("d", ["20251231", "20260101"], ("date", "%Y%m%d")),
        ("day", [20251231, 20260101], ("date", "%Y%m%d")),
        ("d", ["2026-01", "2026-02"], ("date", "%Y-%m")),
        ("d", ["01.02.2026 14:30", "13.02.2026 15:00"], ("timestamp", "%d.%m.%Y %H:%M")),
        ("d", ["2/13/2026 3:05 PM", "2/14/2026 11:00 AM"], ("timestamp", "%m/%d/%Y %I:%M %p")),
        ("d", ["2026-01-01T10:00:00Z", "2026-01-02T10:00:00Z"], ("timestamp", "")),
        ("created_at", [1_767_225_600, 1_767_229_200], ("timestamp", "epoch_s")),
        ("time", [1_767_225_600_000], ("timestamp", "epoch_ms")),
        ("price", ["43.80", "1.5"], ("decimal", "")),
        ("n", ["1", "20"], ("integer", "")),
        ("population", [1_767_225_600, 1_400_000_000], None),
        ("id", ["007", "012"], None),
        ("name", ["anna", "31.12.2025"], None),
        ("d", ["31.02.2026"], None),
        ("n", [None, None], None),
    ],
    ids=[
        *(
            "points",
            "day first",
            "month first",
            "order tells",
            "month by name",
            "digits",
            "digits as a number",
            "months",
        ),
        *("with a clock", "am and pm", "ISO", "seconds", "milliseconds", "numbers as text", "whole numbers as text"),
        *("a large number", "zeros in front", "words", "no such day", "nothing"),
    ],
)
def test_a_column_is_told_by_all_of_its_cells(name: str, values: list[Any], found: tuple[str, str] | None) -> None:
    """A guess that one cell contradicts is none."""
    column = typed(name, values)
    assert (None if column is None else (column.type, column.format)) == found


def test_day_or_month_without_evidence_is_called_a_guess() -> None:
    """Decimal commas stand for day first."""
    column = typed("d", ["01/02/2026"], decimal=",")
    assert column is not None
    assert column.format == "%d/%m/%Y"
    assert "GUESS" in column.why


@pytest.mark.parametrize(
    ("columns", "time", "key"),
    [
        ({"v": [1, 2], "id": [5, 6]}, None, ("id",)),
        ({"id": [1, 1], "line": [1, 2]}, None, ()),
        ({"day": ["a", "a", "b"], "currency": ["E", "U", "E"], "rate": [1.5, 2.5, 3.5]}, None, ("currency", "day")),
        ({"id": [1, None], "code": ["a", "b"]}, None, ("code",)),
        ({"x": [1.5, 2.5]}, None, ()),
        ({"v": [1, 1], "w": ["x", "x"]}, None, ()),
    ],
    ids=["an id", "numbers are no key by chance", "two together", "an id with gaps", "fractions", "rows that repeat"],
)
def test_the_smallest_key_is_found(columns: dict[str, list[Any]], time: str | None, key: tuple[str, ...]) -> None:
    """Names of ids first; nothing rather than something accidental."""
    assert key_of(pa.table(columns), time)[0] == key


def test_times_ahead_tell_no_age_and_gaps_make_no_key() -> None:
    """A forecast's own times are passed over for the time at which it was made."""
    table = pa.table({"valid": [NOW + timedelta(days=3)] * 2, "updated": [NOW, NOW]})
    assert time_of(table, NOW)[0] == "updated"


def test_the_rhythm_survives_weekends() -> None:
    """A promise covers the longest usual pause."""
    days = [NOW - timedelta(days=back) for back in range(60) if (NOW - timedelta(days=back)).weekday() < 5]
    rhythm = rhythm_of(pa.table({"day": pa.array(days, pa.timestamp("us", "UTC"))}), "day", NOW)
    assert rhythm is not None
    assert (written(rhythm.usual), rhythm.regular) == ("1d", True)
    assert rhythm.promise > timedelta(days=4).total_seconds()


def test_bounds_are_suggested_where_a_name_does() -> None:
    """And only those that the batch keeps."""
    table = pa.table({"lat": [41.0], "price": [2.5], "price_change": [-1.0], "x": [3]})
    rules = [rule.rule for rule in first_rules(table, (), None)]
    assert {"range": {"column": "lat", "min": -90, "max": 90}} in rules
    assert {"range": {"column": "price", "min": 0}, "severity": "warning"} in rules
    assert [rule["range"]["column"] for rule in rules if "range" in rule] == ["lat", "price"]
