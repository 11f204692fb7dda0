"""The bus against a model of it: any order of subscribing, publishing, handlers at work, and taking leave."""

import threading
from collections import deque
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, precondition, rule, run_state_machine_as_test

from tests.counts import few
from utils.bus import Bus, Figures, Policy
from utils.event_patterns import matches

WAIT = 120.0
SIZE = 3
KINDS = st.sampled_from(["run.started", "run.finished", "run.step.done", "batch.held"])
PATTERNS = st.sampled_from(["run.started", "run.*", "run.**", "*.held", "nobody.*"])
HOLD = "hold.on"


@dataclass(frozen=True)
class Happened:
    type: str
    number: int


@dataclass(eq=False)
class Listener:
    """What a subscriber is to hear, and did."""

    pattern: str
    fails: bool = False
    plain: bool = True
    expected: list[int] = field(default_factory=list)
    heard: list[int] = field(default_factory=list)


class Model(RuleBasedStateMachine):
    """While `held`, a handler is at work on an event, so what waits behind it is known to the last one.

    Whom a publisher that waits for room wants to reach is settled before it waits, but nobody can see that it waits:
    so nobody comes or goes meanwhile.
    """

    policy: Policy
    listeners = Bundle("listeners")

    def __init__(self) -> None:
        super().__init__()
        self.bus = Bus(queue_size=SIZE, policy=self.policy)
        self.calls: SimpleQueue[None] = SimpleQueue()
        self.entered, self.let_go = threading.Event(), threading.Event()
        self.bus.subscribe(HOLD, self.hold)
        self.everybody: list[Listener] = []
        self.ids: dict[Listener, int] = {}
        self.waiting: deque[tuple[Happened, list[Listener]]] = deque()
        self.at_work: tuple[Happened, list[Listener]] | None = None
        self.publisher: threading.Thread | None = None
        self.figures = Figures()

    def hold(self, _event: Any) -> None:
        self.entered.set()
        assert self.let_go.wait(WAIT)

    @property
    def held(self) -> bool:
        return self.at_work is not None

    @precondition(lambda self: self.publisher is None)
    @rule(target=listeners, pattern=st.one_of(PATTERNS, st.just("**")), fails=st.booleans())
    def subscribe(self, pattern: str, fails: bool) -> Listener:
        return self.listen(pattern, fails, plain=True)

    @precondition(lambda self: self.publisher is None)
    @rule(target=listeners, pattern=PATTERNS, fails=st.booleans())
    def subscribe_async(self, pattern: str, fails: bool) -> Listener:
        """Not to all: what waits in the queue has room in its line, but not the event at work as well."""
        return self.listen(pattern, fails, plain=False)

    def listen(self, pattern: str, fails: bool, *, plain: bool) -> Listener:
        one = Listener(pattern, fails, plain)

        def handler(event: Any) -> None:
            one.heard.append(event.number)
            self.calls.put(None)
            if one.fails:
                raise ValueError(event.number)

        async def later(event: Any) -> None:
            handler(event)

        self.everybody.append(one)
        self.ids[one] = self.bus.subscribe(pattern, handler if plain else later)
        return one

    @precondition(lambda self: self.publisher is None)
    @rule(one=consumes(listeners))
    def unsubscribe(self, one: Listener) -> None:
        """What waits in the queue is not for it any more."""
        assert self.bus.unsubscribe(self.ids[one])
        assert not self.bus.unsubscribe(self.ids.pop(one))

    @precondition(lambda self: not self.held)
    @rule()
    def begin_to_hold(self) -> None:
        self.entered.clear()
        self.let_go.clear()
        event = Happened(HOLD, self.figures.published)
        self.at_work = event, self.wanting(event)
        self.bus.publish(event)
        self.figures.published += 1
        assert self.entered.wait(WAIT)

    def wanting(self, event: Happened) -> list[Listener]:
        return [one for one in self.ids if matches(one.pattern, event.type)]

    @precondition(lambda self: self.publisher is None)
    @rule(kind=KINDS)
    def publish(self, kind: str) -> None:
        event = Happened(kind, self.figures.published)
        wanted = self.wanting(event)
        full = len(self.waiting) == SIZE
        if full and wanted and self.policy == "block":
            self.publisher = threading.Thread(target=self.bus.publish, args=(event,))
            self.publisher.start()
        else:
            self.bus.publish(event)
        if wanted:
            self.figures.published += 1
            self.waiting.append((event, wanted))
            if full and self.policy == "drop_oldest":
                self.waiting.popleft()
                self.figures.dropped += 1
        if not self.held:
            self.settle()
        elif self.publisher is None and all(one.plain for one in self.everybody):
            assert self.bus.figures().waiting == 1 + len(self.waiting)

    @precondition(lambda self: self.held)
    @rule()
    def let_it_go(self) -> None:
        self.let_go.set()
        self.figures.delivered += 1
        assert self.at_work is not None
        self.waiting.appendleft(self.at_work)
        self.at_work = None
        self.settle()

    def settle(self) -> None:
        """All that waits is handled by those who still want it."""
        for event, wanted in self.waiting:
            for one in wanted:
                if one in self.ids:
                    one.expected.append(event.number)
                    self.figures.failed += one.fails
                    self.figures.delivered += not one.fails
                    self.calls.get(timeout=WAIT)
        self.waiting.clear()
        if self.publisher is not None:
            self.publisher.join(WAIT)
            self.publisher = None
        for one in self.everybody:
            assert one.heard == one.expected

    def teardown(self) -> None:
        self.let_go.set()
        if self.held:
            self.let_it_go()
        assert self.bus.close(WAIT)
        assert self.calls.empty()
        assert self.bus.figures() == self.figures
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("bus")]


@pytest.mark.parametrize("policy", ["block", "drop_oldest"])
def test_the_bus_does_what_its_model_does(policy: Policy) -> None:
    """Order per subscriber, failures that hurt nobody else, the bound, and no call after unsubscribing."""
    machine = type(f"With_{policy}", (Model,), {"policy": policy})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=few(60), stateful_step_count=30, deadline=None, derandomize=True)
    )
