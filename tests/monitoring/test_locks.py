"""Watched locks are locks like any other, and a cycle of them is proven; nothing else is taken for one."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.locks import LockGraph, WatchedLock
from tests.monitoring.watching import PATIENCE_S


@contextmanager
def _waiting(*wants: tuple[WatchedLock, WatchedLock], timeout: float = -1) -> Iterator[list[threading.Thread]]:
    """A thread for each pair: it holds the first lock and waits for the second. At the end all get what they want.

    The lock of a thread that waits in a cycle is taken from it, as only a test would.
    """
    held = threading.Barrier(len(wants) + 1)

    def work(first: WatchedLock, second: WatchedLock) -> None:
        first.acquire()
        held.wait(PATIENCE_S)
        second.acquire(timeout=timeout)

    threads = [
        threading.Thread(target=work, args=pair, name=f"thread-{number}", daemon=True)
        for number, pair in enumerate(wants)
    ]
    for thread in threads:
        thread.start()
    held.wait(PATIENCE_S)
    try:
        yield threads
    finally:
        while any(thread.is_alive() for thread in threads):
            for _, second in wants:
                if second.locked():
                    second.release()
            for thread in threads:
                thread.join(0.01)


def _eventually(found: Callable[[], object]) -> None:
    """Waits until threads have come to where they wait."""
    pause = threading.Event()
    for _ in range(int(PATIENCE_S * 1000)):
        if found():
            return
        pause.wait(0.001)
    pytest.fail("it never came")


def test_two_threads_in_a_cycle_are_proven_with_what_each_waits_for():
    """Each waits for the lock of the other."""
    graph = LockGraph()
    one, two = WatchedLock("one", graph), WatchedLock("two", graph)
    with _waiting((one, two), (two, one)):
        _eventually(graph.deadlocks)
        (cycle,) = graph.deadlocks()
        assert {(link.thread, link.lock) for link in cycle} == {("thread-0", "two"), ("thread-1", "one")}


def test_a_cycle_of_any_length_is_found_beside_threads_that_wait_for_it():
    """Three in a circle, and one that only waits behind them."""
    graph = LockGraph()
    locks = [WatchedLock(f"lock-{number}", graph) for number in range(4)]
    with _waiting((locks[0], locks[1]), (locks[1], locks[2]), (locks[2], locks[0]), (locks[3], locks[0])):
        _eventually(lambda: len(graph._waits) == 4)
        (cycle,) = graph.deadlocks()
        assert sorted(link.thread for link in cycle) == ["thread-0", "thread-1", "thread-2"]


def test_a_thread_that_takes_its_own_lock_again_waits_for_itself():
    """A cycle of one: a plain lock is not reentrant."""
    graph = LockGraph()
    lock = WatchedLock("lock", graph)
    with _waiting((lock, lock)):
        _eventually(graph.deadlocks)
        assert [len(cycle) for cycle in graph.deadlocks()] == [1]


def test_a_row_that_waits_for_one_who_works_is_no_cycle():
    """Whoever holds the last lock goes on some time."""
    graph = LockGraph()
    one, two = WatchedLock("one", graph), WatchedLock("two", graph)
    with two, _waiting((one, two)):
        _eventually(lambda: graph._waits)
        assert graph.deadlocks() == []
        two.release()  # it goes on; taken again at the end, when it is given back
        _eventually(lambda: not graph._waits)
        two.release()
        two.acquire()


def test_a_wait_with_a_timeout_is_in_no_cycle():
    """It ends by itself."""
    graph = LockGraph()
    one, two = WatchedLock("one", graph), WatchedLock("two", graph)
    with _waiting((one, two), (two, one), timeout=0.05):
        assert graph.deadlocks() == []
    assert graph._waits == {}


@given(st.lists(st.sampled_from(["acquire", "try", "timed", "release"]), max_size=30), st.booleans())
def test_it_does_what_the_lock_of_the_standard_library_does(steps: list[str], reentrant: bool):
    """Whatever is asked, both answer the same, and say the same of who has it."""
    ours = WatchedLock("ours", LockGraph(), reentrant=reentrant)
    theirs = threading.RLock() if reentrant else threading.Lock()
    depth = 0
    for step in steps:
        if step == "release":
            if depth:
                ours.release()
                theirs.release()
                depth -= 1
            else:
                with pytest.raises(RuntimeError):
                    ours.release()
        elif step == "acquire" and (reentrant or not depth):
            assert ours.acquire() == theirs.acquire()
            depth += 1
        else:
            wait = {"blocking": False} if step != "timed" else {"timeout": 0.0}
            taken = theirs.acquire(**wait)
            assert ours.acquire(**wait) == taken
            depth += taken
        assert ours.locked() is bool(depth)


def test_a_reentrant_lock_is_given_back_by_its_holder_only():
    """Another thread's release is refused and changes nothing."""
    lock = WatchedLock("lock", LockGraph(), reentrant=True)
    refused: list[str] = []

    def release() -> None:
        try:
            lock.release()
        except RuntimeError as error:
            refused.append(str(error))

    with lock:
        thread = threading.Thread(target=release)
        thread.start()
        thread.join(PATIENCE_S)
        assert lock.locked()
    assert refused == ["lock lock is released by one that does not have it"]


@pytest.mark.parametrize("depth", [1, 3], ids=["plain", "held three times over"])
def test_a_condition_works_over_it(depth: int):
    """As over the lock that it takes the place of: while it waits, others have the lock."""
    lock = WatchedLock("lock", LockGraph(), reentrant=depth > 1)
    condition = threading.Condition(lock)  # type: ignore[arg-type]  # a lock in all but name
    came: list[int] = []

    def bring() -> None:
        with condition:
            came.append(1)
            condition.notify_all()

    with contextlib.ExitStack() as held:
        for _ in range(depth):
            held.enter_context(condition)
        thread = threading.Thread(target=bring)
        thread.start()
        assert condition.wait_for(lambda: came, PATIENCE_S)
        assert lock._depth == depth
    assert not lock.locked()
    thread.join(PATIENCE_S)
