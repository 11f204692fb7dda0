"""Workers that runs share: who is next, how many of a provider at once, and what ends a job."""

import threading
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.workforce import OLDEST_EVERY, Job, Workforce
from tests.counts import few

WAIT = 120.0


def dataset(name: str, *, provider: str = "p", priority: int = 0, needs: tuple[str, ...] = ()) -> Any:
    collect = SimpleNamespace(for_each=None)
    return SimpleNamespace(
        name=name, provider=provider, priority=priority, collect=collect, rules=[], depends_on=needs, transform=None
    )


def provider_of(one: Any) -> str:
    return str(one.provider)


class Slow:
    """Datasets that are worked on until they are let go."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self._changed = threading.Condition()
        self._let_go: set[str] = set()

    def __call__(self, one: Any) -> None:
        with self._changed:
            self.begun.append(one.name)
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: one.name in self._let_go, WAIT)

    def let_go(self, *names: str) -> None:
        with self._changed:
            self._let_go.update(names)
            self._changed.notify_all()

    def until(self, holds: Callable[[list[str]], bool]) -> list[str]:
        with self._changed:
            assert self._changed.wait_for(lambda: holds(self.begun), WAIT), self.begun
            return list(self.begun)


def job(datasets: list[Any], work: Callable[[Any], None], **more: Any) -> Job:
    return Job(datasets, provider_of=provider_of, work=work, **more)


def test_a_slow_provider_leaves_a_worker_to_the_others() -> None:
    """Its datasets fill all workers but one; those of another provider go on, though they came last."""
    slow, quick = Slow(), list[str]()
    force = Workforce(3, limit_of=lambda _: None, shared=True)
    stuck = job([dataset(f"s{n}", provider="slow") for n in range(5)], slow)
    force.begin(stuck)
    slow.until(lambda begun: len(begun) == 2)

    other = job([dataset(f"q{n}", provider="quick") for n in range(5)], lambda one: quick.append(one.name))
    force.begin(other)

    assert other.finished.wait(WAIT)
    assert quick == [f"q{n}" for n in range(5)]
    assert slow.begun == ["s0", "s1"]
    slow.let_go(*(f"s{n}" for n in range(5)))
    assert stuck.finished.wait(WAIT)
    assert sorted(slow.begun) == [f"s{n}" for n in range(5)]
    force.close()


def test_one_job_of_one_provider_has_all_workers() -> None:
    """Where nobody else may come, none is kept free; unless the provider's bulkhead says so."""
    for limit, most in ((None, 3), (8, 3), (2, 2)):
        slow = Slow()
        force = Workforce(3, limit_of=lambda _, limit=limit: limit)  # type: ignore[misc]
        one = job([dataset(f"d{n}") for n in range(6)], slow)
        force.begin(one)
        slow.until(lambda begun, most=most: len(begun) == most)  # type: ignore[misc]
        assert force.free() == 3 - most
        slow.let_go(*(f"d{n}" for n in range(6)))
        assert one.finished.wait(WAIT)
        force.close()


def test_the_more_urgent_job_is_first_and_the_older_has_its_turn() -> None:
    """With one worker: the urgent one's datasets, and every eighth of the job that began first."""
    gate, order = threading.Event(), list[str]()

    def work(one: Any) -> None:
        assert gate.wait(WAIT)
        order.append(one.name)

    force = Workforce(1, limit_of=lambda _: None, shared=True)
    low = job([dataset(f"low{n}") for n in range(4)], work)
    high = job([dataset(f"high{n}") for n in range(20)], work, priority=5)
    force.begin(low)
    force.begin(high)
    gate.set()

    assert high.finished.wait(WAIT)
    assert low.finished.wait(WAIT)
    assert [n for n, name in enumerate(order) if name.startswith("low")] == [0, 7, 15, 23]
    assert OLDEST_EVERY == 8
    force.close()


def test_what_was_withdrawn_does_not_begin() -> None:
    """What is being worked on ends by itself; only then the job has finished."""
    slow = Slow()
    force = Workforce(2, limit_of=lambda _: None)
    one = job([dataset(f"d{n}") for n in range(9)], slow)
    force.begin(one)
    slow.until(lambda begun: len(begun) == 2)

    force.withdraw(one)

    assert not one.finished.is_set()
    slow.let_go("d0", "d1")
    assert one.finished.wait(WAIT)
    assert slow.begun == ["d0", "d1"]
    force.close()


def test_what_work_raises_ends_its_job_and_no_other() -> None:
    """The job tells it; the workers go on with the next one."""
    force = Workforce(1, limit_of=lambda _: None, shared=True)

    def fail(one: Any) -> None:
        raise ValueError(one.name)

    broken = job([dataset("a"), dataset("b")], fail)
    done = list[str]()
    well = job([dataset("c")], lambda one: done.append(one.name))
    force.begin(broken)
    force.begin(well)

    assert broken.finished.wait(WAIT)
    assert well.finished.wait(WAIT)
    assert repr(broken.error) == "ValueError('a')"
    assert done == ["c"]
    force.close()


def test_a_job_without_datasets_has_finished() -> None:
    """At once."""
    force = Workforce(2, limit_of=lambda _: None)
    empty = job([], lambda _: None)
    force.begin(empty)
    assert empty.finished.is_set()
    force.close()


NAMES = st.integers(0, 11)
DATASETS = st.lists(
    st.tuples(st.sampled_from("pqr"), st.integers(0, 2), st.lists(NAMES, max_size=2)), min_size=1, max_size=12
)


@settings(max_examples=few(60), deadline=None)
@given(
    jobs=st.lists(DATASETS, min_size=1, max_size=4),
    size=st.integers(1, 4),
    limits=st.fixed_dictionaries({name: st.sampled_from([None, 1, 2]) for name in "pqr"}),
    shared=st.booleans(),
)
def test_all_is_done_once_within_the_limits_and_in_order(
    jobs: list[list[tuple[str, int, list[int]]]], size: int, limits: dict[str, int | None], shared: bool
) -> None:
    """Whatever the jobs, needs, providers and limits: nobody is forgotten, and nobody runs before what it needs."""
    guard, under_way, most, done = threading.Lock(), Counter[str](), Counter[str](), list[tuple[int, str]]()

    def working(number: int) -> Callable[[Any], None]:
        def work(one: Any) -> None:
            with guard:
                for what in (one.provider, "all"):
                    under_way[what] += 1
                    most[what] = max(most[what], under_way[what])
                assert all((number, other) in done for other in one.depends_on if other in names[number])
            with guard:
                for what in (one.provider, "all"):
                    under_way[what] -= 1
                done.append((number, one.name))

        return work

    force = Workforce(size, limit_of=lambda one: limits[one.provider], shared=shared)
    names = [{f"d{n}" for n in range(len(part))} for part in jobs]
    begun = []
    for number, part in enumerate(jobs):
        # What a dataset needs stands before it: there are no circles.
        made = [
            dataset(f"d{n}", provider=provider, priority=priority, needs=tuple({f"d{o}" for o in needs if o < n}))
            for n, (provider, priority, needs) in enumerate(part)
        ]
        begun.append(job(made, working(number)))
    for one in begun:
        force.begin(one)
    for one in begun:
        assert one.finished.wait(WAIT)
        assert one.error is None
    force.close()

    assert sorted(done) == sorted((number, name) for number, some in enumerate(names) for name in some)
    assert most["all"] <= size
    assert all(most[name] <= (limit or size) for name, limit in limits.items())
    if shared and size > 1:
        assert all(most[name] <= size - 1 for name in limits)
