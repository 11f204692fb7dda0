"""Which dataset of a run is next."""

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

from data_pipeline.waiting import Waiting


def dataset(name: str, *, priority: int = 0, needs: str | None = None, looks_up: tuple[str, ...] = ()) -> Any:
    named = None if needs is None else SimpleNamespace(dataset=needs)
    rules = [SimpleNamespace(kind="references", params={"dataset": other}) for other in looks_up]
    return SimpleNamespace(name=name, priority=priority, collect=SimpleNamespace(for_each=named), rules=rules)


def taken(waiting: Waiting) -> list[str]:
    """All that are left, one after the other."""
    found = []
    while (one := waiting.take()) is not None:
        found.append(one.name)
        waiting.done(one.name)
    return found


def test_higher_priorities_come_first() -> None:
    """And equal ones in the order of the configuration."""
    assert taken(Waiting([dataset("a"), dataset("b", priority=5), dataset("c")])) == ["b", "a", "c"]


def test_a_dataset_comes_after_the_one_whose_rows_it_needs() -> None:
    """Whatever the priorities; one that is not in the run is not waited for."""
    found = Waiting([dataset("orders", priority=9, needs="shops"), dataset("x", needs="elsewhere"), dataset("shops")])
    assert taken(found) == ["x", "shops", "orders"]


def test_a_dataset_comes_after_all_that_its_rules_look_up() -> None:
    """What must be a customer is judged against the customers of this run; one may need several."""
    found = Waiting([dataset("orders", needs="shops", looks_up=("customers",)), dataset("customers"), dataset("shops")])

    assert found.needed == {"customers", "shops"}
    assert taken(found) == ["customers", "shops", "orders"]


def test_a_circle_ends() -> None:
    """Each takes what is there of the other."""
    assert sorted(taken(Waiting([dataset("a", needs="b"), dataset("b", needs="a"), dataset("c", needs="c")]))) == [
        "a",
        "b",
        "c",
    ]


def test_a_worker_waits_for_what_another_is_working_on() -> None:
    """It does not take a dataset whose rows are on their way, and does not give up either."""
    waiting = Waiting([dataset("shops"), dataset("orders", needs="shops")])
    first = waiting.take()
    assert first is not None
    with ThreadPoolExecutor(1) as other:
        second = other.submit(waiting.take)
        assert not second.done()
        waiting.done(first.name)
        found = second.result(timeout=10)
    assert found is not None
    assert found.name == "orders"


def test_who_waits_is_released_when_the_run_stops() -> None:
    """With nothing to do."""
    waiting = Waiting([dataset("shops"), dataset("orders", needs="shops")])
    waiting.take()
    with ThreadPoolExecutor(1) as other:
        second = other.submit(waiting.take)
        waiting.stop()
        assert second.result(timeout=10) is None
