"""Any order of calls, outcomes, hands and time: the breaker agrees with a model that keeps everything in plain lists.

Alone, and two breakers over one database, as two processes have them.
"""

import gc
import itertools
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test

from tests.counts import few
from utils.clock import ManualClock
from utils.resilience.breaker import CircuitBreaker, Transition
from utils.resilience.errors import CircuitOpenError
from utils.resilience.shared_state import SharedState
from utils.shared_verdicts import MIGRATIONS, SharedVerdicts
from utils.sqlite import SqliteDatabase

WINDOW, MINIMUM, ROW, PERMITS, REST, LONGEST, SLOW = 6, 3, 4, 2, 10.0, 60.0, 2.0
MINUTE, PATIENCE, PHASE = 60.0, 2 * SLOW, 15.0  # of a time window; of a permit; of a half-open phase
TICK = 0.125  # between two steps: exact in binary, and long enough that each breaker looks again

Call = tuple[float, bool, bool]  # when, failed, slow
_numbers = itertools.count()


class Model:
    """What the docstring of `CircuitBreaker` promises, written as slowly as possible. One for all breakers."""

    def __init__(self, breakers: int, timed: bool) -> None:
        self.timed, self.now = timed, 0.0
        self.state, self.held, self.times = "closed", False, 0
        self.opened_at = self.until = 0.0  # the machine finds out until when
        self.windows: list[list[Call]] = [[] for _ in range(breakers)]
        self.eras = [0] * breakers  # how often each window was emptied
        self.began = 0.0
        self.out: dict[int, float] = {}  # permit: since when
        self.codes: list[Call] = []
        self.openings = 0
        self.told: list[tuple[str, str, bool]] = []
        self.by = ""  # what was done by hand last

    def enter(self, who: int, permit: int) -> tuple[str, int] | None:
        if self.state == "closed":
            return "window", self.eras[who]
        if self.state == "open" and not self.held and self.now >= self.until - 1e-6:
            self._move("half_open")
            self.out, self.codes = {}, []
        free = PERMITS - len(self.codes) - sum(self.now - since < PATIENCE for since in self.out.values())
        if self.state == "half_open" and free > 0:
            if not self.out and not self.codes:
                self.began = self.now
            self.out[permit] = self.now
            return "permit", permit
        return None

    def outcome(self, who: int, ticket: tuple[str, int], failed: bool, slow: bool) -> None:
        kind, number = ticket
        call = (self.now, failed, slow)
        if kind == "window" and self.state == "closed" and number == self.eras[who]:
            self.windows[who].append(call)
            if not self.held and self._broken(self.recent(who), MINIMUM):
                self._open()
        elif kind == "permit" and number in self.out:
            del self.out[number]
            if self.state == "half_open":
                self._came(call)
            elif not failed and not slow:
                self._well_after_all(call)
        elif kind == "last" and number == self.openings and self.state == "open" and not (self.held or failed or slow):
            self._well_after_all(call)

    def nothing(self, ticket: tuple[str, int]) -> None:
        if ticket[0] == "permit":
            self.out.pop(ticket[1], None)

    def look(self) -> None:
        """A phase that has lasted too long is decided by what came."""
        if self.state == "half_open" and (self.out or self.codes) and self.now - self.began >= PHASE:
            if self.codes:
                self._close()
            else:
                out = self.out
                self._open()
                self.out = out

    def by_hand(self, who: int, what: str) -> None:
        if what == "force_open":
            self._move("open", held=True)
            self.until, self.out = float("inf"), {}
        else:
            known = self.state == "closed" and self.by == what
            self._close(held=what == "force_closed")
            for each in range(len(self.windows)):
                if each == who or not known:  # said twice, the others hear nothing new
                    self.eras[each] += 1
                    self.windows[each] = []
        self.by = what

    def recent(self, who: int) -> list[Call]:
        if self.timed:  # in slots of a sixtieth, which are a second
            return [call for call in self.windows[who] if int(call[0]) > int(self.now) - MINUTE]
        return self.windows[who][-WINDOW:]

    def _came(self, call: Call) -> None:
        self.codes.append(call)
        if self._broken(self.codes, 1):
            self._open()
        elif len(self.codes) >= PERMITS:
            self._close()

    def _well_after_all(self, call: Call) -> None:
        self.began, self.out, self.codes = self.now, {}, []
        if PERMITS > 1:
            self._move("half_open")
        self._came(call)

    @staticmethod
    def _broken(calls: list[Call], minimum: int) -> bool:
        bad, late = (sum(call[which] for call in calls) for which in (1, 2))
        row = len(list(itertools.takewhile(lambda call: call[1], reversed(calls))))
        return row >= ROW or (len(calls) >= minimum and (bad * 2 >= len(calls) or late * 5 >= 4 * len(calls)))

    def _open(self) -> None:
        self.times += 1
        self.openings += 1
        self._move("open")
        self.opened_at, self.out, self.codes = self.now, {}, []

    def _close(self, held: bool = False) -> None:
        self._move("closed", held=held)
        self.times, self.out, self.codes = 0, {}, []

    def _move(self, state: str, held: bool = False) -> None:
        if self.state == "closed" and state != "closed":
            self.eras = [era + 1 for era in self.eras]
            self.windows = [[] for _ in self.windows]
        if (self.state, self.held) != (state, held):
            self.told.append((self.state, state, held))
        self.state, self.held, self.by = state, held, ""


