"""How calls are timed and counted. Every contender imports it, in its own environment: standard library only.

A time is the least of several turns in which all subjects take part, less the bare call's of the same turns: other
work on the machine only ever adds. The median over several processes is taken by who asks (`resilience.py`).
"""

import asyncio
import json
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from itertools import cycle, repeat

Value = float | None
Table = dict[str, dict[str, Value]]
"""Figure -> contender -> value."""

Loop = Callable[[int], object]
"""Does its work so many times."""

TURNS = 5
BARE = "bare"


def bare() -> int:
    """The call that everybody protects."""
    return 1


async def bare_async() -> int:
    """The same for coroutines."""
    return 1


def loop(function: Callable[[], object]) -> Loop:
    """Call it again and again."""

    def run(times: int) -> None:
        for _ in repeat(None, times):
            function()

    return run


def async_loop(function: Callable[[], Awaitable[object]], events: asyncio.AbstractEventLoop) -> Loop:
    """Await it again and again."""

    async def go(times: int) -> None:
        for _ in repeat(None, times):
            await function()

    return lambda times: events.run_until_complete(go(times))


def threads_loop(function: Callable[[], object], threads: int = 4) -> Loop:
    """A go is a thousand calls, shared out among several threads at the same time."""
    each = loop(function)

    def run(times: int) -> None:
        at_work = [threading.Thread(target=each, args=(times * 1000 // threads,)) for _ in range(threads)]
        for thread in at_work:
            thread.start()
        for thread in at_work:
            thread.join()

    return run


def nanoseconds(
    loops: Mapping[str, Loop], seconds: float, clock: Callable[[], int] = time.perf_counter_ns
) -> dict[str, float]:
    """What one go of each loop takes; a turn of each lasts about `seconds`."""
    times = {name: _enough(run, seconds, clock) for name, run in loops.items()}
    least = dict.fromkeys(loops, float("inf"))
    for _ in range(TURNS):
        for name, run in loops.items():
            began = clock()
            run(times[name])
            least[name] = min(least[name], (clock() - began) / times[name])
    return least


def of_threads(functions: Mapping[str, Callable[[], object]], seconds: float) -> dict[str, Value]:
    """Nanoseconds over the bare call when four threads call; long turns, so that starting them does not count."""
    loops = {name: threads_loop(function) for name, function in {BARE: bare, **functions}.items()}
    added = over_bare(loops, max(4 * seconds, 0.02))
    return {name: None if value is None else value / 1000 for name, value in added.items()}


def over_bare(
    loops: Mapping[str, Loop], seconds: float, clock: Callable[[], int] = time.perf_counter_ns
) -> dict[str, Value]:
    """Nanoseconds that each loop takes longer than the one named `bare`."""
    taken = nanoseconds(loops, seconds, clock)
    floor = taken.pop(BARE)
    return {name: value - floor for name, value in taken.items()}


def _enough(run: Loop, seconds: float, clock: Callable[[], int]) -> int:
    """How many goes last `seconds`; running it warms up as well."""
    times = 4
    while True:
        both = []
        for _ in range(2):  # the system may hold one of the two up
            began = clock()
            run(times)
            both.append((clock() - began) / 1e9)
        taken = min(both)
        if taken >= seconds / 4:
            return max(4, int(times * seconds / taken))
        times *= 4


def refused(function: Callable[[], object]) -> Callable[[], None]:
    """A caller who lives with a refusal."""

    def call() -> None:
        try:
            function()
        except Exception:  # noqa: BLE001 - each library has its own, and suppress() would cost as much as the refusal
            return
        raise RuntimeError("a call was to be refused and was not")

    return call


def at_once(function: Callable[[], object], threads: int) -> float:
    """Seconds until all of so many threads, set off together, are done; what they raise does not matter."""
    ready = threading.Barrier(threads + 1)

    def work() -> None:
        ready.wait()
        call(function)

    at_work = [threading.Thread(target=work) for _ in range(threads)]
    for thread in at_work:
        thread.start()
    ready.wait()
    began = time.perf_counter()
    for thread in at_work:
        thread.join()
    return time.perf_counter() - began


def eight_times_five(guard: Callable[[Callable[[], object]], Callable[[], object]]) -> float:
    """Milliseconds that 8 threads take for 5 calls of 20 ms each; 100 when nobody waits for another."""
    guarded = guard(lambda: time.sleep(0.02))

    def five() -> None:
        for _ in range(5):
            guarded()

    return at_once(five, 8) * 1000


class Provider:
    """Counts the calls that reach it. Each answer takes `seconds`, then fails or not as `fails` tells in turn."""

    def __init__(self, fails: str = "F", seconds: float = 0.0) -> None:
        self._fails = cycle(letter == "F" for letter in fails)
        self._lock = threading.Lock()
        self.seconds = seconds
        self.calls = 0

    def answer(self) -> None:
        with self._lock:
            self.calls += 1
            fails = next(self._fails)
        if self.seconds:
            time.sleep(self.seconds)
        if fails:
            raise OSError("the provider failed")


def call(guarded: Callable[[], object]) -> None:
    """Call it; a failure or refusal is all right."""
    with suppress(Exception):
        guarded()


def calls_to_open(guard: Callable[[Callable[[], object]], Callable[[], object]], most: int = 200) -> Value:
    """How many calls a provider that fails 60 % of the time (F S F F S) gets before its circuit opens; None: never."""
    provider = Provider("FSFFS")
    guarded = guard(provider.answer)
    for number in range(most):
        call(guarded)
        if provider.calls == number:
            return number
    return None


def probes(guard: Callable[[Callable[[], object]], Callable[[], object]], *, rest: float, callers: int = 50) -> float:
    """How many of `callers` threads reach a provider that hangs, `rest` seconds after its circuit opened."""
    provider = Provider()
    guarded = guard(provider.answer)
    for _ in range(10):
        call(guarded)
    if provider.calls == 10:
        raise RuntimeError("ten failures in a row did not open the circuit")
    time.sleep(rest * 1.2)
    before, provider.seconds = provider.calls, 0.3
    at_once(guarded, callers)
    return provider.calls - before


def serve(groups: Mapping[str, Callable[[float], Table]]) -> None:
    """Answer `GROUP SECONDS` on standard input with that group's table as a line of JSON, until the input ends."""
    for line in sys.stdin:
        name, seconds = line.split()
        if name not in groups:
            sys.exit(f"no such group: {name}")
        print(json.dumps(groups[name](float(seconds))), flush=True)
