"""Transactions that compensate: all steps or none, whatever fails, dies or comes late."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.counts import few
from tests.utils import children
from tests.utils.events.counts import open_at
from utils import leases
from utils.clock import ManualClock
from utils.database import Database, StateError
from utils.events import EventStore, NewEvent
from utils.leases import Leases
from utils.sqlite import SqliteDatabase
from utils.transaction_views import TransactionViews
from utils.transactions import Plan, Step, Transactions

_numbers = count(1)


@dataclass
class World:
    """What the steps change: names that are there. `broken`: steps and compensations that raise."""

    there: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)
    broken: dict[str, BaseException] = field(default_factory=dict)
    final: tuple[str, ...] = ()

    def plan(self, data: dict[str, Any]) -> Plan:
        steps = [self._step(name) for name in data["names"]]
        return Plan(
            steps=steps,
            completed=lambda results: [NewEvent("all.done", "world", {"results": dict(results)})],
            failed=lambda one: [NewEvent("none.done", "world", {"step": one.step})],
        )

    def _step(self, name: str) -> Step:
        def do() -> int:
            self.calls.append(name)
            if f"half {name}" in self.broken:
                self.there.add(name)
                raise self.broken[f"half {name}"]
            if name in self.broken:
                raise self.broken[name]
            self.there.add(name)
            return len(name)

        def undo() -> None:
            self.calls.append(f"undo {name}")
            if f"undo {name}" in self.broken:
                raise self.broken[f"undo {name}"]
            self.there.discard(name)

        return Step(name=name, do=do, undo=None if name in self.final else undo)


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the log lies."""
    if request.param == "SQLite":
        return str(tmp_path / "log.db")
    return str(request.getfixturevalue("postgres"))


@pytest.fixture
def system(address: str, tmp_path: Path) -> Iterator[Callable[[World], Transactions]]:
    """Makes transactions over one log, each as another process would."""
    opened: list[Any] = []

    def make(world: World, clock: ManualClock | None = None) -> Transactions:
        clock = clock or ManualClock()
        database: Database = open_at(address)
        coordination = SqliteDatabase(tmp_path / "coordination.db", migrations=[leases.SCHEMA, leases.BEAT_SCHEMA])
        store = EventStore(database, projections=[TransactionViews()], clock=clock)
        held = Leases(coordination, clock=clock)
        opened.extend((held, store, database, coordination))
        made = Transactions(store, held, clock=clock)
        made.register("names", world.plan)
        return made

    yield make
    for one in opened:
        one.close()


@pytest.fixture
def shared(system: Callable[[World], Transactions]) -> Callable[[World], Transactions]:
    """The same transactions again and again, over another world."""
    made = system(World())

    def with_world(world: World) -> Transactions:
        made.register("names", world.plan)
        return made

    return with_world


def _history(made: Transactions) -> list[str]:
    """What the log tells, without the word `transaction.`."""
    told = []
    for event in made._store.read():
        step = f" {event.data['step']}" if event.data.get("step") else ""
        told.append(f"{event.type.removeprefix('transaction.')}{step}")
    return told


def test_all_steps_are_done_in_order_and_the_log_tells_them(system: Any) -> None:
    """With what each returned, and what the plan tells at the end in the same commit."""
    world = World()
    made = system(world)

    done = made.run("names", "t1", {"names": ["a", "bb"]})

    assert (done.state, done.done, done.results) == ("completed", ("a", "bb"), {"a": 1, "bb": 2})
    assert _history(made) == ["started", "step_done a", "step_done bb", "completed", "all.done"]
    assert made.open() == []


def test_the_same_id_is_the_same_transaction(system: Any) -> None:
    """Asked for twice, it happens once."""
    world = World()
    made = system(world)
    first = made.run("names", "t1", {"names": ["a"]})

    assert made.run("names", "t1", {"names": ["a"]}) == first
    assert world.calls == ["a"]


