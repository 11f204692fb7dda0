"""`fresh` and `changed` with a calendar: days off make nothing older."""

from datetime import UTC, datetime, timedelta

import pytest

from data_pipeline.validate.engine import judge, observe, validate
from data_pipeline.validate.report import Report
from data_pipeline.validate.rules import parse_rule
from data_pipeline.validate.state_bytes import states_from_bytes, states_to_bytes
from tests.data_pipeline.validate.kernels.around import Made
from tests.data_pipeline.validate.plain import batch_of
from utils.calendars import Calendar

WEEKDAYS = Calendar(frozenset(range(5)))
FRIDAY = datetime(2026, 11, 20, 16, tzinfo=UTC)
RULES = {
    "fresh": {"fresh": {"column": "at", "within": "24h", "calendar": "bank"}},
    "changed": {"changed": {"within": "24h", "calendar": "bank"}},
}


def judged(kind: str, now: datetime, *, since: datetime = FRIDAY) -> Report:
    around = Made(since=since, calendar=WEEKDAYS)
    return validate(batch_of({"at": [since, None]}), parse_rule(RULES[kind]), now=now, surroundings=around).report


@pytest.mark.parametrize("kind", RULES)
@pytest.mark.parametrize(
    ("hours", "failed"), [(24, 0), (71, 0), (72, 0), (73, 1)], ids=["Saturday", "Monday", "just", "too late"]
)
def test_a_weekend_makes_nothing_older(kind: str, hours: int, failed: int) -> None:
    """What came on Friday at four may be a working day old until Monday at four."""
    (outcome,) = judged(kind, FRIDAY + timedelta(hours=hours)).outcomes

    assert (outcome.failed, outcome.of, outcome.limit_s) == (failed, 1, 72 * 3600)
    if failed:
        assert outcome.detail.endswith("; 3 d allowed (24 h without the days off of `bank`)")


@pytest.mark.parametrize("kind", RULES)
def test_what_was_fresh_is_judged_again_with_its_days_off(kind: str) -> None:
    """After a 304 on Monday: the calendar was asked when the content came."""
    report = judged(kind, FRIDAY)

    assert [report.rejudged(FRIDAY + timedelta(hours=hours)).outcomes[0].failed for hours in (72, 73)] == [0, 1]


@pytest.mark.parametrize("kind", RULES)
def test_parts_with_days_off_travel_as_bytes_and_merge(kind: str) -> None:
    """The newest counts, with the days off behind it."""
    rules, around = tuple(parse_rule(RULES[kind])), Made(since=FRIDAY, calendar=WEEKDAYS)
    now = FRIDAY + timedelta(hours=70)
    parts = [batch_of({"at": [FRIDAY - timedelta(days=days)]}) for days in (3, 0)]
    states = [observe(part, rules, now=now, surroundings=around) for part in parts]

    travelled = [states_from_bytes(states_to_bytes(state), rules) for state in states]

    assert judge(travelled) == judge(states) == judge(states[::-1])
    assert judge(states).outcomes[0].failed == 0


@pytest.mark.parametrize("kind", RULES)
def test_a_calendar_that_nobody_knows_is_said(kind: str) -> None:
    """A batch by itself has no calendars around it."""
    batch = batch_of({"at": [FRIDAY]})
    (outcome,) = validate(batch, parse_rule(RULES[kind]), now=FRIDAY, surroundings=Made(since=FRIDAY)).report.outcomes

    assert (outcome.failed, outcome.detail) == (1, "there is no calendar `bank`")
