"""A watchdog notices what stands still, says where, and says when it works again."""

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from monitoring.watchdog import ProcessWatchdog
from tests.monitoring.watching import PATIENCE_S, Ear, thread_at_work
from utils.clock import ManualClock
from utils.redaction import Redactor

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def watchdog(clock: ManualClock, ear: Ear) -> ProcessWatchdog:
    made = ProcessWatchdog(limit=30.0, clock=clock)
    made.on_event(ear)
    return made


def _pass(seconds: int, watchdog: ProcessWatchdog, clock: ManualClock, *beating: str) -> None:
    """Second by second, as its thread would look."""
    for _ in range(seconds):
        clock.advance(1.0)
        for name in beating:
            watchdog.heartbeat(name)
        watchdog.step()


def test_silence_beyond_the_limit_is_told_once_with_all_stacks(watchdog, clock, ear):
    """Who is silent, for how long, what was allowed; and where every thread is."""
    watchdog.heartbeat("importer", limit=5.0)
    _pass(5, watchdog, clock)
    assert ear.heard == []
    with thread_at_work(threading.Event.wait, "waits-here"):
        _pass(20, watchdog, clock)
    (event,) = ear.heard
    assert (event.type, event.service, event.why) == ("service.unavailable", "importer", "stalled")
    assert (event.silent_s, event.limit_s) == (6.0, 5.0)
    stacks = {stack.thread: "\n".join(stack.frames) for stack in event.stacks}
    assert "in Event.wait" in stacks["waits-here"]


def test_who_beats_is_left_alone(watchdog, clock, ear):
    """However long it runs."""
    watchdog.heartbeat("importer", limit=2.0)
    _pass(100, watchdog, clock, "importer")
    assert ear.heard == []
    assert watchdog.well


def test_its_return_is_told_with_the_time_it_was_away(watchdog, clock, ear):
    """Once, and then it is watched as before."""
    watchdog.heartbeat("importer", limit=5.0)
    _pass(10, watchdog, clock)
    assert not watchdog.well
    watchdog.heartbeat("importer")
    _pass(3, watchdog, clock)
    assert ear.told == [("service.unavailable", "importer", "stalled"), ("service.recovered", "importer", "")]
    assert ear.heard[1].silent_s == 10.0
    assert watchdog.well
    _pass(6, watchdog, clock)
    assert ear.told[-1] == ("service.unavailable", "importer", "stalled")


def test_what_is_done_may_be_silent(watchdog, clock, ear):
    """A worker that ends says so."""
    watchdog.heartbeat("importer", limit=5.0)
    watchdog.forget("importer")
    _pass(60, watchdog, clock)
    assert ear.heard == []


def test_a_thread_that_ended_is_told_before_its_limit(watchdog, clock, ear):
    """It cannot beat again: there is nothing to wait for."""
    with thread_at_work(lambda _: watchdog.heartbeat("importer"), "worker") as thread:
        thread.join(PATIENCE_S)
        _pass(1, watchdog, clock)
    assert ear.told == [("service.unavailable", "importer", "died")]
    assert ear.heard[0].reason == "its thread worker has ended"


def test_another_thread_may_take_over(watchdog, clock, ear):
    """In a pool each beat may come of another thread."""
    for name in ("one", "two"):
        with thread_at_work(lambda _: watchdog.heartbeat("pool"), name) as thread:
            thread.join(PATIENCE_S)
    watchdog.heartbeat("pool")
    _pass(1, watchdog, clock)
    assert ear.heard == []


def test_without_a_name_it_is_the_threads_own(watchdog, clock, ear):
    """The shortest form."""
    watchdog.heartbeat(limit=1.0)
    _pass(2, watchdog, clock)
    assert ear.told == [("service.unavailable", threading.current_thread().name, "stalled")]


