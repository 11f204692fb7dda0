"""What becomes of occurrences that are due: decided without a clock, a log or a database."""

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.schedule import ScheduleSettings
from data_pipeline.scheduling.occurrence import Occurrence
from data_pipeline.scheduling.policy import MOST_MISSED, Busy, Overlap, decide, overlap_of, skip_all

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def hourly(count: int) -> list[Occurrence]:
    return [Occurrence(NOON + timedelta(hours=number), "fx") for number in range(count)]


def test_what_is_due_on_time_is_run() -> None:
    """Nothing was missed, nothing is under way."""
    due = hourly(1)

    assert decide(due, missed="skip", overlap="skip", on_time=True) == ((due[0],), (), ())


@pytest.mark.parametrize(
    ("missed", "run", "skipped"),
    [
        pytest.param("skip", [], [0, 1, 2, 3], id="none of them"),
        pytest.param("last", [3], [0, 1, 2], id="the last"),
        pytest.param("all", [0, 1, 2, 3], [], id="all, in their order"),
    ],
)
def test_after_a_time_without_anybody_the_policy_says_what_is_made_up_for(
    missed: str, run: list[int], skipped: list[int]
) -> None:
    """Four were due while nobody was there, the newest long ago."""
    due = hourly(4)

    decision = decide(due, missed=missed, overlap="skip", on_time=False)  # type: ignore[arg-type]  # one of three

    assert decision.run == tuple(due[number] for number in run)
    assert [one for skip in decision.skip for one in skip.occurrences] == [due[number] for number in skipped]
    assert {skip.reason for skip in decision.skip} <= {"missed"}


def test_one_that_is_due_now_is_run_though_older_ones_were_missed() -> None:
    """`missed: skip` gives up what was missed, not what is due."""
    due = hourly(3)

    decision = decide(due, missed="skip", overlap="skip", on_time=True)

    assert decision.run == (due[2],)
    assert [list(skip.occurrences) for skip in decision.skip] == [due[:2]]


def test_however_long_nobody_was_there_a_bounded_number_is_made_up_for() -> None:
    """The newest thousand; the others are skipped, and the words say so."""
    due = hourly(MOST_MISSED + 500)

    decision = decide(due, missed="all", overlap="skip", on_time=True)

    assert decision.run == tuple(due[500:])
    (skip,) = decision.skip
    assert (list(skip.occurrences), skip.reason) == (due[:500], "missed")
    assert "1,000" in skip.words


@pytest.mark.parametrize(
    ("busy", "run"),
    [
        pytest.param(Busy(), True, id="nothing under way"),
        pytest.param(Busy(running=("r1",)), False, id="one that runs"),
        pytest.param(Busy(waiting=("r1",)), False, id="one that waits"),
    ],
)
def test_overlap_skip_leaves_out_what_would_run_beside_another(busy: Busy, run: bool) -> None:
    """And its words name the run that is in the way."""
    decision = decide(hourly(1), missed="last", overlap="skip", on_time=True, busy=busy)

    assert bool(decision.run) is run
    assert [(skip.reason, "r1" in skip.words) for skip in decision.skip] == ([] if run else [("overlap", True)])


def test_overlap_queue_lets_one_wait_and_no_more() -> None:
    """What waits takes what is there when it begins: a second one would find nothing new."""
    first = decide(hourly(1), missed="last", overlap="queue", on_time=True, busy=Busy(running=("r1",)))
    second = decide(hourly(1), missed="last", overlap="queue", on_time=True, busy=Busy(("r1",), ("r2",)))

    assert len(first.run) == 1
    assert not second.run
    assert second.skip[0].reason == "overlap"


def test_overlap_queue_with_all_lets_each_wait() -> None:
    """Who wants every occurrence gets it, one after the other, up to a thousand."""
    many = Busy(("r0",), tuple(f"r{number}" for number in range(1, 50)))
    full = Busy((), tuple(f"r{number}" for number in range(MOST_MISSED)))

    assert decide(hourly(1), missed="all", overlap="queue", on_time=True, busy=many).run
    assert not decide(hourly(1), missed="all", overlap="queue", on_time=True, busy=full).run


def test_overlap_replace_calls_off_what_is_under_way() -> None:
    """Also what has not begun."""
    decision = decide(hourly(1), missed="last", overlap="replace", on_time=True, busy=Busy(("r1",), ("r2",)))

    assert (len(decision.run), decision.replaced) == (1, ("r1", "r2"))


def test_what_was_decided_counts_for_the_next_decision() -> None:
    """What takes the place of runs is what is under way; what is skipped changes nothing."""
    busy = Busy(running=("r",), waiting=("w",))
    replaced = decide(hourly(1), missed="last", overlap="replace", on_time=True, busy=busy)
    skipped = decide(hourly(1), missed="last", overlap="skip", on_time=True, busy=busy)

    assert busy.after(replaced) == Busy(waiting=(hourly(1)[0].run_id,))
    assert busy.after(skipped) == busy


def test_what_was_put_off_is_run_once() -> None:
    """However late, under every policy: one run makes up for all that waited."""
    due = hourly(5)

    for missed in ("skip", "last", "all"):
        decision = decide(due, missed=missed, overlap="skip", on_time=False, waited_for="api.example.org")  # type: ignore[arg-type]

        assert decision.run == (due[-1],)
        (skip,) = decision.skip
        assert (list(skip.occurrences), skip.reason) == (due[:-1], "provider")
        assert "api.example.org" in skip.words


def test_what_is_caused_waits_unless_something_else_is_written() -> None:
    """Skipped because the run before is not over, the data that caused it would be taken by nobody."""
    assert overlap_of(ScheduleSettings.model_validate({"after": "orders"})) == "queue"
    assert overlap_of(ScheduleSettings.model_validate({"after": "orders", "overlap": "skip"})) == "skip"
    assert overlap_of(ScheduleSettings.model_validate({"every": "1h"})) == "skip"


def test_nothing_skipped_is_no_skip() -> None:
    """A reason without an occurrence would be a row about nothing."""
    assert skip_all([], "paused", "paused").skip == ()


@given(
    count=st.integers(1, 2 * MOST_MISSED),
    missed=st.sampled_from(["skip", "last", "all"]),
    overlap=st.sampled_from(get_args(Overlap)),
    on_time=st.booleans(),
    waited=st.booleans(),
    running=st.integers(0, 2),
    waiting=st.integers(0, 3),
)
def test_every_occurrence_is_run_or_skipped_and_none_is_both(
    count: int, missed: str, overlap: Overlap, on_time: bool, waited: bool, running: int, waiting: int
) -> None:
    """Whatever the policies and whatever is under way; and each keeps its order."""
    due = hourly(count)
    busy = Busy(tuple(f"r{n}" for n in range(running)), tuple(f"w{n}" for n in range(waiting)))

    decision = decide(
        due,
        missed=missed,  # type: ignore[arg-type]  # one of three
        overlap=overlap,
        on_time=on_time,
        waited_for="p" if waited else "",
        busy=busy,
    )

    skipped = [one for skip in decision.skip for one in skip.occurrences]
    assert sorted([*decision.run, *skipped]) == due
    assert list(decision.run) == sorted(decision.run)
    assert len(decision.run) <= MOST_MISSED
    assert not decision.replaced or overlap == "replace"