def test_a_failing_step_takes_all_back_in_reverse_order(system: Any) -> None:
    """Itself too: nobody knows how far it came."""
    world = World(broken={"half c": ValueError("no room\nleft")})
    made = system(world)

    done = made.run("names", "t1", {"names": ["a", "b", "c", "d"]})

    assert (done.state, done.step, done.error) == ("failed", "c", "ValueError: no room left")
    assert world.calls == ["a", "b", "c", "undo c", "undo b", "undo a"]
    assert world.there == set()
    assert _history(made)[3:] == [
        *("turned_back c", "step_undone c", "step_undone b", "step_undone a"),
        *("failed c", "none.done c"),
    ]


def test_a_failing_compensation_is_named_and_tried_again(system: Any) -> None:
    """Whatever comes after it waits: the order is kept."""
    world = World(broken={"c": ValueError("full"), "undo b": OSError("away")})
    made = system(world)
    made.run("names", "t1", {"names": ["a", "b", "c"]})
    made.resume()
    (open_,) = made.open()
    stuck = set(world.there)
    world.broken.clear()
    (done,) = made.resume()

    assert (open_.state, open_.step, open_.error, open_.attempts) == ("undoing", "b", "OSError: away", 2)
    assert stuck == {"a", "b"}
    assert (done.state, done.step, world.there) == ("failed", "c", set())
    assert made.resume() == []


def test_after_what_cannot_be_taken_back_it_only_goes_forward(system: Any) -> None:
    """The step that failed is tried again until it works."""
    world = World(broken={"c": OSError("away")}, final=("b", "c"))
    made = system(world)
    first = made.run("names", "t1", {"names": ["a", "b", "c"]})
    (second,) = made.resume()
    world.broken.clear()
    (third,) = made.resume()

    assert [(one.state, one.step, one.attempts) for one in (first, second)] == [
        ("running", "c", 1),
        ("running", "c", 2),
    ]
    assert (third.state, world.there) == ("completed", {"a", "b", "c"})


def test_what_cannot_be_taken_back_may_itself_fail_first(system: Any) -> None:
    """Then it is not there, and what came before it is taken back."""
    world = World(broken={"b": OSError("away")}, final=("b",))
    done = system(world).run("names", "t1", {"names": ["a", "b"]})

    assert (done.state, world.there) == ("failed", set())


def test_another_process_goes_on_where_one_stopped(system: Any) -> None:
    """From the log alone; the step that was under way is done again."""
    world = World(broken={"b": KeyboardInterrupt()})
    first, second = system(world), system(world)
    with pytest.raises(KeyboardInterrupt):
        first.run("names", "t1", {"names": ["a", "b", "c"]})
    world.broken.clear()
    (done,) = second.resume()

    assert (done.state, world.calls) == ("completed", ["a", "b", "b", "c"])


def test_who_comes_late_is_refused_by_the_log(system: Any) -> None:
    """A process that slept while another one finished its transaction changes nothing any more."""
    world = World()
    first = system(world)
    second = system(world)

    def finish_elsewhere() -> int:
        first._leases.release(["transaction:t1"])
        assert second.run("late", "t1").state == "completed"
        return 1

    def plan_of(do: Callable[[], int]) -> Callable[[dict[str, Any]], Plan]:
        return lambda _: Plan(steps=[Step(name="a", do=do, undo=None), Step(name="b", do=lambda: 2, undo=None)])

    first.register("late", plan_of(finish_elsewhere))
    second.register("late", plan_of(lambda: 1))

    done = first.run("late", "t1")

    assert done.state == "completed"
    assert _history(first) == ["started", "step_done a", "step_done b", "completed"]


def test_a_step_that_is_gone_turns_back(system: Any) -> None:
    """And one whose compensation is gone waits for a person, who may give it up."""
    world = World(broken={"b": KeyboardInterrupt()})
    made = system(world)
    with pytest.raises(KeyboardInterrupt):
        made.run("names", "t1", {"names": ["a", "b"]})
    made.register("names", lambda _: Plan(steps=[]))
    (stuck,) = made.resume()
    given_up = made.abandon("t1", reason="the place is gone")

    assert (stuck.state, stuck.step, stuck.error) == ("undoing", "b", "LookupError: there is no step b any more")
    assert given_up.state == "failed"
    assert made._store.read(type="transaction.failed")[0].data["left"] == ["a"]
    with pytest.raises(StateError, match="has failed already"):
        made.abandon("t1", reason="again")


