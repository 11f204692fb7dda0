"""Random histories of appends, failures, deaths and restarts: nobody who follows the log misses an event."""

from dataclasses import dataclass, field
from itertools import count
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from utils.clock import ManualClock
from utils.database import Database
from utils.event_patterns import matches
from utils.events import Event, EventStore, NewEvent
from utils.events.cursors import Cursors
from utils.events.following import Consumer, Following

Act = tuple[Literal["append", "step", "fail", "die", "restart", "pass time"], int]

_numbers = count(1)
_acts = st.lists(
    st.tuples(st.sampled_from(["append", "step", "step", "fail", "die", "restart", "pass time"]), st.integers(0, 5)),
    max_size=40,
)


class Died(BaseException):
    """The process is gone: nothing after this point happens."""


@dataclass
class World:
    """One consumer, run by two processes in turn, and what it handled."""

    store: EventStore
    clock: ManualClock
    pattern: str
    batch: int | None
    name: str
    handled: list[int] = field(default_factory=list)
    failures: int = 0
    dies_in: int | None = None
    processes: list[Following] = field(default_factory=list)

    def begin(self) -> Following:
        consumer = Consumer(name=self.name, handler=self.handle, pattern=self.pattern, batch=self.batch)
        return Following(consumer, self.store, Cursors(self.store, clock=self.clock), clock=self.clock)

    def handle(self, given: Event | list[Event]) -> None:
        for event in [given] if isinstance(given, Event) else given:
            if self.dies_in is not None:
                if self.dies_in == 0:
                    self.dies_in = None
                    raise Died
                self.dies_in -= 1
            if self.failures:
                self.failures -= 1
                raise ValueError("not now")
            self.handled.append(event.seq)

    def do(self, act: Act) -> None:
        kind, number = act
        which = number % 2
        match kind:
            case "append":
                types = ("a.x", "a.y", "b.x", "a.x.z")
                self.store.append([NewEvent(types[(number + n) % 4], self.name) for n in range(number + 1)])
            case "step":
                try:
                    self.processes[which].step()
                except Died:
                    self.processes[which] = self.begin()  # without a word: its cursor stays its own for 15 s
            case "fail":
                self.failures = number
            case "die":
                self.dies_in = number
            case "restart":
                self.processes[which].close()
                self.processes[which] = self.begin()
            case "pass time":
                self.clock.advance((0.5, 1.0, 3.0, 16.0, 40.0, 100.0)[number])


def _play(store: EventStore, clock: ManualClock, acts: list[Act], pattern: str, batch: int | None) -> None:
    world = World(store, clock, pattern, batch, f"machine-{next(_numbers)}")
    world.processes = [world.begin(), world.begin()]
    world.processes[0].step()
    begun = store.head()[0]
    for act in acts:
        world.do(act)
    world.failures, world.dies_in = 0, None
    for _ in range(8):  # in the end all is well: whatever is left is handled
        world.clock.advance(61.0)
        world.processes[0].step()
    wanted = [event.seq for event in store.read(after=begun, limit=10_000) if matches(pattern, event.type)]
    for process in world.processes:
        process.close()

    assert list(dict.fromkeys(world.handled)) == wanted  # each of them, and first seen in order


def _examples(number: int) -> settings:
    return settings(
        max_examples=number,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


_patterns = st.sampled_from(["**", "a.*", "a.**", "b.x"])
_batches = st.sampled_from([None, 1, 3])


@_examples(150)
@given(acts=_acts, pattern=_patterns, batch=_batches)
def test_nobody_misses_an_event_whatever_happens(
    database: Database, acts: list[Act], pattern: str, batch: int | None
) -> None:
    """Two processes for one consumer, in any order of appends, failures, deaths, restarts and silence."""
    clock = ManualClock()
    store = EventStore(database, clock=clock)
    _play(store, clock, acts, pattern, batch)
    store.close()


@pytest.mark.prove
@_examples(1000)
@given(acts=_acts, pattern=_patterns, batch=_batches)
def test_nobody_misses_an_event_in_a_thousand_histories(
    database: Database, acts: list[Act], pattern: str, batch: int | None
) -> None:
    """The full count."""
    clock = ManualClock()
    store = EventStore(database, clock=clock)
    _play(store, clock, acts, pattern, batch)
    store.close()
