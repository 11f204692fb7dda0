"""The peers' breakers, retries and limiters, set up for the same work as ours where they can be."""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

import aiobreaker
import circuitbreaker
import interlock
import limits
import purgatory
import pybreaker
import pyrate_limiter
import tenacity
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from loops import (
    BARE,
    async_loop,
    bare,
    bare_async,
    call,
    calls_to_open,
    eight_times_five,
    loop,
    of_threads,
    over_bare,
    probes,
    refused,
    serve,
)

REST = 0.3


def of_interlock(rest=60.0, **settings):
    """With a count window of 20, judged from 5 calls on, slow calls and three probes, as ours."""
    return interlock.CircuitBreaker(
        name="bench",
        config=interlock.Config(
            **{
                "window_size": 20,
                "minimum_number_of_calls": 5,
                "slow_call_duration_threshold": 10.0,
                "slow_call_rate_threshold": 0.8,
                "permitted_calls_in_half_open": 3,
                "max_concurrent_probes": 3,
                "wait_duration_in_open": rest,
                **settings,
            }
        ),
    )


def of_circuitbreaker(rest=60.0):
    return circuitbreaker.CircuitBreaker(failure_threshold=5, recovery_timeout=rest)


def of_pybreaker(rest=60.0):
    return pybreaker.CircuitBreaker(fail_max=5, reset_timeout=rest)


def of_aiobreaker(rest=60.0):
    breaker = aiobreaker.CircuitBreaker(fail_max=5, timeout_duration=timedelta(seconds=rest))
    return lambda function: lambda: breaker.call(function)


def of_purgatory(rest=60.0):
    return purgatory.SyncCircuitBreakerFactory(default_threshold=5, default_ttl=rest)("bench")


BREAKERS = {
    "circuitbreaker": of_circuitbreaker,
    "interlock-cb": of_interlock,
    "pybreaker": of_pybreaker,
    "aiobreaker": of_aiobreaker,
    "purgatory": of_purgatory,
}


def breakers(seconds):
    """Added nanoseconds of a call that succeeds, in every form, and of one that is refused."""
    guarded = {name: make()(bare) for name, make in BREAKERS.items()}
    events = asyncio.new_event_loop()
    coroutines = {
        "circuitbreaker": of_circuitbreaker()(bare_async),
        "interlock-cb": of_interlock()(bare_async),
        "aiobreaker": aiobreaker.CircuitBreaker()(bare_async),
    }
    coroutines["purgatory"] = purgatory.AsyncCircuitBreakerFactory()("bench")(bare_async)
    one, other = of_circuitbreaker(), of_interlock()

    def in_block_of_circuitbreaker():
        with one:
            bare()

    def in_block_of_interlock():
        with other:
            bare()

    open_ones = {name: make()(_failing) for name, make in BREAKERS.items()}
    for function in open_ones.values():
        for _ in range(10):
            call(function)
    timed = of_interlock(window_type=interlock.WindowType.TIME_BASED, window_size=60)(bare)
    blocks = {"circuitbreaker": in_block_of_circuitbreaker, "interlock-cb": in_block_of_interlock}
    try:
        return {
            "breaker_success_ns": _added(guarded, seconds),
            "breaker_time_window_ns": _added({"interlock-cb": timed}, seconds),
            "breaker_with_ns": _added(blocks, seconds),
            "breaker_async_ns": over_bare(
                {name: async_loop(f, events) for name, f in {BARE: bare_async, **coroutines}.items()}, seconds
            ),
            "breaker_4_threads_ns": of_threads(guarded, seconds),
            "breaker_refused_ns": _added({name: refused(f) for name, f in open_ones.items()}, seconds),
        }
    finally:
        events.close()


def _failing():
    raise OSError


def _added(functions, seconds):
    return over_bare({name: loop(function) for name, function in {BARE: bare, **functions}.items()}, seconds)


def waiting(_seconds):
    """Whether calls of one breaker wait for one another."""
    return {"calls_8x5_ms": {name: eight_times_five(make()) for name, make in BREAKERS.items()}}


def half_open(_seconds):
    """Of 50 threads in one process."""
    return {"half_open_probes": {name: probes(make(REST), rest=REST) for name, make in BREAKERS.items()}}


def failing(_seconds):
    return {"calls_to_open": {name: calls_to_open(make()) for name, make in BREAKERS.items()}}


def chain(seconds):
    """Tenacity alone, around a call that succeeds."""
    settings = {
        "stop": tenacity.stop_after_attempt(4),
        "wait": tenacity.wait_random_exponential(multiplier=0.2, max=10),
        "retry": tenacity.retry_if_exception_type(OSError),
        "reraise": True,
    }
    retrying = tenacity.Retrying(**settings)
    functions = {"tenacity": tenacity.retry(**settings)(bare), "tenacity Retrying": lambda: retrying(bare)}
    added = _added(functions, seconds)
    return {"chain_success_us": {name: value / 1000 for name, value in added.items()}}


def limiter(seconds):
    """A limiter in memory that grants."""
    fixed = FixedWindowRateLimiter(limits.storage.MemoryStorage())
    moving = MovingWindowRateLimiter(limits.storage.MemoryStorage())
    plenty, window = limits.parse("1000000000/second"), limits.parse("10000000/second")
    bucket = pyrate_limiter.Limiter(
        pyrate_limiter.StateBucket([pyrate_limiter.Rate(10**9, 1000)], pyrate_limiter.TokenBucket())
    )
    gcra = pyrate_limiter.Limiter(pyrate_limiter.StateBucket([pyrate_limiter.Rate(10**6, 1000)], pyrate_limiter.GCRA()))
    functions = {
        "limits": lambda: fixed.hit(plenty, "ecb"),
        "limits moving window": lambda: moving.hit(window, "ecb"),
        "pyrate-limiter": lambda: bucket.try_acquire("ecb", blocking=False),
        "pyrate-limiter GCRA": lambda: gcra.try_acquire("ecb", blocking=False),
    }
    if not all(function() for function in functions.values()):
        raise RuntimeError("a limiter did not grant")
    return {"limiter_grant_ns": _added(functions, seconds)}


if __name__ == "__main__":
    serve(
        {
            "breakers": breakers,
            "waiting": waiting,
            "half-open": half_open,
            "failing": failing,
            "chain": chain,
            "limiter": limiter,
        }
    )
