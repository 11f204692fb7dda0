"""Whatever a setting is given by mistake: it is refused where it is given, and the error names it."""

import asyncio
import math
from collections.abc import Callable
from typing import Any

import pytest

from utils.resilience.breaker import CircuitBreaker
from utils.resilience.bulkhead import Bulkhead
from utils.resilience.deadline import deadline
from utils.resilience.limiter import RateLimiter
from utils.resilience.quota import Quota
from utils.resilience.retry import Retry
from utils.resilience.retry_budget import RetryBudget

NO_NUMBERS: dict[str, Any] = {
    "text": "3",
    "bytes": b"3",
    "true": True,
    "a list": [3],
    "NaN": math.nan,
    "minus infinity": -math.inf,
    "below zero": -1,
    "beyond any machine": 10**400,
}

MAKERS: dict[str, tuple[Callable[..., object], tuple[str, ...], tuple[str, ...]]] = {
    "breaker": (
        lambda **given: CircuitBreaker("ecb", **given),
        ("failure_rate", "window_time", "slow_call", "slow_rate", "open_for", "max_open_for", "half_open_for"),
        ("window", "minimum_calls", "failure_threshold", "half_open_calls"),
    ),
    "limiter": (lambda **given: RateLimiter("ecb", **{"rate": 5, **given}), ("rate", "per"), ("burst",)),
    "bulkhead": (lambda **given: Bulkhead("ecb", **given), (), ("concurrency",)),
    "quota": (lambda **given: Quota("ecb", **{"limit": 5, "per": 60.0, **given}), ("per",), ("limit",)),
    "retry": (lambda **given: Retry("ecb", **given), ("initial", "max", "multiplier"), ("attempts",)),
    "retry budget": (RetryBudget, ("share", "free_per_minute"), ()),
}
SETTINGS = [(make, key) for make, numbers, whole in MAKERS.values() for key in (*numbers, *whole)]
WHOLE = [(make, key) for make, _, whole in MAKERS.values() for key in whole]


@pytest.mark.parametrize("wrong", NO_NUMBERS.values(), ids=NO_NUMBERS)
@pytest.mark.parametrize(("make", "key"), SETTINGS, ids=[key for _, key in SETTINGS])
def test_a_wrong_setting_is_refused_by_its_name(make: Callable[..., object], key: str, wrong: object) -> None:
    """Never an error of Python's own, which names neither the owner nor the key."""
    with pytest.raises(ValueError, match=rf"^(\w+ ecb|retry budget): {key} must be .*, got ") as refused:
        make(**{key: wrong})

    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("wrong", [1.5, math.inf], ids=["a fraction", "infinity"])
@pytest.mark.parametrize(("make", "key"), WHOLE, ids=[key for _, key in WHOLE])
def test_what_is_counted_has_to_be_whole(make: Callable[..., object], key: str, wrong: float) -> None:
    """One and a half calls are none."""
    with pytest.raises(ValueError, match=rf"{key} must be a whole number, .*, got {wrong}"):
        make(**{key: wrong})


@pytest.mark.parametrize("taken", [0, 1], ids=["a slot is free", "every slot is taken"])
@pytest.mark.parametrize("wrong", ["x", [3], True, math.nan], ids=["text", "a list", "true", "NaN"])
def test_a_wrong_timeout_of_a_bulkhead_is_refused(wrong: Any, taken: int) -> None:
    """Also while nobody has to wait: else it is found on the day when it matters. Nothing is kept of it."""
    bulkhead = Bulkhead("ecb", concurrency=1)
    places = [bulkhead.take() for _ in range(taken)]

    with pytest.raises(ValueError, match=r"^bulkhead ecb: timeout must be .*in seconds, or None, got "):
        bulkhead.acquire(timeout=wrong)
    with pytest.raises(ValueError, match=r"^bulkhead ecb: timeout must be "):
        asyncio.run(bulkhead.take_async(timeout=wrong))

    for place in places:
        bulkhead.give_back(place)
    assert bulkhead.acquire(timeout=0).release() is None
    assert bulkhead.figures().waiting == 0


@pytest.mark.parametrize("wrong", ["x", 0.2, [3]], ids=["text", "a number", "a list"])
@pytest.mark.parametrize("key", ["jitter", "budget", "tally", "rng"])
def test_a_wrong_part_of_a_retry_is_refused(key: str, wrong: Any) -> None:
    """A share instead of a budget is not found out by the first failure of a provider."""
    with pytest.raises(ValueError, match=rf"^retry ecb: {key} must be .*, got "):
        Retry("ecb", **{key: wrong})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"open_for": 0.0}, "open_for must be above 0 and finite"),
        ({"open_for": 60.0, "max_open_for": 30.0}, "max_open_for must be at least `open_for` and finite"),
        ({"half_open_for": 0.0}, "half_open_for must be above 0 and finite, or None"),
    ],
    ids=["no rest", "a longest rest below the first", "no time for trials"],
)
def test_what_a_rest_must_be_is_said(given: dict[str, float], words: str) -> None:
    """In words that name the bound."""
    with pytest.raises(ValueError, match=rf"^breaker ecb: {words}, got "):
        CircuitBreaker("ecb", **given)  # type: ignore[arg-type]  # settings of many types


@pytest.mark.parametrize("wrong", ["3", b"3", [3], math.nan, 10**400], ids=["text", "bytes", "a list", "NaN", "huge"])
def test_a_deadline_of_no_time_is_refused(wrong: Any) -> None:
    """Before the block begins."""
    with pytest.raises(ValueError, match=r"^deadline: the time must be a number of seconds, got "):
        deadline(wrong)
