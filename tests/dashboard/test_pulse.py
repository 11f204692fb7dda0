"""When a page is drawn again, and when it must not be."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard import pulse
from dashboard.buttons import CONFIRMING
from dashboard.here import Here


class _DrawnAgain(Exception):
    """In place of Streamlit's own, which ends a script."""


class Drawn(NamedTuple):
    """A drawing of a page: what its fragment was given, and how often Streamlit is to run it."""

    here: Here
    every: float | None


@pytest.fixture
def drawn(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> Drawn:
    kept: list[Drawn] = []

    def fragment(function: Any, *, run_every: float | None) -> Any:
        def first(here: Here, *args: Any) -> None:
            kept.append(Drawn(here, run_every))
            function(here, *args)

        return first

    def rerun() -> None:
        raise _DrawnAgain

    monkeypatch.setattr("dashboard.pulse.st.fragment", fragment)
    monkeypatch.setattr("dashboard.pulse.st.rerun", rerun)
    app.run()
    assert not app.exception
    return kept[-1]


def _is_drawn_again(here: Here, looks: Callable[[], object], busy: bool) -> bool:
    try:
        pulse._pulse(here, looks, busy)
    except _DrawnAgain:
        return True
    return False


def _broken() -> object:
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("looks", "session", "again"),
    [
        (lambda: "as it was", {}, False),
        (lambda: "another", {}, True),
        (lambda: "another", {CONFIRMING: True}, False),
        (lambda: "another", {"drawing": True}, False),
        (_broken, {}, True),
        (lambda: "as it was", {"busy": True}, True),
    ],
    ids=["the same", "another", "a question is open", "it is being drawn", "it cannot be looked at", "a click ended"],
)
def test_a_page_is_drawn_again_when_it_would_look_different_and_nobody_is_asked_something(
    monkeypatch: pytest.MonkeyPatch, drawn: Drawn, looks: Callable[[], object], session: dict[str, bool], again: bool
) -> None:
    """Who types a reason does not lose it."""
    monkeypatch.setattr(st, "session_state", {"drawn": "as it was", "drawing": False, **session})

    assert _is_drawn_again(drawn.here, looks, session.get("busy", False)) == again


def test_a_live_page_looks_every_two_seconds(drawn: Drawn) -> None:
    """Not faster: ten windows are open all day."""
    assert drawn.every == 2.0
