"""From what fails to what people read: through the log, the incidents, the outbox and real channels."""

import json
import os
import resource
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from monitoring.alerting.alert_files import AlertFiles
from monitoring.alerting.views import Incidents
from operations.actor import Actor
from operations.alerting import Alerting, after_run, deliver, services
from operations.health import health
from operations.maintain import maintain
from tests.faulty_server import Answer, FaultyServer, Request, hang, ok, status
from tests.integration.alerting import START, clock_at, collected, configure, failed, watching
from tests.integration.installation import ROOT, Installation
from utils.database import StateError


@pytest.fixture
def hook() -> Iterator[FaultyServer]:
    with FaultyServer(ok(b"")) as server:
        yield server


def url(server: FaultyServer, patience_s: float = 60.0) -> str:
    return f"json://{server.host}/alerts?rto={patience_s:g}"


def taken(server: FaultyServer) -> list[dict[str, Any]]:
    """What the receiver got."""
    return [json.loads(request.body) for request in server.requests]


def test_a_run_tells_what_failed_and_a_later_one_that_it_ended(installation: Installation, hook: FaultyServer) -> None:
    """Once each, though the dataset fails again in between."""
    with FaultyServer(status(503)) as provider:
        dataset = {"name": "rates", "collect": {"kind": "http", "url": provider.url}}
        installation.configure(dataset, alerts={"channels": {"team": url(hook)}})
        for answer in (status(503), status(503), ok(b"id,value\n1,2\n", "text/csv")):
            provider.answer = answer
            installation.typed("run", "--fresh")
    told = taken(hook)

    assert [one["kind"] for one in told] == ["opened", "resolved"]
    assert [one["incident"] for one in told] == [told[0]["incident"]] * 2
    assert "rates" in told[0]["title"] + told[0]["message"]
    assert told[1]["title"].startswith("Over: ")
    assert [event["kind"] for event in installation.events("alert.sent")] == ["opened", "resolved"]


def test_without_channels_each_alert_is_a_file_and_an_incident(installation: Installation) -> None:
    """Nobody is told; it is there for whoever looks."""
    configure(installation, {})
    with installation.system(clock_at(START)) as system:
        system.events.append([failed(0)])
        deliver(system)
        (incident,) = Incidents(system.database).active()
        (line,) = AlertFiles(system.alerts_dir).index()

    assert incident.datasets == ("d00",)
    assert (line["incident"], line["type"], line["kind"]) == (incident.id, "dataset_failed", "opened")
    assert line["file"] == f"alert_{int(START.timestamp())}_dataset_failed.json"


