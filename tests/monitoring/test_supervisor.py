"""A supervised process is started again with growing limits, ended with all it started, and given up at last."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitoring.supervisor import LIMITS_S, Supervisor
from tests.monitoring.watching import PATIENCE_S, Ear
from utils.clock import ManualClock
from utils.redaction import Redactor

ROOT = Path(__file__).resolve().parents[2]
STAYS = ["sleep", "600"]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def made(ear: Ear) -> Iterator[list[Supervisor]]:
    """Supervisors that are stopped at the end."""
    all_of_them: list[Supervisor] = []
    yield all_of_them
    for supervisor in all_of_them:
        supervisor.stop()


@pytest.fixture
def supervise(clock, ear, made):
    """Makes one that is stepped by hand."""

    def make(command=STAYS, **options) -> Supervisor:
        supervisor = Supervisor("server", command, clock=clock, grace_s=5.0, **options)
        supervisor.on_event(ear)
        made.append(supervisor)
        supervisor.begin()
        return supervisor

    return make


def _shell(script: str) -> list[str]:
    return ["sh", "-c", script]


def _until_gone(supervisor: Supervisor) -> None:
    assert supervisor._child is not None
    assert supervisor._child._gone.wait(PATIENCE_S)


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # nobody may have reaped it yet in a container without an init
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def test_starts_that_are_too_slow_get_90_120_180_and_240_seconds_and_then_it_is_given_up(supervise, clock, ear):
    """Each try is ended at its limit and told with it; the last is told once more."""
    supervisor = supervise(ready=lambda: False)
    allowed = []
    while supervisor.state != "given_up":
        wait = supervisor.step()
        if supervisor.state == "starting":
            pid = supervisor.pid
            allowed.append(supervisor.limit_s)
            clock.advance(supervisor.limit_s - 1.0)
            supervisor.step()
            assert supervisor.state == "starting"
            clock.advance(1.5)
            supervisor.step()
            assert not _is_there(pid)
        else:
            clock.advance(wait)
    assert allowed == [90.0, 120.0, 180.0, 240.0] == list(LIMITS_S)
    assert [(event.why, event.attempt) for event in ear.heard] == [
        ("slow_start", 1),
        ("slow_start", 2),
        ("slow_start", 3),
        ("slow_start", 4),
        ("given_up", 4),
    ]
    assert [event.limit_s for event in ear.heard[:4]] == allowed
    assert supervisor.step() == float("inf")
    assert "given up after 4 tries: not ready after" in ear.heard[-1].reason


def test_pauses_between_tries_double_up_to_half_a_minute(supervise, clock):
    """A server that dies at once does not burn the processor."""
    supervisor = supervise(_shell("exit 3"), ready=lambda: False, limits=[90.0] * 8)
    pauses = []
    while supervisor.state != "given_up":
        supervisor.step()
        if supervisor.state == "starting":
            _until_gone(supervisor)
        elif supervisor.state == "waiting":
            pauses.append(supervisor.step())
            clock.advance(pauses[-1])
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


def test_a_process_that_dies_is_told_with_its_output_and_comes_back(supervise, clock, ear, tmp_path):
    """Exit code, last words, and how long it was away; then it is ready again."""
    flag = tmp_path / "second"
    script = (
        f"if [ -e {flag} ]; then exec sleep 600; fi; touch {flag}; echo out of luck; echo password=hunter2 >&2; exit 7"
    )
    supervisor = supervise(_shell(script), ready=lambda: supervisor.attempt == 2)
    supervisor.step()
    _until_gone(supervisor)
    supervisor.step()
    assert supervisor.state == "waiting"
    (event,) = ear.heard
    assert (event.type, event.why, event.exit_code) == ("service.unavailable", "died", 7)
    assert event.reason == "it ended with exit code 7 before it was ready"
    assert event.output == ("out of luck", "password=***")
    clock.advance(1.0)
    supervisor.step()
    assert ear.told[1:] == [("service.recovered", "server", "")]
    assert ear.heard[1].attempt == 2
    assert event.to_event("pytest").data["output"] == ["out of luck", "password=***"]


def test_the_signal_that_ended_it_is_named(supervise, clock, ear):
    """Killed from outside, while it was ready."""
    supervisor = supervise()
    supervisor.step()
    assert supervisor.state == "ready"
    os.kill(supervisor.pid, 9)
    _until_gone(supervisor)
    supervisor.step()
    assert ear.told == [("service.started", "server", ""), ("service.unavailable", "server", "died")]
    assert ear.heard[1].reason == "it ended with signal SIGKILL"


def test_all_that_it_started_ends_with_it(supervise, ear, tmp_path):
    """A grandchild that would stay, and one that ignores being asked."""
    pids = tmp_path / "pids"
    script = f"sleep 600 & echo $! > {pids}; (trap '' TERM; sleep 600) & echo $! >> {pids}; touch {pids}.all; wait"
    supervisor = supervise(_shell(script), ready=lambda: Path(f"{pids}.all").exists())
    pause = threading.Event()
    while supervisor.state != "ready":
        supervisor.step()
        pause.wait(0.01)
    grandchildren = [int(pid) for pid in pids.read_text().split()]
    assert all(map(_is_there, grandchildren))
    supervisor.stop()
    assert ear.told == [("service.started", "server", ""), ("service.stopped", "server", "")]
    assert not any(map(_is_there, grandchildren))


def test_it_ends_also_when_the_program_is_killed_that_runs_it():
    """By SIGKILL, which leaves no time to see to anything."""
    program = """
