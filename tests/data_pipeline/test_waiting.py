"""Which datasets of a run may begin."""

from types import SimpleNamespace
from typing import Any

from data_pipeline.waiting import Waiting


def dataset(name: str, *, priority: int = 0, needs: str | None = None, looks_up: tuple[str, ...] = ()) -> Any:
    named = None if needs is None else SimpleNamespace(dataset=needs)
    rules = [SimpleNamespace(kind="references", params={"dataset": other}) for other in looks_up]
    collect = SimpleNamespace(for_each=named)
    return SimpleNamespace(name=name, priority=priority, collect=collect, rules=rules, depends_on=())


def ready(waiting: Waiting) -> list[str]:
    return [one.dataset.name for one in sorted(waiting.ready())]


def taken(waiting: Waiting) -> list[list[str]]:
    """All that are left, turn by turn: what may begin together ends before the next turn."""
    turns = []
    while names := ready(waiting):
        turns.append(names)
        for name in names:
            waiting.done(name)
    return turns


def test_higher_priorities_come_first() -> None:
    """And equal ones in the order of the configuration."""
    assert taken(Waiting([dataset("a"), dataset("b", priority=5), dataset("c")])) == [["b", "a", "c"]]


def test_a_dataset_comes_after_the_one_whose_rows_it_needs() -> None:
    """Whatever the priorities; one that is not in the run is not waited for."""
    found = Waiting([dataset("orders", priority=9, needs="shops"), dataset("x", needs="elsewhere"), dataset("shops")])
    assert taken(found) == [["x", "shops"], ["orders"]]


def test_a_dataset_comes_after_all_that_its_rules_look_up() -> None:
    """What must be a customer is judged against the customers of this run; one may need several."""
    found = Waiting([dataset("orders", needs="shops", looks_up=("customers",)), dataset("customers"), dataset("shops")])

    assert found.needed == {"customers", "shops"}
    assert ready(found) == ["customers", "shops"]
    found.done("shops")
    assert ready(found) == []
    found.done("customers")
    assert ready(found) == ["orders"]


def test_a_circle_ends() -> None:
    """Each takes what is there of the other, once nobody works on anything."""
    found = Waiting([dataset("a", needs="b"), dataset("b", needs="a"), dataset("c", needs="c")])

    assert taken(found) == [["c"], ["a"], ["b"]]
    assert found.left == 0


def test_nothing_begins_once_the_run_stops() -> None:
    """Not what waited for others either."""
    waiting = Waiting([dataset("shops"), dataset("orders", needs="shops")])
    assert ready(waiting) == ["shops"]

    waiting.stop()
    waiting.done("shops")

    assert ready(waiting) == []
    assert waiting.left == 0
