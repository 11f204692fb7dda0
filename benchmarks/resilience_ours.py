"""Our breaker, limiter and whole chain, and the least loops that could do their work: one contender of `resilience.py`.

Run as a program (`python -m benchmarks.resilience_ours FOLDER`); answers as `benchmarks.loops.serve` says.
"""

import asyncio
import math
import sys
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from benchmarks import resilience_caches, resilience_processes, resilience_redis
from benchmarks.loops import (
    BARE,
    Table,
    Value,
    async_loop,
    bare,
    bare_async,
    calls_to_open,
    eight_times_five,
    loop,
    nanoseconds,
    of_threads,
    over_bare,
    refused,
    serve,
)
from utils.resilience import (
    BulkheadSettings,
    CircuitBreaker,
    ProviderResilience,
    RateLimiter,
    RateLimitSettings,
    ResiliencePolicy,
    RetrySettings,
    deadline,
)

PLENTY = 10**9  # calls a second, and at once: always granted


def breakers(seconds: float) -> Table:
    """Added nanoseconds of a call that succeeds, in every form, and of one that is refused. Slow calls are timed."""
    guarded = CircuitBreaker("count")(bare)
    timed = CircuitBreaker("time", window_time=60.0)(bare)
    other = CircuitBreaker("block")

    def in_block() -> None:
        with other:
            bare()

    resting = CircuitBreaker("open")
    resting.force_open()
    window: deque[int] = deque(maxlen=20)
    events = asyncio.new_event_loop()
    try:
        coroutines = {BARE: bare_async, "ours": CircuitBreaker("async")(bare_async)}
        asynchronous = over_bare({name: async_loop(f, events) for name, f in coroutines.items()}, seconds)
    finally:
        events.close()
    return {
        "bare_call_ns": {"floor": nanoseconds({BARE: loop(bare)}, seconds)[BARE]},
        "breaker_success_ns": {
            **_added(seconds, ours=guarded),
            "floor": nanoseconds({"append": loop(lambda: window.append(0))}, seconds)["append"],
        },
        "breaker_time_window_ns": _added(seconds, ours=timed),
        "breaker_with_ns": _added(seconds, ours=in_block),
        "breaker_async_ns": asynchronous,
        "breaker_4_threads_ns": of_threads({"ours": guarded}, seconds),
        "breaker_refused_ns": _added(seconds, ours=refused(resting(bare))),
    }


def waiting(_seconds: float) -> Table:
    """Whether calls of one breaker wait for one another."""
    return {"calls_8x5_ms": {"ours": eight_times_five(CircuitBreaker("slow")), "floor": eight_times_five(_itself)}}


def failing(_seconds: float) -> Table:
    return {"calls_to_open": {"ours": calls_to_open(CircuitBreaker("failing"))}}


def chain(seconds: float) -> Table:
    """All of a policy around a call that succeeds, under a deadline as the line has it; also with a time-out a try."""
    settings = ProviderResilience(
        rate_limit=RateLimitSettings(rate=PLENTY, burst=PLENTY), bulkhead=BulkheadSettings(concurrency=8)
    )
    policy, retry = ResiliencePolicy("ecb", settings), RetrySettings()
    with deadline(3600.0):
        plain = _added(seconds, ours=lambda: policy.call(bare, retry=retry), floor=_bare_chain())
        timed = _added(seconds, ours=lambda: policy.call(bare, retry=retry, timeout=30.0))
    return {"chain_success_us": _thousandth(plain), "chain_with_timeout_us": _thousandth(timed)}


def _bare_chain() -> Callable[[], int]:
    """Deadline, rate, concurrency and window, each at its least; the retry costs nothing before a failure."""
    acquire, lock, free, end = _bare_gcra(PLENTY, PLENTY), threading.Lock(), 8, monotonic() + 3600.0
    window: deque[int] = deque(maxlen=20)

    def call() -> int:
        nonlocal free
        if monotonic() > end or not acquire():
            raise TimeoutError
        with lock:
            free -= 1
        try:
            result = bare()
        finally:
            with lock:
                free += 1
        window.append(0)
        return result

    return call


def limiter(folder: Path, seconds: float) -> Table:
    """A limiter that grants: by itself, and one whose processes lease their slots from one database."""
    ours = RateLimiter("ecb", rate=PLENTY, burst=PLENTY)
    with TemporaryDirectory(dir=folder) as place:
        shared = RateLimiter("ecb", rate=PLENTY, burst=PLENTY, shared=resilience_processes.rates(place))
        return {
            "limiter_grant_ns": _added(seconds, ours=ours.acquire, floor=_bare_gcra(PLENTY, PLENTY)),
            "limiter_shared_grant_ns": _added(seconds, ours=shared.acquire),
        }


def _bare_gcra(rate: float, burst: int) -> Callable[[], bool]:
    """The arithmetic and a lock; no client, no waiting, no figures."""
    every, lock, arrival = 1 / rate, threading.Lock(), -math.inf

    def acquire() -> bool:
        nonlocal arrival
        now = monotonic()
        with lock:
            earliest = arrival if arrival > now else now  # noqa: FURB136 - max() is a call
            if earliest - now > (burst - 1) * every:
                return False
            arrival = earliest + every
            return True

    return acquire


def _thousandth(values: dict[str, Value]) -> dict[str, Value]:
    return {name: None if value is None else value / 1000 for name, value in values.items()}


def _itself(function: Callable[[], object]) -> Callable[[], object]:
    return function


def _added(seconds: float, **functions: Callable[[], object]) -> dict[str, Value]:
    return over_bare({BARE: loop(bare), **{name: loop(function) for name, function in functions.items()}}, seconds)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    serve(
        {
            "breakers": breakers,
            "waiting": waiting,
            "failing": failing,
            "chain": chain,
            "limiter": lambda seconds: limiter(folder, seconds),
            "half-open": lambda _: resilience_processes.half_open(folder),
            "excess": lambda seconds: resilience_processes.excess(folder, seconds),
            "cold-key": lambda _: resilience_processes.cold_key(folder),
            "small": lambda seconds: resilience_caches.small(folder, seconds),
            "redis": lambda seconds: resilience_redis.small(folder, seconds),
            "frame": lambda seconds: resilience_caches.frame(folder, seconds),
        }
    )
