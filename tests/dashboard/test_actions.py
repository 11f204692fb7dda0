"""What the buttons do to the state."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from dashboard.actions import Actions, Deed
from dashboard.caller import Caller
from dashboard.source import Source
from integrated_system import IntegratedSystem
from operations.actor import Actor
from tests.dashboard.configuration import ACTOR

WHO = Caller(ACTOR)


class _NoProcess:
    """A detached process that never takes its run up."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def poll(self) -> int:
        return 1


@pytest.fixture
def actions(source: Source, monkeypatch: pytest.MonkeyPatch) -> Iterator[Actions]:
    """With runs that wait in the queue."""
    source.ask(WHO, "status")  # to open a system the first time takes processes of its own
    monkeypatch.setattr("operations.detached.subprocess.Popen", _NoProcess)
    actions = Actions(source)
    yield actions
    actions.close()


def _done(actions: Actions, key: str) -> Deed:
    deed = actions.deed(key, wait_s=120)
    assert deed is not None
    return deed


def test_run_now_puts_a_row_into_the_queue(actions: Actions, system: IntegratedSystem) -> None:
    """Nothing long runs inside the page; the log knows who asked."""
    deed = _done(actions, actions.begin(WHO, "run"))

    (queued,) = system.views.runs()
    assert (queued.run_id, queued.status, queued.actor) == (deed.document["run_id"], "queued", "tester")


def test_what_a_detached_run_says_is_for_its_owner_only(actions: Actions, system: IntegratedSystem) -> None:
    """Its log has mode 0600, whatever the umask."""
    before = os.umask(0)
    try:
        _done(actions, actions.begin(WHO, "run"))
    finally:
        os.umask(before)

    assert (system.state_dir / "logs" / "detached.log").stat().st_mode & 0o777 == 0o600


def test_many_quick_clicks_have_one_effect(actions: Actions, system: IntegratedSystem) -> None:
    """In one window or in several."""
    with ThreadPoolExecutor(8) as windows:
        keys = list(windows.map(lambda _: actions.begin(WHO, "run"), range(16)))
    _done(actions, keys[0])

    assert len(set(keys)) == 1
    assert len(system.views.runs()) == 1


def test_clicks_that_differ_both_have_their_effect(actions: Actions, system: IntegratedSystem) -> None:
    """Another dataset is another deed."""
    for name in ("orders", "partner"):
        _done(actions, actions.begin(WHO, "run", [name]))

    assert {run.request["datasets"][0] for run in system.views.runs()} == {"orders", "partner"}


def test_a_viewer_is_refused_and_changes_nothing(actions: Actions, system: IntegratedSystem) -> None:
    """The role is checked where the change is made, not by hiding the button."""
    guest = Caller(Actor("guest", "viewer"))

    deeds = [_done(actions, actions.begin(guest, operation)) for operation in ("run", "maintain")]

    assert [deed.state for deed in deeds] == ["refused", "refused"]
    assert all(deed.trouble is not None and "guest" in deed.trouble.message for deed in deeds)
    assert system.events.head()[0] == 0


def test_maintenance_twice_quickly_is_done_once(actions: Actions, ran: IntegratedSystem) -> None:
    """One event in the log."""
    key = actions.begin(WHO, "maintain")
    assert actions.begin(WHO, "maintain") == key

    deed = _done(actions, key)

    assert deed.document["freed_bytes"] >= 0
    assert len(ran.events.read(type="maintenance.finished")) == 1


def test_of_what_was_never_begun_nothing_is_known(actions: Actions) -> None:
    """A server that was started anew says nothing instead of something wrong."""
    assert actions.deed("('run', (), [], 0)") is None