class BreakerMachine(RuleBasedStateMachine):
    """`breakers` of them, with a window of calls or of time."""

    breakers, timed, shared = 1, False, None
    tickets = Bundle("tickets")

    def __init__(self) -> None:
        super().__init__()
        self.clock, self.heard = ManualClock(), list[Transition]()
        self.model = Model(self.breakers, self.timed)
        name = f"provider-{next(_numbers)}"
        self.all = [
            CircuitBreaker(
                name,
                window=WINDOW,
                window_time=MINUTE if self.timed else None,
                minimum_calls=MINIMUM,
                failure_threshold=ROW,
                half_open_calls=PERMITS,
                half_open_for=PHASE,
                open_for=REST,
                max_open_for=LONGEST,
                slow_call=SLOW,
                ignore=KeyError,
                listener=self.heard.append,
                shared=shared,
                clock=self.clock,
            )
            for shared in self.states()
        ]
        self.opening, self.permits = 0, itertools.count()

    @classmethod
    def states(cls) -> "list[SharedState | None]":
        """Where the breakers share their verdict: each its own view of one database."""
        return [None] * cls.breakers

    @rule(target=tickets, who=st.integers(0, 1))
    def enter(self, who: int) -> tuple[int, Any, tuple[str, int]] | None:
        """A caller asks; the model and the breaker give the same answer."""
        who %= self.breakers
        expected = self.model.enter(who, next(self.permits))
        if expected is not None:
            return who, self.all[who].enter(), expected
        with pytest.raises(CircuitOpenError) as refusal:
            self.all[who].enter()
        assert refusal.value.retry_after > 0
        return None

    @rule(target=tickets, who=st.integers(0, 1))
    def enter_as_last_resort(self, who: int) -> tuple[int, Any, tuple[str, int]] | None:
        """Through an open circuit, unless a person keeps it open. What is out is dropped first, as one may be out."""
        who %= self.breakers
        expected = self.model.enter(who, next(self.permits))
        self.all[who]._last_resorts._out = None
        if expected is None and self.model.held:
            with pytest.raises(CircuitOpenError):
                self.all[who].enter_as_last_resort()
            return None
        opening = self.model.openings if self.model.state == "open" else -1
        return who, self.all[who].enter_as_last_resort(), expected or ("last", opening)

    @rule(ticket=consumes(tickets), failed=st.booleans(), slow=st.sampled_from([False, False, False, True]))
    def come_back(self, ticket: tuple[int, Any, tuple[str, int]] | None, failed: bool, slow: bool) -> None:
        """A call ends, perhaps long after its phase did."""
        if ticket is None:
            return
        who, real, expected = ticket
        (self.all[who].failed if failed else self.all[who].succeeded)(real, SLOW if slow else 0.1)
        self.model.outcome(who, expected, failed, slow)

    @rule(ticket=consumes(tickets), error=st.sampled_from([KeyboardInterrupt(), KeyError("ignored")]))
    def tell_nothing(self, ticket: tuple[int, Any, tuple[str, int]] | None, error: BaseException) -> None:
        """A call is called off, or ends with what is ignored: it gives back what it had."""
        if ticket is not None:
            self.all[ticket[0]].ended_with(ticket[1], error)
            self.model.nothing(ticket[2])

    @rule(who=st.integers(0, 1))
    def die(self, who: int) -> None:
        """A thread asks, and ends without a word: its permit is back when somebody in its process looks."""
        who %= self.breakers
        expected = self.model.enter(who, next(self.permits))
        try:
            ticket = self.all[who].enter()
        except CircuitOpenError:
            ticket = None
        assert (ticket is not None) == (expected is not None)
        del ticket
        gc.collect(0)
        if expected is not None:
            self.model.nothing(expected)
        assert self.all[who].state == self.model.state

    @rule(seconds=st.sampled_from([0.5, 3.0, 5.0, 15.0, 61.0]))
    def time_goes_by(self, seconds: float) -> None:
        """Permits get lost, phases take too long, calls leave the window, rests end."""
        self._advance(seconds)

    @rule(seconds=st.sampled_from([-3600.0, -1.0, 3600.0]))
    def wall_clock_is_set(self, seconds: float) -> None:
        """Which changes nothing."""
        self.clock.set_forward(seconds)

    @rule(
        who=st.integers(0, 1),
        what=st.sampled_from([None, None, None, None, "close", "force_open", "force_closed"]),
    )
    def by_hand(self, who: int, what: str | None) -> None:
        """An operator decides while calls are out."""
        if what is not None:
            who %= self.breakers
            getattr(self.all[who], what)()
            self.model.by_hand(who, what)

    @invariant()
    def they_agree(self) -> None:
        """On the state, on the window, and on what was told: once, whoever decided."""
        self._advance(TICK)
        for who, breaker in enumerate(self.all):
            figures = breaker.figures()
            assert (figures.held, figures.times_opened) == (self.model.held, self.model.times)
            if self.model.state == "closed":
                assert figures.calls == len(self.model.recent(who))
            elif self.model.state == "half_open":
                assert figures.calls == len(self.model.codes)
        assert [(told.before, told.after, told.held) for told in self.heard] == self.model.told
        assert all(breaker.figures().shared_errors == 0 for breaker in self.all)

    def _advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.model.now += seconds
        self.model.look()
        assert [breaker.state for breaker in self.all] == [self.model.state] * self.breakers
        if self.model.openings != self.opening:
            self.opening = self.model.openings
            if self.model.state == "open" and not self.model.held:
                self._note_rest()

    def _note_rest(self) -> None:
        """How long, only the breakers know: their jitter is random, but within bounds, and the same for both."""
        ends = [self.model.now + breaker.retry_after for breaker in self.all]
        longest = min(LONGEST, REST * 2 ** (self.model.times - 1))
        rest = ends[0] - self.model.opened_at
        assert max(ends) - min(ends) < 1e-5
        assert max(REST, 0.8 * longest) - 1e-5 <= rest <= longest + 1e-5
        self.model.until = ends[0]