def test_two_threads_in_a_lock_cycle_are_told_within_the_configured_time_with_their_stacks(ear):
    """Real threads, real time, no heartbeat: the next look proves it."""
    watchdog = ProcessWatchdog(every=0.02)
    watchdog.on_event(ear)
    one, two = watchdog.lock("ledger"), watchdog.lock("journal")
    both = threading.Barrier(2)

    def book(go: threading.Event, first=one, second=two) -> None:
        with first:
            both.wait(PATIENCE_S)
            second.acquire()

    def post(go: threading.Event) -> None:
        book(go, two, one)

    with watchdog, thread_at_work(book, "books"), thread_at_work(post, "posts"):
        event = ear.wait_for(lambda event: event.why == "deadlocked")
        one.release()  # so that the test can end
        ear.wait_for(lambda event: event.type == "service.recovered")
    assert event.type == "service.unavailable"
    assert event.service == "locks journal, ledger"
    assert set(zip(event.threads, event.locks, strict=True)) == {("books", "journal"), ("posts", "ledger")}
    assert {stack.thread for stack in event.stacks[:2]} == {"books", "posts"}
    assert all(any("second.acquire()" in frame for frame in stack.frames) for stack in event.stacks[:2])
    assert ear.told == [
        ("service.unavailable", "locks journal, ledger", "deadlocked"),
        ("service.recovered", "locks journal, ledger", ""),
    ]


def test_without_watched_locks_a_deadlock_is_a_stall_that_says_what_it_looks_like(watchdog, clock, ear):
    """Two that are silent while they take plain locks: told as perhaps, for nothing proves it."""
    one, two, both = threading.Lock(), threading.Lock(), threading.Barrier(3)

    def work(name: str, first: threading.Lock, second: threading.Lock) -> None:
        watchdog.heartbeat(name, limit=5.0)
        first.acquire()
        both.wait(PATIENCE_S)
        with second:
            pass

    with (
        thread_at_work(lambda _: work("books", one, two), "books"),
        thread_at_work(lambda _: work("posts", two, one), "posts"),
    ):
        both.wait(PATIENCE_S)
        _pass(6, watchdog, clock)
        one.release()
        two.release()
    assert [event.why for event in ear.heard] == ["stalled", "stalled"]
    assert all("perhaps a deadlock" in event.reason for event in ear.heard)


def test_a_blocked_event_loop_is_told_and_its_return(ear):
    """The loop beats by itself; a callback that blocks is found in the stacks."""
    watchdog = ProcessWatchdog(every=0.02)
    watchdog.on_event(ear)
    release = threading.Event()

    async def serve() -> None:
        watchdog.watch_loop(asyncio.get_running_loop(), "web", limit=1.0)
        await asyncio.sleep(0)
        assert release.wait(PATIENCE_S)  # what nobody should do in a coroutine
        stayed = asyncio.get_running_loop().create_future()
        watchdog.on_event(lambda event: stayed.get_loop().call_soon_threadsafe(stayed.set_result, None))
        await asyncio.wait_for(stayed, PATIENCE_S)

    with watchdog:
        serving = threading.Thread(target=lambda: asyncio.run(serve()), name="server")
        serving.start()
        event = ear.wait_for(lambda event: event.what == "unavailable")
        release.set()
        ear.wait_for(lambda event: event.what == "recovered")
        serving.join(PATIENCE_S)
    assert (event.service, event.why, event.threads) == ("web", "stalled", ("server",))
    assert "release.wait(PATIENCE_S)" in "\n".join(event.stacks[0].frames)
    assert ear.told[1:] == [("service.recovered", "web", "")]


def test_a_loop_that_was_closed_is_done(watchdog, clock, ear):
    """It ended as it should."""

    async def serve() -> None:
        watchdog.watch_loop(asyncio.get_running_loop(), limit=1.0)
        await asyncio.sleep(0)

    asyncio.run(serve())
    _pass(10, watchdog, clock)
    assert ear.heard == []


def test_a_look_that_comes_late_is_held_against_nobody(watchdog, clock, ear):
    """The machine slept for a quarter of a minute: the silence was not the importer's."""
    watchdog.heartbeat("importer", limit=5.0)
    _pass(1, watchdog, clock)
    clock.advance(15.0)
    _pass(3, watchdog, clock)
    assert ear.heard == []
    _pass(3, watchdog, clock)
    assert ear.told == [("service.unavailable", "importer", "stalled")]


def test_a_late_look_is_no_sign_of_who_stands_still(watchdog, clock, ear):
    """What was told as silent stays so until it beats."""
    watchdog.heartbeat("importer", limit=5.0)
    _pass(10, watchdog, clock)
    clock.advance(15.0)
    _pass(3, watchdog, clock)
    assert ear.told == [("service.unavailable", "importer", "stalled")]


def test_a_process_that_stood_still_beyond_the_limit_is_told(watchdog, clock, ear):
    """It is over when it is noticed: both are told, and no heartbeat is blamed."""
    watchdog.heartbeat("importer", limit=5.0)
    _pass(1, watchdog, clock)
    clock.advance(40.0)
    watchdog.step()
    assert ear.told == [("service.unavailable", "process", "stalled"), ("service.recovered", "process", "")]
    assert "stood still for 39 s" in ear.heard[0].reason


