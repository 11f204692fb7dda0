"""Objectives: the share of time that was fresh and good, as a slow clock would count it, and how fast it burns."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.datasets import DatasetSettings
from data_pipeline import objective_views
from data_pipeline.dataset import DatasetRun
from data_pipeline.objective import PAIRS, Span, Standing, micros, noted, standings
from data_pipeline.objective_views import Objectives, ObjectiveViews
from tests.counts import few
from tests.databases import another, opened_at
from utils import events
from utils.clock import ManualClock
from utils.events import EventStore, NewEvent, rfc3339

MIGRATIONS = [";".join((events.SCHEMA, objective_views.SCHEMA))]
START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR, DAY = 3600, 86_400


def dataset(**objective: Any) -> DatasetSettings:
    whole = {"name": "fx", "collect": {"kind": "simulated"}, "promise": {"max_age": "1h"}, "objective": objective}
    return DatasetSettings.model_validate(whole)


class Said(NamedTuple):
    """What one dataset run says: seconds since the last, whether it is good, seconds for which it stays fresh."""

    after: int
    good: bool | None
    fresh_for: int | None


class Log:
    """A log with the view of objectives, on a clock of its own. `over`: the window, in seconds."""

    def __init__(self, address: str, over: int = HOUR) -> None:
        self.clock = ManualClock(START)
        self.over = over
        self.database = opened_at(address, MIGRATIONS)
        self.store = EventStore(self.database, projections=[ObjectiveViews()], clock=self.clock)

    def say(self, said: Said) -> None:
        self.clock.advance(said.after)
        until = None if said.fresh_for is None else rfc3339(self.clock.now() + timedelta(seconds=said.fresh_for))
        objective = {"good": said.good, "fresh_until": until, "over_s": self.over}
        self.store.append([NewEvent("dataset.collected", "fx", {"objective": objective})])

    def spans(self) -> list[Span]:
        return Objectives(self.database).spans(["fx"])["fx"]

    def stand(self, **asked: Any) -> tuple[Standing, Standing]:
        """How both objectives stand now."""
        declared = dataset(**{"over": f"{self.over}s", **asked})
        fresh, quality = standings(declared, self.spans(), self.clock.now())
        return fresh, quality

    def close(self) -> None:
        self.store.close()
        self.database.close()


@pytest.fixture
def log(address: str) -> Iterator[Log]:
    log = Log(address)
    yield log
    log.close()


# The share


def told_slowly(history: Sequence[Said], over: int, seconds: int) -> tuple[int, int, int]:
    """Seconds measured, not fresh, and not good of the last `over` ones, each second looked at by itself.

    Args:
        seconds: Of the whole history, up to now.
    """
    known: list[tuple[int, bool, int]] = []
    at, good = 0, True
    for said in history:
        at += said.after
        good = good if said.good is None else said.good
        known.append((at, good, -1 if said.fresh_for is None else at + said.fresh_for))
    measured = stale = bad = 0
    for second in range(max(0, seconds - over), seconds):
        before = [one for one in known if one[0] <= second]
        if not before:
            continue
        _, good, until = before[-1]
        measured, stale, bad = measured + 1, stale + (second >= until), bad + (not good)
    return measured, stale, bad


HISTORIES = st.lists(
    st.builds(
        Said,
        after=st.one_of(st.just(0), st.integers(1, 120), st.integers(600, 5000)),
        good=st.sampled_from([True, True, False, None]),
        fresh_for=st.one_of(st.none(), st.integers(-50, 300), st.integers(300, 4000)),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=few(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(history=HISTORIES, later=st.integers(0, 5000))
def test_the_share_is_what_a_slow_clock_counts(
    tmp_path_factory: pytest.TempPathFactory, history: list[Said], later: int
) -> None:
    """Every second of the window looked at by itself gives the same, also long after the last run."""
    log = Log(str(tmp_path_factory.mktemp("objective") / "log.db"))
    try:
        for said in history:
            log.say(said)
        log.clock.advance(later)

        fresh, quality = log.stand()

        seconds = sum(said.after for said in history) + later
        measured, stale, bad = told_slowly(history, log.over, seconds)
        assert (fresh.measured_s, fresh.missed_s) == (measured, stale)
        assert (quality.measured_s, quality.missed_s) == (measured, bad)
    finally:
        log.close()


@settings(max_examples=few(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=HISTORIES)
def test_replaying_the_log_gives_the_same_spans(address: str, history: list[Said]) -> None:
    """The view is what the log makes of it, and keeps no more than the window needs."""
    log = Log(another(address))
    try:
        for said in history:
            log.say(said)
        live = log.spans()
        log.store.rebuild()
        assert log.spans() == live
        horizon = micros(log.clock.now()) - log.over * 1_000_000
        assert sum(span.began <= horizon for span in live) <= 1
    finally:
        log.close()


def test_a_dataset_that_is_as_it_should_be_has_one_row_however_often_it_runs(log: Log) -> None:
    """What turns begins a row; what goes on does not."""
    for _ in range(50):
        log.say(Said(60, True, 300))
    assert len(log.spans()) == 1
    log.say(Said(60, False, 300))
    log.say(Said(60, None, 300))  # the provider is down: nothing new is known of the quality
    assert [span.good for span in log.spans()] == [True, False]


def test_time_alone_makes_data_old(log: Log) -> None:
    """Nothing has to run: half of the window after the data became too old is half of the budget's time."""
    log.say(Said(0, True, 1800))
    log.clock.advance(3600)
    fresh, quality = log.stand()
    assert (fresh.share, quality.share) == (0.5, 1.0)