import sys
from monitoring.supervisor import Supervisor
supervisor = Supervisor("server", ["sh", "-c", "sleep 600 & wait"]).start()
supervisor.wait_ready(20)
print(supervisor.pid, flush=True)
sys.stdin.readline()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        pid = int(running.stdout.readline())
        assert _is_there(pid)
        running.kill()
    pause = threading.Event()
    for _ in range(1000):
        if not _is_there(pid):
            break
        pause.wait(0.01)
    assert not _is_there(pid)


def test_one_that_ignores_being_asked_is_ended(clock, made):
    """After the grace that it has."""
    supervisor = Supervisor("stubborn", _shell("trap '' TERM; echo up; while :; do sleep 600; done"), grace_s=0.05)
    made.append(supervisor)
    supervisor.start()
    pause = threading.Event()
    while supervisor.output() != ("up",):
        pause.wait(0.01)
    pid = supervisor.pid
    supervisor.stop()
    assert not _is_there(pid)
    assert supervisor.state == "stopped"


def test_once_it_was_ready_for_long_the_tries_are_counted_anew(supervise, clock, ear):
    """Four deaths in a year are no reason to give up."""
    supervisor = supervise(calm_s=600.0)
    for _ in range(6):
        clock.advance(supervisor.step())
        supervisor.step()
        assert supervisor.state == "ready"
        clock.advance(601.0)
        supervisor.step()
        os.kill(supervisor.pid, 9)
        _until_gone(supervisor)
        supervisor.step()
    assert supervisor.state == "waiting"
    assert {event.why for event in ear.heard} == {"", "died"}


def test_one_that_hangs_is_begun_anew(supervise, clock, ear):
    """It runs, but three looks in a row find no answer."""
    answers = iter([True, False, True, False, False, False])
    supervisor = supervise(alive=lambda: next(answers), alive_every=5.0)
    supervisor.step()
    pid = supervisor.pid
    for _ in range(6):
        assert supervisor.state == "ready"
        clock.advance(5.0)
        supervisor.step()
    assert supervisor.state == "waiting"
    assert not _is_there(pid)
    assert ear.told[-1] == ("service.unavailable", "server", "stalled")


@pytest.mark.parametrize(
    ("mode", "why", "words"),
    [(None, "given_up", "No such file or directory"), (0o644, "permission", "Permission denied")],
    ids=["missing", "not executable"],
)
def test_what_cannot_be_started_is_not_tried_again(supervise, ear, tmp_path, mode, why, words):
    """Another try would find it the same; the reason names the program."""
    program = tmp_path / "server"
    if mode is not None:
        program.write_text("#!/bin/sh\n")
        program.chmod(mode)
    supervisor = supervise([str(program)])
    supervisor.step()
    assert supervisor.state == "given_up"
    assert ear.told == [("service.unavailable", "server", why)]
    assert ear.heard[0].reason == f"{program} cannot be started: {words}"