@contextmanager
def one_database(views: int) -> Iterator[list[SharedState]]:
    """Opened so many times, as so many processes do."""
    folder = Path(tempfile.mkdtemp())
    databases = [SqliteDatabase(folder / "coordination.db", migrations=MIGRATIONS) for _ in range(views)]
    try:
        yield [SharedVerdicts(database) for database in databases]
    finally:
        for database in databases:
            database.close()
        shutil.rmtree(folder)


@pytest.mark.parametrize("window_of_time", [False, True], ids=["window of calls", "window of time"])
def test_a_breaker_alone_agrees_with_the_model(window_of_time: bool) -> None:
    """In any order of calls, outcomes, hands and time."""

    class Alone(BreakerMachine):
        timed = window_of_time

    run_state_machine_as_test(Alone, settings=settings(max_examples=few(100), stateful_step_count=40, deadline=None))


@pytest.mark.parametrize("window_of_time", [False, True], ids=["window of calls", "window of time"])
def test_two_breakers_over_one_database_agree_with_one_model(window_of_time: bool) -> None:
    """They have a window each, and everything else together."""
    with one_database(2) as views:

        class Both(BreakerMachine):
            breakers, timed = 2, window_of_time

            @classmethod
            def states(cls) -> list[SharedState | None]:
                return list(views)

        run_state_machine_as_test(Both, settings=settings(max_examples=few(40), stateful_step_count=40, deadline=None))
