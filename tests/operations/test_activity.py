"""What happened lately, as the operations tell it to a page."""

from pathlib import Path

import pytest

from integrated_system import IntegratedSystem
from operations.activity import ROUTINE, Activity, activity, run_activity
from operations.actor import Actor
from operations.run import run
from operations.trouble import Trouble, told
from tests.dashboard.configuration import write_configuration

ACTOR = Actor("tester")


@pytest.fixture
def system(tmp_path: Path):
    with IntegratedSystem(write_configuration(tmp_path), state_dir=tmp_path / "state", environ={}) as system:
        yield system


def test_a_fresh_state_has_no_activity_and_no_trouble(system: IntegratedSystem) -> None:
    """Nothing has happened: empty parts, none of them broken."""
    seen = activity(system)

    assert (seen.seq, seen.changed_at, seen.runs, seen.events) == (0, None, (), ())
    assert not any(isinstance(part, Trouble) for part in (seen.status, seen.series, seen.attempts, seen.breakers))


def test_a_run_shows_with_its_counts_and_what_did_not_succeed(system: IntegratedSystem) -> None:
    """The newest run names the datasets that were degraded or failed."""
    ran = run(system, ACTOR)

    seen = run_activity(system, ran.run_id)

    assert seen is not None
    assert (seen.status, seen.done, seen.total, seen.actor) == ("failed", 3, 3, "tester")
    assert set(seen.bad) == {"partner", "nothing"}
    assert (seen.counts["succeeded"], seen.counts["degraded"], seen.counts["failed"]) == (1, 1, 1)


def test_figures_and_attempts_are_told_for_every_dataset(system: IntegratedSystem) -> None:
    """Series come from the history, attempts from each dataset's last run."""
    run(system, ACTOR)
    run(system, ACTOR, fresh=True)

    seen = activity(system)

    assert isinstance(seen.series, dict)
    assert seen.series["orders"].rows == (50.0, 50.0)
    assert isinstance(seen.attempts, dict)
    assert seen.attempts["partner"] == 2


def test_the_routine_is_left_out_of_the_events_and_the_newest_come_first(system: IntegratedSystem) -> None:
    """Beside `dataset.collected` the steps of a good delivery say nothing new."""
    run(system, ACTOR)

    events = activity(system).events

    assert not isinstance(events, Trouble)
    assert events[0].type == "run.finished"
    assert not ROUTINE & {event.type for event in events}


def test_without_news_the_parts_are_not_read_again(system: IntegratedSystem) -> None:
    """As long as the log does not grow, history, runs and events are those of the look before."""
    run(system, ACTOR)
    before = activity(system)

    after = activity(system, before)

    assert after.runs is before.runs
    assert after.series is before.series
    assert after.events is before.events


def test_a_part_that_cannot_be_read_does_not_take_the_others_with_it(system: IntegratedSystem) -> None:
    """A damaged table is told in its own place."""
    run(system, ACTOR)
    with system.database.transaction() as connection:
        connection.execute("DROP TABLE history")

    seen = activity(system)

    assert isinstance(seen.series, Trouble)
    assert "history" in seen.series.message
    assert not isinstance(seen.status, Trouble)


def test_a_run_whose_process_is_gone_is_told_as_crashed(system: IntegratedSystem) -> None:
    """The log still says running; the page does not."""
    ran = run(system, ACTOR)
    owner = "here|another-boot|pid:[1]|1|1"
    with system.database.transaction() as connection:
        connection.execute("UPDATE runs SET status = 'running', owner = ? WHERE run_id = ?", (owner, ran.run_id))

    seen = activity(system)

    assert isinstance(seen, Activity)
    assert not isinstance(seen.runs, Trouble)
    assert seen.runs[0].status == "crashed"


def test_an_unknown_run_is_none(system: IntegratedSystem) -> None:
    """Nothing is made up."""
    assert run_activity(system, "no-such-run") is None


def test_an_error_without_a_hint_is_named_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever reads the page sees its kind, whoever reads the log its traceback."""
    trouble = told(ValueError("odd"))

    assert trouble.message == "internal error: ValueError: odd"
    assert trouble.hint