def test_what_held_the_interpreter_is_in_the_stacks():
    """C code that keeps the lock of the interpreter lets nobody look: the stacks were written without it."""
    program = """
import ctypes, threading
from monitoring.watchdog import ProcessWatchdog
told = threading.Event()
def hear(event):
    print(event.type, event.why, *[line for stack in event.stacks for line in stack.frames], flush=True)
    told.set()
watchdog = ProcessWatchdog(limit=1.0, every=0.02, hangs=True)
looked = threading.Event()
step = watchdog.step
def noted():
    wait = step()
    looked.set()
    return wait
watchdog.step = noted
watchdog.on_event(hear)
with watchdog:
    looked.wait(120)
    def hold_everything():
        ctypes.PyDLL(None).usleep(2_500_000)
    hold_everything()
    told.wait(120)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    first = done.stdout.splitlines()[0]
    assert first.startswith("service.unavailable stalled")
    assert "in hold_everything" in first


def test_secrets_in_the_source_are_no_part_of_the_stacks(clock, ear):
    """A line of code may hold one."""
    watchdog = ProcessWatchdog(clock=clock, redacted=Redactor(secrets=lambda: ["canary-7f3a"]).text)
    watchdog.on_event(ear)
    watchdog.heartbeat("importer", limit=1.0)
    with thread_at_work(lambda go: (go.wait(), "canary-7f3a"), "holds-a-secret"):
        _pass(3, watchdog, clock)
    told = str(ear.heard[0].to_event().data)
    assert "holds-a-secret" in told
    assert "canary" not in told


def test_many_and_deep_threads_give_an_event_that_stays_small(watchdog, clock, ear):
    """Thirty frames each, as many threads as fit, and those concerned among them."""
    go = threading.Event()

    def deep(levels: int) -> None:
        if levels:
            deep(levels - 1)
        else:
            go.wait(PATIENCE_S)

    threads = [threading.Thread(target=deep, args=(60,), name=f"deep-{n}", daemon=True) for n in range(60)]

    def silent() -> None:
        watchdog.heartbeat("importer", limit=1.0)
        deep(60)

    threads.append(threading.Thread(target=silent, name="the-silent-one", daemon=True))
    for thread in threads:
        thread.start()
    try:
        while "importer" not in watchdog._beats:
            pass
        _pass(3, watchdog, clock)
    finally:
        go.set()
        for thread in threads:
            thread.join(PATIENCE_S)
    (event,) = ear.heard
    assert 10 < len(event.stacks) < 61
    assert event.stacks[0].thread == "the-silent-one"
    assert max(len(stack.frames) for stack in event.stacks) == 31
    assert len(str(event.to_event().data)) < 100_000


def test_a_listener_that_fails_keeps_nobody_from_hearing(watchdog, clock, ear):
    """Neither the others nor the next event."""

    def fails(event: object) -> None:
        raise ValueError("no")

    watchdog.on_event(fails)
    late = Ear()
    watchdog.on_event(late)
    watchdog.heartbeat("importer", limit=1.0)
    _pass(2, watchdog, clock)
    assert ear.told == late.told == [("service.unavailable", "importer", "stalled")]


def test_it_is_started_and_stopped_any_number_of_times():
    """Its thread is gone each time."""
    watchdog = ProcessWatchdog(every=0.01)
    for _ in range(3):
        watchdog.start()
        watchdog.start()
        watchdog.stop()
        watchdog.stop()
    assert "watchdog" not in {thread.name for thread in threading.enumerate()}


def test_an_event_for_the_log_has_what_is_known_and_no_more(watchdog, clock, ear):
    """Source, type, subject, and fields without empty ones."""
    watchdog.heartbeat("importer", limit=1.0)
    _pass(2, watchdog, clock)
    event = ear.heard[0].to_event()
    assert (event.type, event.subject, event.source) == ("service.unavailable", "importer", "watchdog")
    assert event.data["reason"] == "no heartbeat for 2 s, 1 s are allowed"
    assert event.data["since"] == "2026-01-01T00:00:00.000000Z"
    assert set(event.data) <= {"kind", "reason", "since", "silent_s", "limit_s", "threads", "stacks"}
    assert event.data["kind"] == "stalled"
