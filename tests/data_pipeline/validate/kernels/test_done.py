"""Whether delivered rows are what a window waits for."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from data_pipeline.validate.done import parse_done
from data_pipeline.validate.kernels.columns import CannotJudge
from data_pipeline.validate.kernels.done import done
from tests.data_pipeline.validate.plain import batch_of
from utils.arrow import pa
from utils.expression.grammar import ExpressionError

NOW = datetime(2026, 11, 20, 22, 30, tzinfo=UTC)
BERLIN, TOKYO = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Tokyo")
ROWS = {
    "date": [date(2026, 11, 19), date(2026, 11, 20), None],
    "at": pa.array([datetime(2026, 11, 20, 15), datetime(2026, 11, 19, 15), None], pa.timestamp("ns", "UTC")),
    "naive": pa.array([datetime(2026, 11, 20, 23, 30)] * 3, pa.timestamp("us")),
    "kind": ["fixing", "fixing", "fixing"],
    "state": ["a", "b", None],
    "today": [1.0, 2.0, float("nan")],
    "empty": pa.nulls(3, pa.date32()),
}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("max(date) == today", True),
        ("min(date) = yesterday", True),
        ("max(at) == today", True),
        ("today == max(at) and today > min(at)", True),
        ("max(naive) == today", False),
        ("max(at) >= 2026-11-20T15:00:00Z", True),
        ("count(*) >= 3 and count(state) = 2", True),
        ("kind == 'fixing'", True),
        ("state == 'a'", False),
        ("max(`today`) == 2", True),
        ("max(empty) == today", False),
        ("not max(date) == TODAY", False),
        ("year(max(date)) == year(today)", True),
    ],
)
def test_an_expression_is_true_of_all_rows_or_not(expression: str, expected: bool) -> None:
    """A time falls on a day; rows that differ have no one value; what is unknown is not done."""
    assert done(expression, batch_of(ROWS), now=NOW, zone=BERLIN) is expected


def test_today_is_a_day_of_the_zone() -> None:
    """At half past ten, UTC, it is the next day in Tokyo, where a time of this afternoon falls on it, too."""
    late = batch_of({"at": [datetime(2026, 11, 20, 15, 30, tzinfo=UTC)]})

    assert done("max(at) == today", late, now=NOW, zone=TOKYO)
    assert not done("max(date) == today", batch_of(ROWS), now=NOW, zone=TOKYO)


def test_no_rows_are_not_done() -> None:
    """Also where no row would be enough."""
    assert not done("count(*) >= 0", batch_of({"date": pa.array([], pa.date32())}), now=NOW, zone=BERLIN)


def test_rows_of_many_chunks_are_one_whole() -> None:
    """The newest day stands in the last of them."""
    table = pa.concat_tables([pa.table({"date": [date(2026, 11, day)], "n": [day]}) for day in range(1, 21)])
    columns = {name: table[name] for name in table.column_names}

    assert done("max(date) == today and count(*) == 20 and sum(n) == 210", batch_of(columns), now=NOW, zone=BERLIN)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("max(day) == today", "there is no column `day`"),
        ("sum(state) > 3", "`sum` needs a number, this is text"),
        ("max(state) == today", "cannot compare text with a time"),
    ],
    ids=["no such column", "a sum of text", "text is no day"],
)
def test_what_does_not_fit_the_rows_is_said(expression: str, words: str) -> None:
    """The types are only known now."""
    with pytest.raises(CannotJudge, match=words):
        done(expression, batch_of(ROWS), now=NOW, zone=BERLIN)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("max(date)", "the whole must be true or false"),
        ("today == yesterday", "looks at no rows"),
        ("max(date == today", "position 18"),
        ("max(date) == 3 +", "unexpected end"),
        ("max(date) + today == 3", "`\\+` needs a number, this is a time"),
    ],
    ids=["no question", "no rows", "not closed", "not ended", "days are no numbers"],
)
def test_what_is_no_expression_is_refused_without_rows(expression: str, words: str) -> None:
    """With the place of the fault, when the configuration is read."""
    with pytest.raises(ExpressionError, match=words):
        parse_done(expression)
