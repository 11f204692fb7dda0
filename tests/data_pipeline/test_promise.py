"""Promises: until when they hold, and how they stand at a moment."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.promise import FOR_EVER, NO_TRIES, Promise, Tries
from utils.calendars import EVERY_DAY, Calendar
from utils.wall_time import wall

BERLIN = ZoneInfo("Europe/Berlin")
BANK = Calendar(frozenset(range(5)), frozenset({date(2026, 12, 25)}))
HOUR = timedelta(hours=1)


def promise(max_age: float | None = None, due: str | None = None, calendar: Calendar = EVERY_DAY) -> Promise:
    return Promise(max_age, due, BERLIN, calendar, "" if calendar is EVERY_DAY else "bank")


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


def text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def stands(made: Promise, collected: str, data: str | None, now: str, tries: Tries = NO_TRIES) -> tuple[str, str]:
    """State and words."""
    dated = None if data is None else text(berlin(data))
    judged = made.judge(text(berlin(collected)), dated, berlin(now), tries)
    return judged.state, judged.words


def test_the_limit_itself_keeps_the_promise() -> None:
    """A day is a day; a second more breaks it."""
    day = promise(max_age=86_400)

    assert stands(day, "2026-11-20T10:00", None, "2026-11-21T10:00") == ("kept", "")
    assert stands(day, "2026-11-20T10:00", None, "2026-11-21T10:18") == (
        "broken",
        "promise broken: the data is 24.3 h old, promised is 24 h",
    )


@pytest.mark.parametrize("made", [promise(max_age=86_400), promise(due="16:30")], ids=["max_age", "due"])
def test_data_whose_age_nobody_knows_keeps_no_promise(made: Promise) -> None:
    """Neither moment is known, or our copy comes from the future of a clock that was set back."""
    now = berlin("2026-11-20T12:00")

    for collected in (None, text(now + HOUR)):
        judged = made.judge(collected, None, now)
        assert (judged.state, judged.until) == ("broken", None)
        assert "of unknown age" in judged.words or "nobody knows of which day" in judged.words


@pytest.mark.parametrize(
    ("collected", "data", "until"),
    [
        ("2026-11-19T16:05", "2026-11-19T00:00", "2026-11-20T16:30"),
        ("2026-11-19T18:00", None, "2026-11-20T16:30"),
        ("2026-11-20T16:05", "2026-11-20T00:00", "2026-11-23T16:30"),
        ("2026-11-21T09:00", "2026-11-20T00:00", "2026-11-23T16:30"),
        ("2026-11-21T09:00", None, "2026-11-23T16:30"),
        ("2026-11-23T16:05", "2026-11-20T00:00", "2026-11-23T16:30"),
        ("2026-12-24T16:05", "2026-12-24T00:00", "2026-12-28T16:30"),
        ("2026-11-19T14:00", "2026-11-20T00:00", "2026-11-23T16:30"),
        ("2026-11-20T14:00", "2026-11-23T00:00", "2026-11-24T16:30"),
        ("2026-11-19T14:00", "2062-11-20T00:00", "2026-11-23T16:30"),
        ("2026-03-26T16:05", "2026-03-26T00:00", "2026-03-27T16:30"),
    ],
    ids=["today's", "without a date", "Friday's over the weekend", "dated Friday, confirmed on Saturday",
         "collected on a day off", "still Friday's on Monday", "over Christmas", "of tomorrow, published today",
         "Monday's, published on Friday", "a wrong year", "as each day"],
)  # fmt: skip
def test_data_of_a_day_lasts_until_that_of_the_next_open_day_is_due(collected: str, data: str, until: str) -> None:
    """Days off ask for nothing; data dated ahead counts for the next open day at most."""
    dated = None if data is None else berlin(data)

    assert promise(due="16:30", calendar=BANK).holds_until(berlin(collected), dated) == berlin(until)


@pytest.mark.parametrize(
    ("due", "day", "until"),
    [
        ("02:30", "2026-03-29", "2026-03-29T01:00"),
        ("02:30", "2026-10-25", "2026-10-25T00:30"),
        ("24:00", "2026-11-20", "2026-11-20T23:00"),
    ],
    ids=["a skipped hour", "a repeated hour", "the end of the day"],
)
def test_a_due_time_comes_once_a_day(due: str, day: str, until: str) -> None:
    """When the clock shows it first, or skips it."""
    assert promise(due=due).deadline(date.fromisoformat(day)) == datetime.fromisoformat(until).replace(tzinfo=UTC)


def test_a_missed_day_is_named() -> None:
    """So that it is known which delivery to look for."""
    made = promise(due="16:30", calendar=BANK)

    assert stands(made, "2026-11-20T16:05", "2026-11-20T00:00", "2026-11-23T16:30") == ("kept", "")
    assert stands(made, "2026-11-20T16:05", "2026-11-20T00:00", "2026-11-24T09:00") == (
        "broken",
        "promise broken: the data of 2026-11-23 was due at 16:30 (Europe/Berlin) and is not there",
    )
    assert (
        "the data of 2026-11-23 was due at 24:00"
        in stands(promise(due="24:00", calendar=BANK), "2026-11-20T16:05", None, "2026-11-24T00:01")[1]
    )


def test_days_off_do_not_age_the_data() -> None:
    """26 hours from Friday at four in the afternoon end on Monday at six."""
    made = promise(max_age=26 * 3600, calendar=BANK)

    assert made.holds_until(berlin("2026-11-20T16:00"), None) == berlin("2026-11-23T18:00")
    assert stands(made, "2026-11-20T16:00", None, "2026-11-23T18:01")[1] == (
        "promise broken: the data is 3 d old, promised is 26 h without the days off of `bank`"
    )


def test_data_of_the_day_before_is_promised_by_its_age() -> None:
    """The recipe of the docs: by seven the data of the last open day is there, which is dated midnight."""
    made = promise(max_age=(48 + 7) * 3600, calendar=BANK)

    assert made.holds_until(berlin("2026-11-19T06:40"), berlin("2026-11-18T00:00")) == berlin("2026-11-20T07:00")
    assert made.holds_until(berlin("2026-11-20T06:40"), berlin("2026-11-19T00:00")) == berlin("2026-11-23T07:00")


@pytest.mark.parametrize(
    ("now", "tries", "state", "words"),
    [
        ("15:00", Tries(berlin("2026-11-20T16:05")), "kept", ""),
        ("16:06", Tries(berlin("2026-11-23T16:05")), "at_risk", "it breaks in 24 min, and the next try is not before"),
        ("16:06", Tries(berlin("2026-11-23T16:05"), at_work=True), "kept", ""),
        ("16:06", Tries(berlin("2026-11-20T16:20"), last_failed=True), "at_risk", "24 min, and the last try failed"),
        ("15:00", Tries(berlin("2026-11-20T15:10"), last_failed=True), "kept", ""),
        ("15:40", Tries(last_failed=True), "at_risk", "it breaks in 50 min, and the last try failed"),
        ("15:00", Tries(paused=True), "at_risk", "its schedule is paused"),
        ("16:31", Tries(berlin("2026-11-20T16:40")), "broken", "the data of 2026-11-20 was due"),
    ],
    ids=["a try comes in time", "none comes in time", "one is at work", "little time and a failure", "time enough",
         "no clock says when", "paused", "too late"],
)  # fmt: skip
def test_a_promise_is_at_risk_when_nothing_will_mend_it_in_time(now: str, tries: Tries, state: str, words: str) -> None:
    """The next try comes too late, or the last one failed and little time is left."""
    found = stands(promise(due="16:30", calendar=BANK), "2026-11-19T16:05", "2026-11-19", f"2026-11-20T{now}", tries)

    assert found[0] == state
    assert words in found[1]


def test_a_calendar_that_never_opens_again_asks_for_nothing() -> None:
    """Nor does a promise that lasts beyond all years."""
    closed = Calendar(
        frozenset({0}),
        holidays_of=lambda year: frozenset(date(year, 1, 1) + timedelta(days=number) for number in range(366)),
    )

    for made in (promise(due="16:30", calendar=closed), promise(max_age=1e12)):
        judged = made.judge("2026-11-20T10:00:00Z", None, berlin("2030-01-01T00:00"))
        assert (judged.state, judged.until, judged.left_s(berlin("2030-01-01T00:00"))) == ("kept", FOR_EVER, None)


MOMENTS = st.datetimes(datetime(2026, 3, 1), datetime(2026, 12, 31), timezones=st.just(UTC))


@given(MOMENTS, st.one_of(st.none(), MOMENTS), MOMENTS, st.sampled_from(["00:00", "02:30", "16:30", "24:00"]))
def test_a_due_promise_is_kept_when_no_open_day_up_to_now_lacks_its_data(
    collected: datetime, data: datetime | None, now: datetime, due: str
) -> None:
    """Against the slow way: each open day whose time has come, looked at by itself."""
    made = promise(due=due, calendar=BANK)
    if now < collected:
        now, collected = collected, now
    newest = wall(collected if data is None else data, BERLIN).date()
    ahead = BANK.next_open(wall(collected, BERLIN).date() + timedelta(days=1))
    assert ahead is not None
    newest = min(newest, ahead)
    day, lacks = newest + timedelta(days=1), False
    while day <= wall(now, BERLIN).date():
        lacks = lacks or (BANK.is_open(day) and made.deadline(day) < now)
        day += timedelta(days=1)

    assert (made.judge(text(collected), text(data), now).state == "broken") == lacks


@given(MOMENTS, MOMENTS, st.integers(0, 100), st.one_of(st.none(), MOMENTS), st.booleans())
def test_nothing_changes_before_the_moment_that_is_told(
    collected: datetime, now: datetime, share: int, following: datetime | None, last_failed: bool
) -> None:
    """So nobody has to look until then."""
    made = promise(max_age=26 * 3600, due="16:30", calendar=BANK)
    if now < collected:
        now, collected = collected, now
    tries = Tries(following if following is None or following > now else now + HOUR, last_failed=last_failed)
    judged = made.judge(text(collected), None, now, tries)
    ends = min(judged.changes_at, now + timedelta(days=30))
    later = now + (ends - now) * share / 101

    assert made.judge(text(collected), None, later, tries).state == judged.state
