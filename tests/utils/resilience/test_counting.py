"""A count without a lock on the way of those who are counted."""

import threading

from utils.resilience.counting import Count


def test_nothing_that_many_threads_add_is_lost_and_looking_adds_nothing() -> None:
    """Looks taken meanwhile only ever grow."""
    count, barrier = Count(), threading.Barrier(5)

    def caller() -> None:
        barrier.wait(120)
        for _ in range(5000):
            count.add()

    threads = [threading.Thread(target=caller) for _ in range(4)]
    for thread in threads:
        thread.start()
    barrier.wait(120)
    looks = [count.value for _ in range(50)]
    for thread in threads:
        thread.join()

    assert looks == sorted(looks)
    assert count.value == 20_000
