"""What the buttons do to the state, and what they say."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from dashboard.actions import LOST_AFTER, Actions, maintenance_progress, run_progress
from dashboard.source import Source
from integrated_system import IntegratedSystem
from operations.activity import RunActivity
from operations.actor import Actor
from operations.maintain import Maintenance
from operations.run import resume
from operations.step import Step
from tests.dashboard.conftest import ACTOR
from tests.dashboard.test_view_model import run as a_run

NOW = datetime(2026, 11, 20, 16, 0, tzinfo=UTC)


class _NoProcess:
    """A detached process that never takes its run up."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def poll(self) -> int:
        return 1


@pytest.fixture
def actions(source: Source, monkeypatch: pytest.MonkeyPatch) -> Iterator[Actions]:
    """With runs that wait in the queue until the test executes them."""
    monkeypatch.setattr("operations.detached.subprocess.Popen", _NoProcess)
    actions = Actions(source, actor=lambda: ACTOR)
    yield actions
    actions.close()


def test_run_now_puts_a_row_into_the_queue(actions: Actions, system: IntegratedSystem) -> None:
    """Nothing long runs inside the page."""
    ask = actions.run_now()

    (queued,) = system.views.runs()
    assert (queued.run_id, queued.status, queued.actor) == (ask.run_id, "queued", "tester")
    assert actions.progress(ask).words == "The run waits for its process."


def test_what_a_detached_run_says_is_for_its_owner_only(actions: Actions, system: IntegratedSystem) -> None:
    """Its log has mode 0600, whatever the umask."""
    before = os.umask(0)
    try:
        actions.run_now()
    finally:
        os.umask(before)

    assert (system.state_dir / "logs" / "detached.log").stat().st_mode & 0o777 == 0o600


def test_the_result_of_a_run_is_told_in_words(actions: Actions, system: IntegratedSystem) -> None:
    """How it ended, how long it took, and which datasets to look at."""
    ask = actions.run_now()
    resume(system, ACTOR, ask.run_id)

    progress = actions.progress(ask)

    assert progress.finished
    assert progress.tone == "bad"
    assert progress.words.startswith("The run failed in ")
    assert progress.words.endswith("1 succeeded, 1 degraded, 1 failed (nothing, partner).")


def test_many_quick_clicks_have_one_effect(actions: Actions, system: IntegratedSystem) -> None:
    """In one window or in several."""
    with ThreadPoolExecutor(8) as windows:
        asks = list(windows.map(lambda _: actions.run_now(), range(16)))

    assert len({ask.run_id for ask in asks}) == 1
    assert len(system.views.runs()) == 1


def test_a_run_that_goes_on_already_is_joined(actions: Actions, source: Source, system: IntegratedSystem) -> None:
    """Another page, or another process, asked before."""
    first = actions.run_now()
    other = Actions(source, actor=lambda: ACTOR)

    second = other.run_now()

    assert (second.run_id, second.joined) == (first.run_id, True)
    assert other.progress(second).words.startswith("The run that was going on already")
    assert len(system.views.runs()) == 1
    other.close()


def test_a_viewer_gets_the_reason_and_changes_nothing(source: Source, system: IntegratedSystem) -> None:
    """The role is checked where the change is made, not by hiding the button."""
    actions = Actions(source, actor=lambda: Actor("guest", "viewer"))

    told = [actions.progress(actions.run_now()), actions.progress(actions.maintain())]
    actions.wait()
    told[1] = actions.progress(actions.maintain())

    assert all("guest is viewer" in progress.words for progress in told)
    assert system.events.head()[0] == 0
    actions.close()


def test_maintenance_is_done_and_told(actions: Actions, ran: IntegratedSystem) -> None:
    """One event in the log, what it freed on the page; two quick clicks do it once."""
    ask = actions.maintain()
    actions.maintain()
    actions.wait()

    progress = actions.progress(ask)

    assert progress.finished
    assert progress.words.startswith("Maintenance freed ")
    assert len(ran.events.read(type="maintenance.finished")) == 1


@pytest.mark.parametrize(
    ("run", "words", "finished"),
    [
        (None, "The run is not in the log any more: the state was replaced.", True),
        (
            a_run("running", counts={}, duration_s=None, done=1),
            "The run has done 1 of 2 datasets.",
            False,
        ),
        (a_run("succeeded", counts={"succeeded": 2}), "The run succeeded in 1.4 s: 2 succeeded.", True),
        (a_run("crashed", counts={}, duration_s=None), "The run crashed: it stopped after 2 of 2 datasets.", True),
        (
            a_run("queued", counts={}, queued_at=(NOW - timedelta(seconds=LOST_AFTER + 1)).isoformat()),
            "No process took the run up. Why, stands in logs/detached.log of the state directory.",
            True,
        ),
        (
            a_run("queued", counts={}, queued_at=(NOW - timedelta(hours=1)).isoformat(), awaited=True),
            "The run waits for its turn.",
            False,
        ),
    ],
    ids=["gone", "running", "succeeded", "crashed", "never taken up", "others are first"],
)
def test_every_state_of_a_run_has_its_words(run: RunActivity | None, words: str, finished: bool) -> None:
    """And the page knows when there is nothing more to wait for."""
    progress = run_progress(run, NOW)

    assert (progress.words, progress.finished) == (words, finished)


def test_a_maintenance_that_found_something_wrong_says_what() -> None:
    """A broken log is not hidden behind freed bytes."""
    done = Maintenance(
        False,
        (
            Step("versions", 3, 2_300_000, "old versions removed"),
            Step("log", 9, detail="event 4 does not match its hash", well=False),
        ),
    )

    progress = maintenance_progress(done)

    assert progress.tone == "bad"
    assert progress.words == (
        "Maintenance freed 2.3 MB. 3 old versions removed. Not well: log: event 4 does not match its hash."
    )
