"""How the providers hold: circuits with their time line, what people decide about them, the cache."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from dashboard.charts.circuits import circuits_figure
from dashboard.language import Words
from dashboard.shell import process
from dashboard.source import Answer
from dashboard.view_model.resilience import Resilience, Stretch, resilience, stretches
from dashboard.words import key_of
from integrated_system import IntegratedSystem
from operations import tokens
from operations.actor import owner
from operations.breakers import breaker_of, force_open
from operations.cache import figures
from operations.providers import providers
from operations.trouble import Trouble
from tests.dashboard.configuration import ACTOR, HARM

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = (NOW - timedelta(days=1), NOW)
WORDS = Words()
ORDERS = key_of("orders")


@pytest.fixture
def page(app: AppTest, ran: IntegratedSystem) -> AppTest:
    app._page_hash = calc_hash("resilience")
    return app.run()


@pytest.fixture
def done(config: Path, state_dir: Path) -> Callable[[], None]:
    """Waits until what was clicked is done; and was not refused."""

    def done() -> None:
        actions = process(str(config), str(state_dir))[1]
        for key in list(actions._done):
            deed = actions.deed(key, wait_s=120)
            assert deed is not None
            assert deed.state == "done", deed.trouble

    return done


def _model(system: IntegratedSystem, events: list[Any] | None = None) -> Resilience:
    found = [one.to_json() for one in providers(system)]
    answers = (
        Answer(found, None, None),
        Answer(events or [], None, None),
        Answer(figures(system).to_json(), None, None),
    )
    return resilience(*answers, DAY, WORDS)


def _moved(kind: str, hours_ago: float, before: str, reason: str = "") -> dict[str, Any]:
    time = (NOW - timedelta(hours=hours_ago)).isoformat()
    return {"type": f"breaker.{kind}", "subject": "ecb", "time": time, "data": {"before": before, "reason": reason}}


def _ecb(state: str) -> dict[str, Any]:
    return {"provider": "ecb", "breaker": {"state": state}}


def _shown(found: tuple[Stretch, ...]) -> list[tuple[str, float]]:
    return [(one.state, (one.end - one.begin) / 3_600_000) for one in found]


def _texts(app: AppTest) -> str:
    assert not app.exception
    return "\n".join(str(text.value) for text in app.text)


def test_closed_circuits_are_said_in_one_sentence(ran: IntegratedSystem) -> None:
    """With what protects each provider, and how often it was asked again."""
    model = _model(ran)

    assert model.sentence == "All 3 circuits are closed: every provider is asked."
    assert model.tone == "good"
    by_name = {circuit.provider: circuit for circuit in model.circuits.rows}
    assert by_name["orders"].retries == "no retry in the last run"
    assert by_name["nothing"].retries == "1 of 2 requests of the last run were retries"
    assert by_name["orders"].rule.startswith("opens when 50% of 20 calls fail, 5 calls at least")


def test_an_open_circuit_comes_first_with_its_reason(ran: IntegratedSystem) -> None:
    """Whoever looks sees what is wrong."""
    force_open(ran, ACTOR, "partner", reason="they move house")

    model = _model(ran)

    assert model.sentence == "1 of 3 circuits is open: partner."
    assert (model.circuits.rows[0].provider, model.circuits.rows[0].state) == ("partner", "held open")
    assert "they move house" in model.circuits.rows[0].why


@pytest.mark.parametrize(
    ("events", "now", "expected"),
    [
        ([], "closed", [("closed", 24)]),
        ([], "open", [("open", 24)]),
        ([_moved("opened", 6, "closed")], "open", [("closed", 18), ("open", 6)]),
        (
            [_moved("closed", 1, "half_open"), _moved("half_opened", 2, "open"), _moved("opened", 6, "closed")],
            "closed",
            [("closed", 18), ("open", 4), ("half_open", 1), ("closed", 1)],
        ),
        ([_moved("closed", 5, "open")], "closed", [("open", 19), ("closed", 5)]),
        ([_moved("opened", -1, "closed")], "open", [("closed", 24)]),
        ([_moved("opened", 30, "closed")], "open", [("open", 24)]),
    ],
    ids=["never moved", "open all the time", "opened", "opened, tried, closed", "was open before", "later", "earlier"],
)
def test_the_strip_of_a_circuit_is_what_the_log_says(
    events: list[Any], now: str, expected: list[tuple[str, float]]
) -> None:
    """Without a gap, from the beginning of the period to its end."""
    assert _shown(stretches([_ecb(now)], events, DAY, WORDS)) == expected


def test_reasons_are_text_in_the_chart() -> None:
    """Plotly understands some HTML."""
    found = stretches([_ecb("open")], [_moved("opened", 6, "closed", HARM)], DAY, WORDS)

    figure = circuits_figure(
        found, {"closed": "closed", "half_open": "half open", "open": HARM}, period=(0.0, 1.0), revision="a"
    )

    assert "<img" not in figure.to_json()
    assert "onerror" in figure.to_json()


def test_parts_that_cannot_be_read_have_a_face() -> None:
    """And the page is there."""
    broken = Answer(None, Trouble("the disk is away", ""), None)

    model = resilience(broken, broken, broken, DAY, WORDS)

    assert model.circuits.face is not None
    assert model.circuits.face.kind == "broken"
    assert model.cache.face is not None


def test_a_circuit_is_opened_and_reset_by_its_buttons(page: AppTest, ran: IntegratedSystem, done: Any) -> None:
    """After a question and with a reason; for all processes."""
    page.button(key=f"open-{ORDERS}").click().run()
    page.text_input(key=f"open-{ORDERS}-reason").set_value("moving")
    page.button(key=f"open-{ORDERS}-yes").click().run()
    done()
    opened = breaker_of(ran, "orders")
    page.run()
    page.button(key=f"reset-{ORDERS}").click().run()
    done()

    assert (opened.state, opened.held, opened.reason) == ("open", True, "moving")
    assert breaker_of(ran, "orders").state == "closed"


@pytest.mark.parametrize(("key", "held"), [(f"close-{ORDERS}", False), ("reset-all", False)])
def test_an_open_circuit_is_closed_by_its_button(
    page: AppTest, ran: IntegratedSystem, done: Any, key: str, held: bool
) -> None:
    """One, or all of them."""
    force_open(ran, ACTOR, "orders")
    process(*_place(page))[0].forget()
    page.run()

    page.button(key=key).click().run()
    page.button(key=f"{key}-yes").click().run()
    done()

    assert (breaker_of(ran, "orders").state, breaker_of(ran, "orders").held) == ("closed", held)


def test_a_circuit_is_held_closed_by_its_button(page: AppTest, ran: IntegratedSystem, done: Any) -> None:
    """Until somebody resets it."""
    page.button(key=f"hold-{ORDERS}").click().run()
    page.button(key=f"hold-{ORDERS}-yes").click().run()
    done()

    assert breaker_of(ran, "orders").held


def test_the_cache_is_emptied_by_its_button(page: AppTest, ran: IntegratedSystem, done: Any) -> None:
    """Once it was confirmed; what went is told."""
    page.button(key="clear-cache").click().run()
    page.button(key="clear-cache-yes").click().run()
    done()

    assert "The cache is empty: 1 result went." in _texts(page.run())
    assert figures(ran).entries == 0


def test_a_viewer_decides_nothing(app: AppTest, ran: IntegratedSystem) -> None:
    """All is seen, no button is there."""
    app.session_state["secret"] = tokens.create(ran, owner(), "viewer", "guest").secret
    app._page_hash = calc_hash("resilience")

    app.run()

    assert "All 3 circuits are closed" in _texts(app)
    assert not [button.key for button in app.button if ORDERS in str(button.key) or button.key == "clear-cache"]


def _place(_: AppTest) -> tuple[str, str]:
    import os

    return os.environ["ORCHESTRATOR_CONFIG"], os.environ["ORCHESTRATOR_APP__STATE_DIR"]
