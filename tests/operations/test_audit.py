"""Every deed stands in the log with who did it: all operations are named here, so a new one cannot be forgotten."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from integrated_system import IntegratedSystem
from monitoring.alerting.known_types import TYPES
from operations import breakers, cache, feedback, gate, host, quarantine, tokens
from operations import events as log
from operations import run as runs
from operations.actor import Actor, NotAllowedError
from operations.maintain import maintain
from operations.schedules import pause, resume
from tests.integration.installation import Installation

ANN = Actor("ann", "admin")
OPERATIONS = Path(log.__file__).parent

DEEDS = {
    "alert_acts.acknowledge": "incident.acknowledged",
    "alert_acts.end_silence": "silence.ended",
    "alert_acts.resend": "alert.resent",
    "alert_acts.resolve": "incident.resolved",
    "alert_acts.silence": "silence.added",
    "alert_trial.try_channel": "alert.sent",
    "backfill.call_off": "backfill.cancelled",
    "backfill.go_on": "backfill.started",
    "backfill.start": "backfill.started",
    "backfill_service.ask": "backfill.started",
    "backfill_service.ask_again": "action.invoked",
    "backup.backup": "backup.made",
    "breakers.close": "breaker.closed",
    "breakers.force_open": "breaker.opened",
    "breakers.reset": "breaker.closed",
    "cache.clear": "action.invoked",
    "events.forget": "action.invoked",
    "events.retry": "action.invoked",
    "feedback.exclude": "feedback.given",
    "feedback.fine_since": "feedback.given",
    "feedback.normal_since": "feedback.given",
    "feedback.not_an_anomaly": "feedback.given",
    "feedback.say": "feedback.given",
    "feedback.take_back": "feedback.taken_back",
    "gate.accept": "batch.accepted",
    "gate.reject": "batch.rejected",
    "gate.rollback": "version.rolled_back",
    "host.ask_level": "host.level_asked",
    "host.ask_mode": "protector.mode_asked",
    "maintain.maintain": "maintenance.finished",
    "migrate.migrate": "state.migrated",
    "quarantine.drop": "quarantine.dropped",
    "queue.cancel": "run.cancelled",
    "queue.run_due": "run.started",
    "replay.replay": "quarantine.replayed",
    "restore.restore": "state.restored",
    "resume_run.resume_soon": "action.invoked",
    "run.queue": "run.queued",
    "run.resume": "run.started",
    "run.run": "run.started",
    "scheduling.due": "run.started",
    "schedules.pause": "schedule.paused",
    "schedules.resume": "schedule.resumed",
    "shedding.shed": "disk.shed",
    "tokens.create": "token.created",
    "tokens.revoke": "token.revoked",
    "verification.begin": "action.invoked",
    # A number of the user's own is data: it goes to the history, and stands in the log when it sticks out.
    "own_metrics.record": "anomaly.detected",
}


def test_every_operation_that_changes_something_is_named_here_with_its_event() -> None:
    """By what the code marks as an operation; the log knows the type of each event."""
    marked = {
        f"{path.stem}.{node.name}"
        for path in OPERATIONS.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and any(_is_operation(one) for one in node.decorator_list)
    }
    assert marked == set(DEEDS)
    ours = {kind.partition(".")[0] for kind in TYPES} | {"action", "token", "incident", "silence"}
    assert {kind for kind in DEEDS.values() if kind.partition(".")[0] not in ours} == set()


def _is_operation(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Name) and decorator.func.id == "operation"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IntegratedSystem]:
    """Two good deliveries of a dataset, then one that is held, with a row in quarantine."""
    made = Installation(tmp_path_factory.mktemp("audit"))
    made.configure(
        {
            "name": "orders",
            "collect": {"kind": "file", "path": "orders.csv", "reread": "always"},
            "rules": [{"range": {"column": "n", "min": 0}}, {"row_count": {"min": 2}, "severity": "critical"}],
            "schedule": {"every": "1h"},
        },
        protector={"enabled": True},
    )
    with made.system() as system:
        for rows in ("1\n2\n3", "1\n2\n3\n4\n-5", "7"):
            (made.folder / "orders.csv").write_text(f"n\n{rows}\n")
            runs.run(system, ANN, fresh=True)
        yield system


def held(system: IntegratedSystem) -> str:
    return next(one.version for one in system.views.versions("orders") if one.state == "held")


PERIOD = "2026-01-01..2026-01-02"
Deed = Callable[[IntegratedSystem], object]

EASY: dict[str, Deed] = {
    "run.run": lambda system: None,
    "gate.reject": lambda system: gate.reject(system, ANN, "orders", held(system)),
    "gate.rollback": lambda system: gate.rollback(system, ANN, "orders"),
    "quarantine.drop": lambda system: quarantine.drop(system, ANN, "orders"),
    "breakers.force_open": lambda system: breakers.force_open(system, ANN, "file"),
    "breakers.close": lambda system: breakers.close(system, ANN, "file"),
    "cache.clear": lambda system: cache.clear(system, ANN),
    "schedules.pause": lambda system: pause(system, ANN, ["orders"]),
    "schedules.resume": lambda system: resume(system, ANN, ["orders"]),
    "feedback.exclude": lambda system: feedback.exclude(system, ANN, ["orders.rows"], PERIOD),
    "host.ask_level": lambda system: host.ask_level(system, ANN, "NORMAL"),
    "host.ask_mode": lambda system: host.ask_mode(system, ANN, "prod"),
    "tokens.create": lambda system: tokens.create(system, ANN, role="viewer", name="one"),
    "tokens.revoke": lambda system: tokens.revoke(system, ANN, "one"),
    "maintain.maintain": lambda system: maintain(system, ANN, seconds=0.0),
}
"""Those that can be done here in a moment; the others are done in the tests of their own."""


@pytest.mark.parametrize("name", EASY)
def test_who_did_it_stands_in_the_log(system: IntegratedSystem, name: str) -> None:
    """The event that the deed leaves names the actor."""
    before = 0 if name == "run.run" else system.events.head()[0]

    EASY[name](system)

    found = [event for event in system.events.read(after=before) if event.type == DEEDS[name]]
    assert found, name
    assert found[0].data["actor"] == "ann"


def test_who_may_only_look_leaves_nothing(system: IntegratedSystem) -> None:
    """A deed that was refused did not happen."""
    before = system.events.head()
    with pytest.raises(NotAllowedError):
        cache.clear(system, Actor("eve", "viewer"))
    assert system.events.head() == before