def test_a_run_in_which_all_is_well_loads_nothing_of_it(installation: Installation) -> None:
    """No service, no message, no engine."""
    script = """
import sys
from pathlib import Path
from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.alerting import after_run
from operations.run import run
with IntegratedSystem(Path(sys.argv[1]), state_dir=Path(sys.argv[2])) as system:
    run(system, Actor('test'))
    before = set(sys.modules)
    after_run(system)
    print(sorted(set(sys.modules) - before), 'apprise' in sys.modules)
"""
    dataset = {"name": "numbers", "collect": {"kind": "simulated"}}
    installation.configure(dataset, alerts={"channels": {"team": "json://127.0.0.1:1/"}})
    command = [sys.executable, "-c", script, str(installation.config), str(installation.state)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.stdout == "[] False\n", done.stderr


def test_what_a_run_cannot_deliver_goes_with_the_next_command(installation: Installation, hook: FaultyServer) -> None:
    """It tries for ten seconds; the run's result stays what it was."""
    configure(installation, {"team": url(hook)})
    hook.answer = status(503)
    clock = clock_at(START)
    with installation.system(clock) as system:
        system.events.append([failed(0)])
        after_run(system)
        waited = (clock.now() - START).total_seconds()
        left = system.alert_outbox.undelivered()
    hook.answer = ok(b"")
    with installation.system(clock) as system:
        system.events.append([collected(0), failed(1)])
        done = deliver(system)

    assert waited <= 10.0
    assert [one.attempts for one in left] == [4]
    assert (done.sent, done.waiting) == (2, 0)
    told = taken(hook)
    assert sorted(one["kind"] for one in told[4:]) == ["opened", "resolved"]
    assert any("It began: " in one["message"] for one in told[4:])


def test_a_channel_that_is_down_is_told_on_another(installation: Installation, hook: FaultyServer) -> None:
    """And not to itself; it ends when it takes a message again."""
    with FaultyServer(status(503)) as broken:
        configure(installation, {"team": url(hook), "broken": url(broken)})
        clock = clock_at(START)
        with watching(installation, clock) as watch:
            watch.system.events.append([failed(0)])
            watch.pass_to(START + timedelta(minutes=5))
            told_down = [one["title"] for one in taken(hook)]
            sick = [one.detail for one in health(watch.system).failed if one.name == "alerts"]
            broken.answer = ok(b"")
            watch.pass_to(START + timedelta(minutes=15))
            active = [one.kind for one in Incidents(watch.system.database).active()]
        told = taken(hook)
        titles_at_broken = {json.loads(request.body)["title"] for request in broken.requests}

    assert any("broken" in title for title in told_down)
    assert len(sick) == 1
    assert sick[0].startswith("broken: messages that wait: 1")
    assert any(one["kind"] == "resolved" and "broken" in one["title"] for one in told)
    assert not any("broken" in title for title in titles_at_broken)
    assert active == ["provider"]


@pytest.mark.parametrize("down", [status(503), hang()], ids=["it answers 503", "it hangs in the middle of a message"])
def test_a_channel_down_for_ten_minutes_and_a_kill_in_the_middle_lose_nothing(
    installation: Installation, hook: FaultyServer, down: Answer
) -> None:
    """All is delivered after, in order, each message once: what was tried before has the same key."""
    tried: list[str] = []
    got: list[dict[str, Any]] = []
    is_down = True

    def answer(request: Request) -> Answer:
        message = json.loads(request.body)
        if is_down:
            tried.append(message["key"])
            return down
        got.append(message)
        return ok(b"")

    hook.answer = answer
    configure(installation, {"team": url(hook, 0.5)}, providers=5)
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.alerting", str(installation.folder), START.isoformat(), "600"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    for line in child.stdout:
        if int(line) == 5:
            os.kill(child.pid, signal.SIGKILL)
            break
    child.wait()
    child.stdout.close()
    # From here on it fails at once: a time-out short enough for one that hangs would be too short for a slow machine.
    down = status(503)
    configure(installation, {"team": url(hook, 60.0)}, providers=5)
    clock = clock_at(START + timedelta(minutes=5))
    with watching(installation, clock) as watch:
        watch.system.events.append([failed(3)])
        watch.pass_to(START + timedelta(minutes=10))
        is_down = False
        watch.pass_to(START + timedelta(minutes=40))
        left = watch.system.alert_outbox.undelivered()
        threads = {one.thread for one in watch.system.alert_outbox.recent()}
        order = [[one.message.kind for one in watch.system.alert_outbox.of_thread(thread)] for thread in threads]

    assert tried
    assert left == []
    assert all(count == 1 for count in Counter(one["key"] for one in got).values())
    assert all(kinds in (["opened"], ["opened", "resolved"], ["summary"]) for kinds in order)
    told = " ".join(one["title"] + one["message"] for one in got)
    assert [number for number in (1, 2, 3, 4) if f"127.0.0.{number}:9" not in told] == []


STORM = [pytest.param(1_000, id="a tenth of it"), pytest.param(10_000, id="all of it", marks=pytest.mark.prove)]


@pytest.mark.parametrize("events", STORM)
def test_a_storm_is_three_messages_a_channel(installation: Installation, hook: FaultyServer, events: int) -> None:
    """10,000 events in ten seconds over forty providers: every incident is in the list, and nothing is blocked."""
    with FaultyServer(hang()) as silent:
        configure(installation, {"team": url(hook), "silent": url(silent, 0.05)}, providers=40)
        clock = clock_at(START)
        with watching(installation, clock) as watch:
            for number in range(0, events, 100):
                watch.system.events.append([failed(other % 40) for other in range(number, number + 100)])
                clock.advance(10.0 * 100 / events)
                watch.work()
            in_the_storm = len(hook.requests)
            watch.pass_to(START + timedelta(minutes=5))
            concerned = {name for one in Incidents(watch.system.database).active() for name in one.datasets}
            told = taken(hook)
            watch.system.events.append([collected(number) for number in range(40)])
            watch.pass_to(START + timedelta(hours=2))
            left = [one for one in Incidents(watch.system.database).active() if one.kind != "channel"]

    assert in_the_storm <= 3
    assert 1 <= len(told) <= 3
    assert concerned == {f"d{number:02}" for number in range(40)}
    assert left == []
    ends = [one for one in taken(hook) if one["kind"] in {"resolved", "summary"}]
    assert ends


def test_when_the_log_cannot_be_written_people_are_told_from_memory(
    installation: Installation, hook: FaultyServer
) -> None:
    """By every channel at once, and as a file; once an hour, for a crontab begins anew every minute."""
    configure(installation, {"team": url(hook), "gone": "json://127.0.0.1:1/"})
    installation.state.mkdir(mode=0o700)
    (installation.state / "orchestrator.db").write_bytes(b"no database at all, " * 1000)
    clock = clock_at(START)
    for _ in range(2):
        with pytest.raises(StateError):
            installation.run(clock=clock)
    told = taken(hook)
    clock.advance(3601.0)
    with pytest.raises(StateError):
        installation.run(clock=clock)

    assert [one["severity"] for one in told] == ["critical"]
    assert told[0]["title"].startswith("CRITICAL: my-data: the log cannot be written, no run starts: ")
    assert "Do: " in told[0]["message"]
    assert len(taken(hook)) == 2
    assert [line["type"] for line in AlertFiles(installation.state / "alerts").index()] == ["critical", "critical"]


def test_a_full_disk_is_told(installation: Installation, hook: FaultyServer) -> None:
    """By a run that cannot begin; its exit code and its words are what they were."""
    dataset = {"name": "numbers", "collect": {"kind": "simulated"}}
    installation.configure(dataset, alerts={"channels": {"team": url(hook)}})
    assert installation.typed("run") == 0
    done = subprocess.run(
        installation.command("run", "--fresh"),
        cwd=installation.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60.0,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
    )

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    (told,) = taken(hook)
    assert told["severity"] == "critical"


def test_a_process_that_stays_tells_that_its_log_is_gone(installation: Installation, hook: FaultyServer) -> None:
    """Once, after a minute; what hears nothing of it then is the outside watcher's business."""
    configure(installation, {"team": url(hook)})
    installation.state.mkdir(mode=0o700)
    (installation.state / "orchestrator.db").write_bytes(b"no database at all, " * 1000)
    clock = clock_at(START)
    with installation.system(clock) as system:
        alerting = Alerting(system)
        for _ in range(10):
            with pytest.raises(StateError):
                alerting.step()
            clock.advance(15.0)
        well = alerting.is_well()
        alerting.close()

    assert len(taken(hook)) == 1
    assert not well


def test_the_outside_watcher_hears_of_us_as_long_as_alerts_work(installation: Installation, hook: FaultyServer) -> None:
    """After each run, and every so often in a process that stays."""
    configure(installation, {}, heartbeat={"url": f"http://{hook.host}/beat", "every": "2m"})
    clock = clock_at(START)
    with installation.system(clock) as system:
        after_run(system)
        assert [request.path for request in hook.requests] == ["/beat"]
        alerting, beating = services(system)
        alerting.step()
        assert (beating.step(), hook.count) == (120.0, 2)
        clock.advance(60.0)
        assert (beating.step(), hook.count) == (60.0, 2)
        clock.advance(600.0)  # nobody stepped alerting meanwhile
        beating.step()
        alerting.close()

    assert hook.count == 2


def test_what_a_program_says_goes_to_every_channel_of_the_installation(
    installation: Installation, hook: FaultyServer
) -> None:
    """Through the outbox and with an event; its own callbacks hear of it at once."""
    configure(installation, {"team": url(hook)})
    heard: list[str] = []
    with installation.system(clock_at(START)) as system:
        system.alerts.on_alert(lambda alert: heard.append(alert.title))
        system.alerts.send(level="WARNING", title="Import is late", message="by 2 h", source="importer")
        deliver(system)
        (raised,) = system.events.read(type="alert.raised")

    assert heard == ["Import is late"]
    assert (raised.subject, raised.data["level"], raised.data["title"]) == ("importer", "warning", "Import is late")
    assert [(one["title"], one["kind"]) for one in taken(hook)] == [("Import is late", "notice")]


def test_maintenance_lets_the_log_know_what_was_read(installation: Installation) -> None:
    """Though nothing was the matter for long: else nothing of the log could be sealed."""
    configure(installation, {})
    with installation.system() as system:
        system.events.append([collected(number % 4) for number in range(50)])
        maintain(system, Actor("test"))
        standing = {one.name: one.seq for one in system.cursors.standing()}

    assert standing.keys() == {"incidents", "alerts.outbox"}
    assert min(standing.values()) >= 50


def test_maintenance_delivers_what_waits(installation: Installation, hook: FaultyServer) -> None:
    """And says how many."""
    configure(installation, {"team": url(hook)})
    with installation.system() as system:
        system.events.append([failed(0)])
        done = maintain(system, Actor("test"))
    (step,) = [one for one in done.steps if one.name == "alerts"]

    assert (step.count, len(taken(hook))) == (1, 1)


def test_a_wrong_address_of_a_channel_is_found_when_the_configuration_is_checked(
    installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not in the night in which it is needed; with its key, and without the address."""
    configure(installation, {"team": "https://example.org/hunter2", "ops": "json://example.org"})
    code = installation.typed("config", "check")
    told = "".join(capsys.readouterr())

    assert code == 2
    assert "alerts.channels.team" in told
    assert "jsons://" in told
    assert "hunter2" not in told
    assert "alerts.channels.ops" not in told


def test_where_another_process_sends_a_run_leaves_it_to_that(installation: Installation, hook: FaultyServer) -> None:
    """And waits for nothing; once that process was killed, the next run does it."""
    configure(installation, {"team": url(hook)})
    clock = clock_at(START)
    with installation.system(clock) as system:
        other = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.alerting", str(installation.folder)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        system.events.append([failed(0)])
        left = deliver(system)
        waited = (clock.now() - START).total_seconds()
        other.kill()
        other.communicate()
        done = deliver(system)

    assert (left.sent, left.waiting, waited) == (0, 1, 0.0)
    assert (done.sent, done.waiting, hook.count) == (1, 0, 1)