def test_a_clock_that_was_set_back_counts_no_time_twice(log: Log) -> None:
    """What it repeats counts once; no share leaves its bounds."""
    log.say(Said(0, True, 600))
    log.say(Said(1200, True, 600))
    log.clock.set_back(900)
    log.say(Said(0, False, 600))
    log.clock.set_forward(900)
    log.clock.advance(600)
    fresh, quality = log.stand()
    assert fresh.measured_s == quality.measured_s == 1800
    assert 0.0 <= fresh.missed_s <= 1800
    assert quality.missed_s == 600


def test_what_was_not_measured_yet_spends_nothing(log: Log) -> None:
    """A share is of the measured time, the budget of the whole window."""
    assert [standing.state for standing in log.stand()] == ["unmeasured", "unmeasured"]
    log.say(Said(0, True, 270))
    log.clock.advance(300)
    fresh, _ = log.stand(fresh=0.9)
    assert (fresh.measured_s, fresh.share, fresh.budget_s) == (300.0, 0.9, pytest.approx(360.0))
    assert fresh.budget_left == pytest.approx(1 - 30 / 360)


# The burn rate


def stand_after(*spans: tuple[int, bool], now: int, over: str = "30d", quality: float = 0.99) -> Standing:
    """How the quality stands at a second, after spans that began at others."""
    known = [Span(micros(START) + began * 1_000_000, good, 0) for began, good in spans]
    declared = dataset(fresh=None, quality=quality, over=over)
    (standing,) = standings(declared, known, START + timedelta(seconds=now))
    return standing


def test_the_windows_are_those_of_the_workbook() -> None:
    """Of 30 days: 1 hour and 5 minutes at 14.4, 6 hours and 30 minutes at 6, 3 days and 6 hours at 1."""
    told = [(burn.long_s, burn.short_s, burn.limit) for burn in stand_after((0, True), now=DAY).burns]
    assert told == [(HOUR, 300, 14.4), (6 * HOUR, 1800, 6), (3 * DAY, 6 * HOUR, 1)]
    assert [pair.pace for pair in PAIRS] == ["fast", "fast", "slow"]


@pytest.mark.parametrize(
    ("bad_for", "pace"),
    [(500, None), (540, "fast"), (DAY, "fast")],
    ids=["less than 14.4 % of the hour", "more than 14.4 % of the hour", "all day"],
)
def test_an_outage_burns_as_soon_as_its_hour_has_spent_two_percent(bad_for: int, pace: str | None) -> None:
    """14.4 times 1 % of an hour is 518 seconds."""
    standing = stand_after((0, True), (20 * DAY, False), now=20 * DAY + bad_for)
    assert standing.pace == pace