def test_what_nobody_knows_is_left_alone(system: Any) -> None:
    """A kind that this process has not registered belongs to another program."""
    world = World(broken={"a": KeyboardInterrupt()})
    made, other = system(world), system(World())
    with pytest.raises(KeyboardInterrupt):
        made.run("names", "t1", {"names": ["a"]})
    other._plans.clear()

    assert other.resume() == []
    assert [one.id for one in other.open()] == ["t1"]


def test_an_id_that_the_log_uses_for_something_else_is_refused(system: Any) -> None:
    """Its history could not be told apart."""
    made = system(World())
    made._store.append([NewEvent("dataset.collected", "fx")])

    with pytest.raises(StateError, match="something else by this name"):
        made.run("names", "fx", {"names": ["a"]})


def test_no_lease_is_left_of_what_is_over(system: Any) -> None:
    """Their names are never asked for again."""
    made = system(World())
    for number in range(3):
        made.run("names", f"t{number}", {"names": ["a"]})

    database = made._leases._database
    assert database.query("SELECT count(*) FROM leases") == [(0,)]


def test_rebuilt_it_is_listed_as_before(system: Any) -> None:
    """The list is projected from the log."""
    world = World(broken={"b": ValueError("full"), "undo a": OSError("away")})
    made = system(world)
    made.run("names", "t1", {"names": ["a", "b"]})
    made.run("names", "t2", {"names": ["c"]})
    before = made._store.database.query("SELECT * FROM transactions ORDER BY id")
    made._store.rebuild()

    assert made._store.database.query("SELECT * FROM transactions ORDER BY id") == before
    assert [one.id for one in made.open()] == ["t1"]


@pytest.mark.parametrize("outcome", ["completed", "failed"])
def test_killed_after_every_step_it_ends_as_it_should(address: str, tmp_path: Path, outcome: str) -> None:
    """kill -9 by its own hand, before and after each step's mark in the log; the next process goes on."""
    coordination, folder = tmp_path / "coordination.db", tmp_path / "there"
    folder.mkdir()
    codes = []
    while not codes or codes[-1] != 0:
        child = children.start("transact", address, coordination, folder, outcome)
        printed, errors = child.communicate(timeout=120)
        codes.append(child.returncode)
        assert child.returncode in (0, -9), errors
        assert len(codes) < 40

    assert printed.split() == [outcome]
    assert sorted(path.name for path in folder.iterdir()) == (["a", "b"] if outcome == "completed" else [])
    assert codes.count(-9) == (4 if outcome == "completed" else 8)


_faults = st.dictionaries(
    st.tuples(st.sampled_from(["", "half ", "undo "]), st.integers(0, 3)),
    st.sampled_from([ValueError("no"), OSError("away"), KeyboardInterrupt()]),
    max_size=4,
)


@settings(
    max_examples=few(50),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(tries=st.lists(_faults, max_size=4), steps=st.integers(1, 4), final=st.integers(0, 4))
def test_either_all_steps_are_done_or_all_are_undone(
    shared: Callable[[World], Transactions], tries: list[dict[tuple[str, int], Exception]], steps: int, final: int
) -> None:
    """Whatever fails, however often, and whenever the process dies; those from `final` on cannot be taken back."""
    names = [f"s{number}" for number in range(steps)]
    world, name = World(final=tuple(names[final:])), f"t{next(_numbers)}"
    made = shared(world)
    for faults in tries:
        world.broken = {f"{kind}s{number}": fault for (kind, number), fault in faults.items()}
        for step in world.final:  # such a step is whole or not there at all
            world.broken.pop(f"half {step}", None)
        with contextlib.suppress(KeyboardInterrupt):
            made.run("names", name, {"names": names})
    world.broken = {}
    done = made.run("names", name, {"names": names})

    assert done.is_over
    assert world.there == (set(names) if done.state == "completed" else set())
    assert name not in [one.id for one in made.open()]
