"""Named checks: each in its own time, a hanging or raising one has failed, a failed parent explains its children."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.health import HealthResult
from monitoring.health_checks import HealthCheck, HealthChecks
from utils.clock import ManualClock

SOON = 0.05
PATIENCE_S = 120.0


def check(name: str, look: Callable[[], Any] = lambda: True, **more: Any) -> HealthCheck:
    return HealthCheck(name, look, **more)


class Hanging:
    """A check that hangs until it is let go; counts how often it was called."""

    def __init__(self) -> None:
        self.calls = 0
        self.let_go = threading.Event()
        self.ended = threading.Event()

    def __call__(self) -> bool:
        self.calls += 1
        self.let_go.wait(PATIENCE_S)
        self.ended.set()
        return True


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    made = Hanging()
    yield made
    made.let_go.set()


async def _open() -> bool:
    return True


async def _shut() -> bool:
    return False


def _raise(error: BaseException) -> Callable[[], Any]:
    def look() -> None:
        raise error

    return look


@pytest.mark.parametrize(
    ("look", "healthy", "detail"),
    [
        (lambda: True, True, ""),
        (lambda: 1, True, ""),
        (lambda: "3 orders wait", True, "3 orders wait"),
        (lambda: (True, "open"), True, "open"),
        (lambda: (False, "shut"), False, "shut"),
        (lambda: HealthResult("other", False, "as told"), False, "as told"),
        (lambda: False, False, ""),
        (lambda: None, False, "the check returned None; it is well when it returns something true"),
        (_open, True, ""),
        (_shut, False, ""),
        (_raise(ValueError("no such shop")), False, "ValueError: no such shop"),
        (_raise(OSError()), False, "OSError"),
        (_raise(SystemExit(3)), False, "SystemExit: 3"),
        (_raise(ValueError("two\nlines\x1b[2J")), False, "ValueError: two lines [2J"),
    ],
    ids=[
        *("true", "a number", "a text", "true and a text", "false and a text", "a result", "false", "none"),
        *("a coroutine", "a false coroutine", "raises", "raises without words", "exits", "raises several lines"),
    ],
)
def test_what_a_check_gives_is_judged(look: Callable[[], Any], healthy: bool, detail: str) -> None:
    """True is well; a text is the detail; what is raised is a failure in one line."""
    found = HealthChecks([check("shop", look)]).run()["shop"]

    assert (found.healthy, found.detail, found.kind) == (healthy, detail, "function")


def test_a_check_that_hangs_has_failed_and_the_rest_goes_on(hanging: Hanging) -> None:
    """It is called once, however often somebody asks; when it is back, it is called again."""
    checks = HealthChecks([check("stuck", hanging, timeout=SOON), check("shop")])

    first, second = checks.run(), checks.run()

    assert (first["stuck"].healthy, first["stuck"].detail) == (False, "no answer within 0.05 s")
    assert not second["stuck"]
    assert first["shop"]
    assert second["shop"]
    assert hanging.calls == 1
    hanging.let_go.set()
    assert hanging.ended.wait(PATIENCE_S)
    while not (found := checks.run()["stuck"]):  # its thread has a last step to go
        assert found.detail.startswith("no answer")
    assert hanging.calls == 2


def test_a_check_that_hangs_does_not_keep_the_program_from_ending(hanging: Hanging) -> None:
    """Its thread is one that the interpreter does not wait for."""
    HealthChecks([check("stuck", hanging, timeout=SOON)]).run()

    (thread,) = [one for one in threading.enumerate() if one.name == "health stuck"]

    assert thread.daemon


def test_all_are_asked_side_by_side() -> None:
    """Twenty checks that wait for one another are all well: each has a thread."""
    together = threading.Barrier(20)
    checks = HealthChecks(
        [check(f"c{n}", lambda: together.wait(PATIENCE_S) >= 0, timeout=PATIENCE_S) for n in range(20)]
    )

    assert checks.run()


def test_the_response_is_measured_and_stamped() -> None:
    """By the injected clock."""
    clock = ManualClock()

    found = HealthChecks([check("shop", lambda: clock.advance(6.5) or True)], clock=clock).run()["shop"]

    assert (found.response_s, found.checked_at) == (6.5, "2026-01-01T00:00:00.000Z")


def test_a_failed_parent_explains_all_below_it() -> None:
    """The uppermost failed one is named; what failed under a healthy parent stands for itself."""
    no = lambda: False  # noqa: E731
    checks = HealthChecks(
        [
            check("basket", no, parent="shop"),
            check("shop", no, parent="host"),
            check("host", no),
            check("mail", parent="host"),
            check("list", no, parent="mail"),
            check("lost", no, parent="nobody"),
        ]
    )

    found = checks.run()

    explained = {name: result.explained_by for name, result in found.items()}
    assert list(found) == ["basket", "shop", "host", "mail", "list", "lost"]
    assert explained == {"basket": "host", "shop": "host", "host": None, "mail": None, "list": None, "lost": None}
    assert [one.name for one in found.failed] == ["host", "list", "lost"]


def test_parents_in_a_circle_end_nothing() -> None:
    """A program may name them so; the question comes to an end, and somebody is to blame."""
    found = HealthChecks([check("a", lambda: 0, parent="b"), check("b", lambda: 0, parent="a")]).run()

    assert [one.name for one in found.failed] == ["a", "b"]


def test_each_is_due_by_its_own_interval() -> None:
    """`due_in` says when; nothing is asked before."""
    clock, asked = ManualClock(), []
    checks = HealthChecks(
        [
            check("quick", lambda: asked.append("quick") or True, every=10.0),
            check("slow", lambda: asked.append("slow") or True, every=25.0),
        ],
        clock=clock,
    )

    told = []
    for _ in range(5):
        told.append((sorted(checks.run_due()), checks.due_in()))
        clock.advance(checks.due_in())

    assert told == [
        (["quick", "slow"], 10.0),
        (["quick"], 10.0),
        (["quick"], 5.0),
        (["slow"], 5.0),
        (["quick"], 10.0),
    ]
    assert HealthChecks().due_in() == float("inf")
    assert HealthChecks().run_due() == {}


def test_the_parent_of_one_that_fails_is_asked_with_it() -> None:
    """Though its own time has not come: else its outage would be told once for each child."""
    clock, well = ManualClock(), [True]
    checks = HealthChecks(
        [
            check("host", lambda: well[0], every=3600.0),
            check("shop", lambda: well[0], every=10.0, parent="host"),
        ],
        clock=clock,
    )
    assert checks.run_due()
    clock.advance(10.0)
    well[0] = False

    found = checks.run_due()

    assert [one.name for one in found.failed] == ["host"]
    assert found["shop"].explained_by == "host"


@pytest.mark.parametrize("wrong", [{"timeout": 0.0}, {"every": -1.0}], ids=["timeout", "interval"])
def test_a_check_without_time_is_refused(wrong: dict[str, float]) -> None:
    """The message names it."""
    with pytest.raises(ValueError, match="shop"):
        HealthChecks([check("shop", **wrong)])


def test_what_a_check_says_is_redacted() -> None:
    """Also what it raises."""
    mask = lambda text: text.replace("hunter2", "***")  # noqa: E731
    checks = HealthChecks([check("shop", _raise(ValueError("login hunter2 refused")))], redacted=mask)

    assert checks.run()["shop"].detail == "ValueError: login *** refused"


@given(
    parents=st.lists(st.none() | st.integers(0, 7), min_size=1, max_size=8),
    ill=st.sets(st.integers(0, 7)),
)
def test_somebody_is_always_told_of_a_failure(parents: list[int | None], ill: set[int]) -> None:
    """Whatever trees there are: what explains has failed itself, is explained by nobody, and stands above."""
    checks = [
        check(str(n), lambda n=n: n not in ill, parent=None if above is None or above >= n else str(above))
        for n, above in enumerate(parents)
    ]
    found = HealthChecks(checks).run()

    for one in found.values():
        assert one.healthy is (int(one.name) not in ill)
        if one.explained_by is not None:
            assert not one
            assert not found[one.explained_by]
            assert found[one.explained_by].explained_by is None
    assert bool(found.failed) is not all(found.values())
