"""What the counts count, with breakers whose behaviour is known."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from benchmarks import loops
from benchmarks.measure import ROOT

Guarded = Callable[[], object]
Guard = Callable[[Guarded], Guarded]


class Refused(Exception):
    pass


def none(function: Guarded) -> Guarded:
    return function


def opens_after(failures: int, refusals: float = float("inf"), permits: float = float("inf")) -> Guard:
    """A breaker that opens after so many failures, refuses so many calls, then lets `permits` through."""
    lock = threading.Lock()
    failed = refused = admitted = 0

    def guard(function: Guarded) -> Guarded:
        def guarded() -> object:
            nonlocal failed, refused, admitted
            with lock:
                if failed >= failures and refused < refusals:
                    refused += 1
                    raise Refused
                admitted += failed >= failures
                if admitted > permits:
                    raise Refused
            try:
                return function()
            except OSError:
                with lock:
                    failed += 1
                raise

        return guarded

    return guard


@pytest.mark.parametrize(
    ("guard", "calls"),
    [
        pytest.param(opens_after(3), 4, id="three failures are in the first four calls"),
        pytest.param(opens_after(1), 1, id="the first call fails"),
        pytest.param(none, None, id="no breaker never opens"),
    ],
)
def test_the_calls_that_a_failing_provider_gets_are_counted(guard: Guard, calls: int | None) -> None:
    """F S F F S: until the first call that does not reach the provider."""
    assert loops.calls_to_open(guard) == calls


@pytest.mark.parametrize(
    ("permits", "reached"),
    [pytest.param(3, 3, id="three permits"), pytest.param(float("inf"), 12, id="everybody at once")],
)
def test_the_probes_that_reach_a_hanging_provider_are_counted(permits: float, reached: int) -> None:
    """Of twelve callers, once the rest is over."""
    assert loops.probes(opens_after(6, 4, permits), rest=0.0, callers=12) == reached


def test_probes_of_a_breaker_that_stays_closed_mean_nothing() -> None:
    """That is said instead of counted."""
    with pytest.raises(RuntimeError, match="did not open"):
        loops.probes(none, rest=0.0)


def test_a_call_that_was_to_be_refused_must_be() -> None:
    """Otherwise the time of a success would be told as that of a refusal."""
    with pytest.raises(RuntimeError, match="was not"):
        loops.refused(loops.bare)()


def test_the_bare_call_is_taken_off_and_the_quickest_turn_counts() -> None:
    """By a clock on which a go takes 100 ns, one with more work 250, and every third turn is held up."""
    now, turns = 0, 0

    def costs(nanoseconds: int) -> loops.Loop:
        def run(times: int) -> None:
            nonlocal now, turns
            turns += 1
            now += times * nanoseconds + (5_000_000 if turns % 3 == 0 else 0)

        return run

    added = loops.over_bare({"bare": costs(100), "more": costs(250)}, 0.001, clock=lambda: now)

    assert added == {"more": pytest.approx(150.0)}


def test_a_contender_answers_group_by_group() -> None:
    """Two lines in, two tables out, in order; our own process, as the benchmark starts it."""
    answered = subprocess.run(
        (sys.executable, "-m", "benchmarks.resilience_ours", "."),
        input="failing 0.001\nfailing 0.001\n",
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        timeout=120,
    )

    assert [json.loads(line) for line in answered.stdout.splitlines()] == 2 * [{"calls_to_open": {"ours": 5}}]
