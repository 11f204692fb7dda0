"""Any order of calls, outcomes and time: the breaker agrees with a model that keeps everything in plain lists."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from utils.clock import ManualClock
from utils.resilience.breaker import CircuitBreaker
from utils.resilience.circuit import Ticket
from utils.resilience.errors import CircuitOpenError

WINDOW, MINIMUM, ROW, PERMITS, REST, LONGEST, SLOW = 6, 3, 4, 2, 10.0, 60.0, 2.0


class Model:
    """What the docstring of `CircuitBreaker` promises, written as slowly as possible."""

    def __init__(self) -> None:
        self.state, self.phase, self.row = "closed", 0, 0
        self.calls: list[tuple[bool, bool]] = []  # (failed, slow)
        self.out = 0

    def enter(self, rested: bool) -> bool:
        if self.state == "open" and rested:
            self._to("half_open")
        if self.state == "half_open" and self.out + len(self.calls) < PERMITS:
            self.out += 1
            return True
        return self.state == "closed"

    def outcome(self, phase: int, failed: bool, slow: bool) -> None:
        if phase != self.phase or self.state == "open":
            return
        self.out -= 1
        self.calls.append((failed, slow))
        self.row = self.row + 1 if failed else 0
        minimum = MINIMUM if self.state == "closed" else 1
        recent = self.calls[-WINDOW:] if self.state == "closed" else self.calls
        bad, late = (sum(call[which] for call in recent) for which in (0, 1))
        if self.row >= ROW or (len(recent) >= minimum and (bad * 2 >= len(recent) or late * 5 >= 4 * len(recent))):
            self._to("open")
        elif self.state == "half_open" and len(self.calls) == PERMITS:
            self._to("closed")

    def ignored(self, phase: int) -> None:
        self.out -= phase == self.phase

    def close(self) -> None:
        self._to("closed")

    def _to(self, state: str) -> None:
        self.state, self.calls, self.row, self.out = state, [], 0, 0
        self.phase += 1


class BreakerMachine(RuleBasedStateMachine):
    tickets = Bundle("tickets")

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.breaker = CircuitBreaker(
            "ecb",
            window=WINDOW,
            minimum_calls=MINIMUM,
            failure_threshold=ROW,
            half_open_calls=PERMITS,
            open_for=REST,
            max_open_for=LONGEST,
            slow_call=SLOW,
            clock=self.clock,
        )
        self.model = Model()
        self.opened_at = self.rest = 0.0

    @rule(target=tickets)
    def enter(self) -> tuple[Ticket, int] | None:
        """A caller asks; the model and the breaker give the same answer."""
        rested = self.clock.monotonic() >= self.opened_at + self.rest
        expected = self.model.enter(rested)
        if expected:
            return self.breaker.enter(), self.model.phase
        with pytest.raises(CircuitOpenError) as refusal:
            self.breaker.enter()
        assert refusal.value.retry_after > 0
        return None

    @rule(ticket=consumes(tickets), failed=st.booleans(), slow=st.sampled_from([False, False, False, True]))
    def come_back(self, ticket: tuple[Ticket, int] | None, failed: bool, slow: bool) -> None:
        """A call ends, perhaps long after its phase did."""
        if ticket is None:
            return
        self.model.outcome(ticket[1], failed, slow)
        (self.breaker.failed if failed else self.breaker.succeeded)(ticket[0], SLOW if slow else 0.1)
        self._note_opening()

    @rule(ticket=consumes(tickets))
    def be_cancelled(self, ticket: tuple[Ticket, int] | None) -> None:
        """A call is called off: it says nothing, and gives back what it had."""
        if ticket is not None:
            self.model.ignored(ticket[1])
            self.breaker.ended_with(ticket[0], KeyboardInterrupt())

    @rule(seconds=st.sampled_from([0.5, 5.0, 15.0]))
    def time_goes_by(self, seconds: float) -> None:
        """But not so much that a permit that is out counts as lost."""
        if self.model.state != "half_open":
            self.clock.advance(seconds)

    @rule(closes=st.sampled_from([False, False, True]))
    def close_by_hand(self, closes: bool) -> None:
        """An operator closes it while calls are out."""
        if closes:
            self.breaker.close()
            self.model.close()

    @invariant()
    def they_agree(self) -> None:
        """On the state, at any time."""
        assert self.breaker.state == self.model.state

    def _note_opening(self) -> None:
        if self.breaker.state == "open" and self.breaker.figures().opened != getattr(self, "_seen", 0):
            self._seen = self.breaker.figures().opened
            self.opened_at, self.rest = self.clock.monotonic(), self.breaker.retry_after
            assert REST <= self.rest <= LONGEST


TestBreakerMachine = BreakerMachine.TestCase
TestBreakerMachine.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
