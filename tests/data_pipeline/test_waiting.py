"""Which datasets of a run may begin."""

from random import Random
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.waiting import Waiting


def dataset(
    name: str,
    *,
    priority: int = 0,
    needs: str | None = None,
    looks_up: tuple[str, ...] = (),
    depends_on: tuple[str, ...] = (),
) -> Any:
    named = None if needs is None else SimpleNamespace(dataset=needs)
    rules = [SimpleNamespace(kind="references", params={"dataset": other}) for other in looks_up]
    collect = SimpleNamespace(for_each=named)
    return SimpleNamespace(name=name, priority=priority, collect=collect, rules=rules, depends_on=depends_on)


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
    found = Waiting([dataset("orders", needs="shops"), dataset("x", priority=9, needs="elsewhere"), dataset("shops")])
    assert taken(found) == [["x", "shops"], ["orders"]]


def test_what_is_needed_is_as_urgent_as_what_needs_it() -> None:
    """Else the urgent one would wait behind all that nobody waits for."""
    found = Waiting(
        [dataset("x", priority=3), dataset("orders", priority=9, depends_on=("shops",)), dataset("shops"), dataset("y")]
    )
    assert taken(found) == [["shops", "x", "y"], ["orders"]]


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


def test_a_circle_is_broken_where_nothing_is_depended_on() -> None:
    """What a dataset is made of is there before it, also when that looks something up in it."""
    found = Waiting([dataset("daily", depends_on=("orders",)), dataset("orders", looks_up=("daily",))])

    assert taken(found) == [["orders"], ["daily"]]


@given(
    st.lists(st.tuples(st.sets(st.integers(0, 9)), st.sets(st.integers(0, 9)), st.integers(0, 2)), max_size=10),
    st.randoms(use_true_random=False),
)
def test_nobody_begins_before_what_it_depends_on(wanted: list[tuple[set[int], set[int], int]], chance: Random) -> None:
    """Of any graph whose `depends_on` has no circles, whatever looks up what, and in whatever order they end."""
    datasets = [
        dataset(
            f"d{number}",
            priority=priority,
            depends_on=tuple(f"d{one}" for one in needs if one < number),
            looks_up=tuple(f"d{one}" for one in looks_up if one < len(wanted)),
        )
        for number, (needs, looks_up, priority) in enumerate(wanted)
    ]
    waiting = Waiting(datasets)
    working: list[Any] = []
    ended: list[str] = []
    while waiting.left or working:
        began = [one.dataset for one in waiting.ready()]
        for one in began:
            assert set(one.depends_on) <= set(ended)
            assert one not in working
        working += began
        one = working.pop(chance.randrange(len(working)))
        waiting.done(one.name)
        ended.append(one.name)

    assert sorted(ended) == sorted(one.name for one in datasets)


def test_a_long_chain_is_one_step_a_dataset() -> None:
    """No recursion, and nobody is looked at again and again: it ends at once."""
    found = Waiting([dataset(f"d{number}", depends_on=(f"d{number + 1}",)) for number in range(10_000)])
    assert len(taken(found)) == 10_000


def test_nothing_begins_once_the_run_stops() -> None:
    """Not what waited for others either."""
    waiting = Waiting([dataset("shops"), dataset("orders", needs="shops")])
    assert ready(waiting) == ["shops"]

    waiting.stop()
    waiting.done("shops")

    assert ready(waiting) == []
    assert waiting.left == 0
