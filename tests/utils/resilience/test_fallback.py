"""The first way that works serves, and the result says so."""

import pytest

from utils.resilience.cancellation import Cancelled
from utils.resilience.fallback import with_fallback


def fails(error: BaseException) -> object:
    """A way that does not work."""
    raise error


def test_the_wanted_way_serves_when_it_works() -> None:
    """Nothing else is asked."""
    asked = list[str]()

    served = with_fallback(lambda: "fresh", lambda: asked.append("stale"))

    assert (served.value, served.index, served.error, asked) == ("fresh", 0, None, [])


def test_the_first_alternative_that_works_serves_with_the_reasons() -> None:
    """Which one it was, and why each before it did not."""
    away, missing = ConnectionError("away"), FileNotFoundError("no last good")

    served = with_fallback(lambda: fails(away), lambda: fails(missing), lambda: "snapshot", lambda: "never")

    assert (served.value, served.index, served.error, served.errors) == ("snapshot", 2, away, (away, missing))


def test_when_all_fail_the_wanted_way_s_error_is_raised_with_notes() -> None:
    """The reader sees what began it, and what else was tried."""
    away = ConnectionError("away")

    with pytest.raises(ConnectionError) as caught:
        with_fallback(lambda: fails(away), lambda: fails(FileNotFoundError("no last good")))

    assert caught.value is away
    assert away.__notes__ == ["fallback 1 failed too: FileNotFoundError: no last good"]


@pytest.mark.parametrize("stop", [Cancelled(), KeyboardInterrupt()], ids=["called off", "Ctrl-C"])
def test_a_cancellation_is_no_reason_to_fall_back(stop: BaseException) -> None:
    """It ends the whole thing at once."""
    asked = list[str]()

    with pytest.raises(type(stop)):
        with_fallback(lambda: fails(stop), lambda: asked.append("stale"))

    assert asked == []
