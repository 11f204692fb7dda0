"""The bulkhead against a model: any order of callers, time-outs, cancels and ends."""

import asyncio
import contextlib
from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.counts import few
from utils.clock import ManualClock
from utils.resilience.bulkhead import Bulkhead, Slot
from utils.resilience.errors import BulkheadFullError


class BulkheadMachine(RuleBasedStateMachine):
    """Any order of coming, leaving, failing and giving up agrees with a list of who is inside and who waits."""

    CONCURRENCY = 3

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.bulkhead = Bulkhead("ecb", concurrency=self.CONCURRENCY, clock=ManualClock())
        self.slots, self.refused, self.entered = list[Slot](), 0, 0
        self.inside, self.line = dict[int, Caller](), dict[int, Caller]()
        self.entries = list[int]()

    def teardown(self) -> None:
        for caller in (*self.inside.values(), *self.line.values()):
            caller.task.cancel()
        self.turn()
        self.loop.close()

    @rule(timeout=st.sampled_from([0.0, 1.0]))
    def a_thread_comes(self, timeout: float) -> None:
        if len(self.inside) + len(self.slots) < self.CONCURRENCY:
            self.slots.append(self.bulkhead.acquire(timeout))
            self.entered += 1
            return
        self.refused += 1
        with pytest.raises(BulkheadFullError):
            self.bulkhead.acquire(timeout)

    @rule(twice=st.booleans())
    def a_thread_leaves(self, twice: bool) -> None:
        if self.slots:
            slot = self.slots.pop(0)
            slot.release()
            if twice:
                slot.release()
            self.next_one_enters()

    @rule()
    def a_coroutine_comes(self) -> None:
        caller = Caller(self.bulkhead, self.loop)
        self.line[caller.number] = caller
        self.next_one_enters()

    @rule(which=st.integers(0, 9), how=st.sampled_from(["well", "fails", "cancelled"]))
    def a_coroutine_leaves(self, which: int, how: str) -> None:
        if self.inside:
            caller = self.inside.pop(sorted(self.inside)[which % len(self.inside)])
            caller.end(how)
            self.next_one_enters()

    @rule(which=st.integers(0, 9))
    def a_waiting_coroutine_gives_up(self, which: int) -> None:
        if self.line:
            caller = self.line.pop(sorted(self.line)[which % len(self.line)])
            caller.task.cancel()
            self.refused += 1

    @rule(which=st.integers(0, 9))
    def one_gives_up_just_as_it_is_served(self, which: int) -> None:
        """The slot is handed over and the task is cancelled before its loop turns."""
        if self.slots and self.line:
            self.slots.pop(0).release()
            caller = self.line.pop(min(self.line))
            caller.task.cancel()
            self.refused += 1
            self.next_one_enters()

    def next_one_enters(self) -> None:
        while self.line and len(self.inside) + len(self.slots) < self.CONCURRENCY:
            first = min(self.line)
            self.inside[first] = self.line.pop(first)
            self.entered += 1

    def turn(self) -> None:
        for _ in range(8):
            self.loop.run_until_complete(asyncio.sleep(0))

    @invariant()
    def the_figures_agree(self) -> None:
        self.turn()
        figures = self.bulkhead.figures()
        assert all(caller.is_inside for caller in self.inside.values())
        assert not any(caller.is_inside for caller in self.line.values())
        assert figures.in_use <= self.CONCURRENCY
        assert (figures.in_use, figures.entered, figures.refused, figures.waiting) == (
            len(self.inside) + len(self.slots),
            self.entered,
            self.refused,
            len(self.line),
        )


class Caller:
    """A coroutine that stays inside until it is told how to end."""

    numbers = count()

    def __init__(self, bulkhead: Bulkhead, loop: asyncio.AbstractEventLoop) -> None:
        self.number = next(self.numbers)
        self.is_inside = False
        self._leave: asyncio.Future[None] = loop.create_future()
        self.task = loop.create_task(self._stay(bulkhead))

    def end(self, how: str) -> None:
        if how == "cancelled":
            self.task.cancel()
        elif how == "fails":
            self._leave.set_exception(ConnectionError("away"))
        else:
            self._leave.set_result(None)

    async def _stay(self, bulkhead: Bulkhead) -> None:
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            async with bulkhead.acquire_async():
                self.is_inside = True
                await self._leave


TestBulkheadMachine = BulkheadMachine.TestCase


TestBulkheadMachine.settings = settings(max_examples=few(50), stateful_step_count=30, deadline=None)
