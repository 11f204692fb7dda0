"""Several limiters on one shared rate: calls, sleeps, pauses and crashes in any order never exceed it."""

import queue
import threading

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.counts import few
from tests.utils.resilience.rates import MemoryRates, largest_excess
from utils.clock import ManualClock
from utils.resilience.limiter import LOOK_EVERY, RateLimiter

PROCESSES = 3


class Ended(BaseException):
    """The process of a sleeping caller is gone."""


class Caller(threading.Thread):
    """Waits for its turn in a thread of its own, and sleeps until the test wakes it: early, in time or late."""

    def __init__(self, limiter: RateLimiter) -> None:
        super().__init__(daemon=True)
        self.limiter = limiter
        self.asleep = True
        self._news: queue.Queue[bool] = queue.Queue()
        self._wake: queue.Queue[bool] = queue.Queue()

    def run(self) -> None:
        try:
            self.limiter.acquire(wait=True)
        except Ended:
            return
        self._news.put(False)

    def sleep(self) -> None:
        """Called by the limiter, in this thread."""
        self._news.put(True)
        if not self._wake.get(timeout=120):
            raise Ended

    def go_on(self) -> None:
        """Let it run until it sleeps again, or has its turn."""
        if self.ident is None:
            self.start()
        else:
            self._wake.put(True)
        self.asleep = self._news.get(timeout=120)

    def end(self) -> None:
        self._wake.put(False)
        self.join(120)


class StagedClock(ManualClock):
    """Stands still while a `Caller` sleeps on it."""

    def sleep(self, seconds: float) -> None:
        caller = threading.current_thread()
        assert isinstance(caller, Caller)
        caller.sleep()


class Limiters(RuleBasedStateMachine):
    """Every limiter stands for a process: what it holds is lost when it crashes."""

    @initialize(
        rate=st.sampled_from([0.5, 3.0, 10.0, 100.0, 2000.0]),
        burst=st.sampled_from([1, 2, 5, 40]),
        boot=st.floats(0, 1e6),
    )
    def begin(self, rate: float, burst: int, boot: float) -> None:
        self.rate, self.burst = rate, burst
        self.clock = StagedClock()
        self.clock.advance(boot)
        self.shared = MemoryRates(self.clock)
        self.limiters = [self.new() for _ in range(PROCESSES)]
        self.sleeping = list[Caller]()
        self.grants = list[float]()
        self.pauses = list[tuple[RateLimiter, float, float]]()

    def new(self) -> RateLimiter:
        return RateLimiter("ecb", rate=self.rate, burst=self.burst, shared=self.shared, clock=self.clock)

    def granted(self, limiter: RateLimiter) -> None:
        now = self.clock.monotonic()
        self.grants.append(now)
        for by, began, until in self.pauses:
            # The one that was asked to pause does so at once, the others within the time between two looks.
            seen = began if by is limiter else began + LOOK_EVERY
            assert not seen <= now < until - 1e-6

    @rule(which=st.integers(0, PROCESSES - 1), times=st.sampled_from([1, 1, 3, 60]))
    def ask(self, which: int, times: int) -> None:
        for _ in range(times):
            delay = self.limiters[which].delay()
            grant = self.limiters[which].acquire()
            assert bool(grant) == (delay <= 1e-9)
            if not grant:
                assert grant.retry_after > 0.0
                break
            self.granted(self.limiters[which])

    @rule(which=st.integers(0, PROCESSES - 1))
    def wait(self, which: int) -> None:
        self.run_until_it_sleeps(Caller(self.limiters[which]))

    @precondition(lambda self: self.sleeping)
    @rule(data=st.data())
    def wake(self, data: st.DataObject) -> None:
        self.run_until_it_sleeps(self.sleeping.pop(data.draw(st.integers(0, len(self.sleeping) - 1))))

    @rule(intervals=st.floats(0.001, 30.0))
    def advance(self, intervals: float) -> None:
        self.clock.advance(intervals / self.rate)

    @rule(seconds=st.sampled_from([0.001, 0.05, 0.6, 3.0, 30.0]))
    def advance_seconds(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(which=st.integers(0, PROCESSES - 1), seconds=st.sampled_from([0.001, 0.1, 1.0, 5.0]))
    def pause(self, which: int, seconds: float) -> None:
        now = self.clock.monotonic()
        self.limiters[which].pause(seconds)
        self.pauses.append((self.limiters[which], now, now + seconds))

    @rule(which=st.integers(0, PROCESSES - 1))
    def crash(self, which: int) -> None:
        gone, self.limiters[which] = self.limiters[which], self.new()
        for caller in [caller for caller in self.sleeping if caller.limiter is gone]:
            self.sleeping.remove(caller)
            caller.end()

    @rule(seconds=st.sampled_from([-3600.0, 3600.0]))
    def set_the_clock(self, seconds: float) -> None:
        self.clock.set_back(seconds)

    @invariant()
    def no_window_holds_more_than_burst_and_rate(self) -> None:
        assert largest_excess(self.grants, rate=self.rate, burst=self.burst) <= 1e-3

    def run_until_it_sleeps(self, caller: Caller) -> None:
        caller.go_on()
        if caller.asleep:
            self.sleeping.append(caller)
        else:
            caller.join(120)
            self.granted(caller.limiter)

    def teardown(self) -> None:
        for caller in getattr(self, "sleeping", []):
            caller.end()


TestLimiters = Limiters.TestCase
TestLimiters.settings = settings(max_examples=few(60), stateful_step_count=40, deadline=None)