def test_an_outage_that_is_over_stops_burning_with_the_short_window() -> None:
    """Ten minutes of outage matter for the hour; five minutes after its end nobody has to come."""
    outage = ((0, True), (20 * DAY, False), (20 * DAY + 600, True))
    assert stand_after(*outage, now=20 * DAY + 610).pace == "fast"
    assert stand_after(*outage, now=20 * DAY + 600 + 300).pace is None


def test_a_little_for_days_burns_slowly() -> None:
    """20 minutes of each day are 1.4 % of the time, too much for 99 %, and no reason to get up."""
    days = [(day * DAY + at, good) for day in range(20, 24) for at, good in ((0, True), (DAY - 1200, False))]
    standing = stand_after((0, True), *days, (24 * DAY, True), now=24 * DAY + 2 * HOUR)
    assert standing.pace == "slow"
    assert "burning slowly" in standing.words


@pytest.mark.parametrize(
    ("bad_s", "state"),
    [(0, "kept"), (5 * HOUR, "kept"), (8 * HOUR, "spent")],
    ids=["never bad", "within the budget", "beyond the budget"],
)
def test_the_budget_of_thirty_days_at_99_percent_is_seven_hours(bad_s: int, state: str) -> None:
    """7.2 hours may be missed; what happened twenty days ago burns no more, and stays spent."""
    spans = ((0, True), (10 * DAY, False), (10 * DAY + bad_s, True)) if bad_s else ((0, True),)
    standing = stand_after(*spans, now=30 * DAY)
    assert (standing.state, standing.pace) == (state, None)
    assert standing.budget_left == pytest.approx(1 - bad_s / (7.2 * HOUR))


# What a run says


def run(status: Any = "succeeded", origin: Any = "provider", **more: Any) -> DatasetRun:
    return DatasetRun(dataset="fx", provider="p", status=status, origin=origin, age_s=60.0, **more)


CASES = {
    "a good delivery": (run(), True),
    "a delivery with doubts": (run("degraded"), False),
    "a copy within its TTL says nothing": (run(origin="cache"), None),
    "the provider is down": (run("degraded", "last_good", error={"type": "ProviderUnavailable"}), None),
    "the batch was held": (run("degraded", "last_good", error={"type": "BatchNotDelivered"}), False),
    "what came was unreadable": (run("degraded", "last_good", error={"type": "PayloadUnreadable"}), False),
    "confirmed, and too old for its rules": (run("degraded", "last_good"), False),
    "a snapshot was never accepted": (run("degraded", "snapshot", error={"type": "ProviderUnavailable"}), False),
    "nothing at all": (run("failed", "none", error={"type": "ProviderUnavailable"}), False),
}


@pytest.mark.parametrize(("result", "good"), CASES.values(), ids=CASES)
def test_a_run_says_whether_the_newest_delivery_was_good(result: DatasetRun, good: bool | None) -> None:
    assert noted(dataset(), result, START)["objective"]["good"] is good


@pytest.mark.parametrize(
    ("holds_until", "told"),
    [(START - timedelta(hours=1), "2025-12-31T23:00:00.000000Z"), (None, None)],
    ids=["too old already", "nobody knows"],
)
def test_a_run_says_until_when_the_promise_holds(holds_until: datetime | None, told: str | None) -> None:
    """So that the views need no calendar."""
    assert noted(dataset(), run(), holds_until)["objective"]["fresh_until"] == told


def test_a_dataset_without_an_objective_says_nothing() -> None:
    plain = DatasetSettings.model_validate({"name": "fx", "collect": {"kind": "simulated"}})
    assert noted(plain, run(), START) == {}
    assert standings(plain, [], START) == ()


def test_without_a_promise_only_the_quality_is_judged() -> None:
    declared = DatasetSettings.model_validate({"name": "fx", "collect": {"kind": "simulated"}, "objective": {}})
    (standing,) = standings(declared, [], START)
    assert (standing.objective, standing.target, standing.over_s) == ("quality", 0.995, 30 * DAY)