def test_a_start_that_fails_for_want_of_rights_is_told_as_that(supervise, ear):
    """The server says it itself, as it does for a port below 1024."""
    words = "PermissionError: [Errno 13] Permission denied"
    supervisor = supervise(_shell(f"echo '{words}' >&2; exit 1"), ready=lambda: False)
    supervisor.step()
    _until_gone(supervisor)
    supervisor.step()
    assert ear.told == [("service.unavailable", "server", "permission")]
    assert ear.heard[0].output == (words,)


def test_an_end_is_noticed_at_once_by_its_thread(ear, made):
    """No look has to come by: the end wakes it."""
    supervisor = Supervisor("server", STAYS, pause_s=0.0)
    made.append(supervisor)
    supervisor.on_event(ear)
    supervisor.start()
    assert supervisor.wait_ready(PATIENCE_S)
    first = supervisor.pid
    os.kill(first, 9)
    ear.wait_for(lambda event: event.what == "recovered")
    assert supervisor.pid not in {first, None}


def test_one_that_was_given_up_is_begun_again_by_start(ear, made, tmp_path):
    """Somebody mended it."""
    program = tmp_path / "server"
    supervisor = Supervisor("server", [str(program)])
    made.append(supervisor)
    supervisor.start()
    assert not supervisor.wait_ready(PATIENCE_S)
    assert supervisor.state == "given_up"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o755)
    supervisor.start()
    ready = threading.Event()
    for _ in range(1000):
        if supervisor.state == "ready":
            break
        ready.wait(0.01)
    assert supervisor.state == "ready"


def test_a_restart_counts_as_no_try(supervise, clock, ear):
    """Somebody asked for it: told, done at once, and the limits stay."""
    supervisor = supervise()
    for _ in range(6):
        supervisor.step()
        supervisor.restart("new configuration")
    supervisor.step()
    assert (supervisor.state, supervisor.attempt) == ("ready", 1)
    assert ear.heard[1].reason == "begun anew: new configuration"
    assert {event.type for event in ear.heard[1:]} == {"service.unavailable", "service.recovered"}


def test_output_without_end_is_read_and_only_its_tail_kept(made):
    """The process never waits for a reader, and memory stays small."""
    program = "import sys\nfor n in range(40_000): print('line', n)\nsys.stdout.flush()\nimport time; time.sleep(600)"
    supervisor = Supervisor("chatty", [sys.executable, "-S", "-c", program])
    made.append(supervisor)
    supervisor.start()
    pause = threading.Event()
    for _ in range(2000):
        if supervisor.output()[-1:] == ("line 39999",):
            break
        pause.wait(0.01)
    assert supervisor.output() == tuple(f"line {n}" for n in range(39_970, 40_000))


def test_a_stray_child_that_keeps_the_output_open_keeps_nobody_waiting(supervise, tmp_path):
    """It left the group: it is not ours any more, and its pipe does not hold us."""
    pid = tmp_path / "pid"
    code = f"import os; os.setsid(); open('{pid}.new', 'w').write(str(os.getpid())); os.rename('{pid}.new', '{pid}')"
    script = f"{sys.executable} -S -c \"{code}; os.execlp(chr(115)+'leep', 'sleep', '600')\" & wait"
    supervisor = supervise(_shell(script), ready=pid.exists)
    pause = threading.Event()
    while supervisor.state != "ready":
        supervisor.step()
        pause.wait(0.01)
    supervisor.stop()
    assert supervisor.pid is None
    stray = int(pid.read_text())
    assert _is_there(stray)
    os.kill(stray, 9)


@pytest.mark.parametrize("options", [{"command": []}, {"limits": []}], ids=["no command", "no limits"])
def test_what_it_needs_is_asked_for(options):
    """Said when it is made."""
    with pytest.raises(ValueError, match="needs a command and at least one limit"):
        Supervisor("server", **{"command": STAYS, **options})


def test_secrets_in_the_command_are_no_part_of_the_reason(supervise, ear, made):
    """What is told is redacted as a whole."""
    supervise(["/nowhere/canary-7f3a"], redacted=Redactor(secrets=lambda: ["canary-7f3a"]).text)
    made[0].step()
    assert ear.heard[0].reason == "/nowhere/*** cannot be started: No such file or directory"
