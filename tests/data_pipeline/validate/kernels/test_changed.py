"""`changed`: news is good, the same content is good for a while."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.validate.engine import validate
from data_pipeline.validate.kernels.changed import Changed
from data_pipeline.validate.report import Report
from data_pipeline.validate.rules import parse_rule
from tests.data_pipeline.validate.kernels.around import Made
from tests.data_pipeline.validate.plain import NOW, batch_of

HOURS = timedelta(hours=1)


def report(since: datetime | None, *, within: Any = "1d", rows: int = 2) -> Report:
    around = Made(since=since)
    return validate(
        batch_of({"a": list(range(rows))}), parse_rule({"changed": within}), now=NOW, surroundings=around
    ).report


@pytest.mark.parametrize(
    ("since", "failed", "detail"),
    [
        (None, 0, ""),
        (NOW - 24 * HOURS, 0, ""),
        (NOW - 36 * HOURS, 1, "the content is the same since 2025-12-30T12:00:00Z, for 36 h; 24 h allowed"),
    ],
    ids=["news", "the same for a day", "the same for too long"],
)
def test_content_may_stay_the_same_for_so_long(since: datetime | None, failed: int, detail: str) -> None:
    """One verdict a batch, with the moment since when nothing is new."""
    (outcome,) = report(since).outcomes

    assert (outcome.rule, outcome.failed, outcome.of, outcome.detail) == ("changed", failed, 1, detail)
    assert outcome.limit_s == 86_400


def test_what_was_news_grows_old_when_it_is_only_confirmed() -> None:
    """Judged again after a 304, by the moment at which the content came."""
    news = report(None)

    assert news.rejudged(NOW + 24 * HOURS).outcomes[0].passed
    assert not news.rejudged(NOW + 25 * HOURS).outcomes[0].passed
    assert not report(NOW - 20 * HOURS).rejudged(NOW + 5 * HOURS).outcomes[0].passed


def test_a_batch_without_rows_says_nothing() -> None:
    """As for all rules on the whole batch but `row_count`."""
    (outcome,) = report(NOW - 48 * HOURS, rows=0).outcomes

    assert (outcome.failed, outcome.of) == (0, 0)


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ({}, "needs `within`, how long the content may stay the same"),
        ("soon", "`within` must be a duration"),
        ({"within": "1d", "calendar": 5}, "`calendar` must be the name of a calendar"),
        ({"within": "1d", "column": "a"}, "unknown key `column`"),
    ],
    ids=["no time", "no duration", "calendar", "column"],
)
def test_a_wrong_argument_is_refused(argument: Any, words: str) -> None:
    """With the key and what it should be."""
    with pytest.raises(ValueError, match=words):
        parse_rule({"changed": argument})


@given(st.lists(st.none() | st.integers(-(2**50), 2**50), min_size=1), st.randoms(use_true_random=False))
def test_parts_merge_in_any_order_and_travel_as_bytes(moments: list[int | None], chance: Any) -> None:
    """News in one part is news in the whole; else the newest moment counts."""
    parts = [Changed.from_bytes(Changed(us).to_bytes()) for us in moments]
    chance.shuffle(parts)
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.merge(part)

    known = [us for us in moments if us is not None]
    assert whole == Changed(None if None in moments else max(known))
