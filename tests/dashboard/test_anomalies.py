"""What is unlikely: told, looked at closely, and what people say about it."""

import time as wall
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from dashboard.language import Words
from dashboard.shell import process
from dashboard.source import Answer
from dashboard.view_model.anomalies import anomalies, curves, series_names, shown_first
from integrated_system import IntegratedSystem
from operations import tokens
from operations.actor import owner
from operations.detect import backtest, detect
from operations.expected import expected
from operations.feedback import given
from operations.metric_history import metric_history, metric_names
from operations.trouble import Trouble

LOAD, SALES = 'load{shop="berlin"}', 'sales{shop="berlin"}'
WORDS = Words()


@pytest.fixture
def measured(system: IntegratedSystem) -> IntegratedSystem:
    """Two series; one had a spike, and now sticks out."""
    random = np.random.default_rng(1)
    times = wall.time() - np.arange(300)[::-1] * 120.0 - 1
    for name in ("load", "sales"):
        values = random.normal(100.0, 3.0, 300)
        if name == "load":
            values[200] = 180.0
        system.history.append(name, times.tolist(), values.tolist(), {"shop": "berlin"})
    system.record("load", 20.0, tags={"shop": "berlin"})
    return system


def _answer(document: Any) -> Answer:
    return Answer(document, None, None)


def _page(app: AppTest) -> AppTest:
    app._page_hash = calc_hash("anomalies")
    return app.run()


def _texts(app: AppTest) -> str:
    assert not app.exception
    return "\n".join(str(text.value) for text in app.text)


def _click(app: AppTest, start: str, config: Path, state_dir: Path) -> None:
    """Twice quickly, and until it is done."""
    key = next(str(button.key) for button in app.button if str(button.key).startswith(start))
    app.button(key=key).click().run()
    if any(button.key == key for button in app.button):
        app.button(key=key).click().run()
    actions = process(str(config), str(state_dir))[1]
    for doing in list(actions._done):
        deed = actions.deed(doing, wait_s=120)
        assert deed is not None
        assert deed.state == "done", deed.trouble


def test_what_sticks_out_is_said_first_and_why(measured: IntegratedSystem) -> None:
    """In one sentence, then in the words of the detectors."""
    found = detect(measured).to_json()

    model = anomalies(_answer(found), _answer([]), WORDS, measured.clock.now())

    assert model.sentence == f"1 of 2 series sticks out now: {LOAD}."
    assert model.tone == "bad"
    assert "expected" in model.found.rows[0].words
    assert model.together.rows == ()


def test_without_enough_points_nothing_is_judged(system: IntegratedSystem) -> None:
    """And the page says so, instead of "all is well"."""
    model = anomalies(_answer(detect(system).to_json()), _answer([]), WORDS, system.clock.now())

    assert model.sentence == "Nothing can be judged yet."
    assert model.found.face is not None
    assert model.found.face.kind == "no data yet"


def test_what_cannot_be_read_has_a_face(system: IntegratedSystem) -> None:
    """With the reason."""
    broken = Answer(None, Trouble("the disk is away", ""), None)

    model = anomalies(broken, broken, WORDS, system.clock.now())
    (curve,) = curves(["a"], broken, broken, broken, WORDS, system.clock.now())

    assert model.found.face is not None
    assert model.found.face.kind == "broken"
    assert curve.face is not None
    assert curve.face.words == "the disk is away"


def test_series_have_the_names_that_they_are_asked_for_by(measured: IntegratedSystem) -> None:
    """Those that stick out are looked at when nobody chose any."""
    names = series_names(_answer(metric_names(measured)))
    detected = _answer(detect(measured).to_json())

    assert names == (LOAD, SALES)
    assert shown_first(detected, names) == [LOAD]
    assert [curve.series for curve in metric_history(measured, list(names))] == [LOAD, SALES]


def test_a_series_has_its_line_its_band_and_a_mark_for_all_that_would_be_told(measured: IntegratedSystem) -> None:
    """The spike of the past, and what sticks out now."""
    history = [one.to_json() for one in metric_history(measured, [LOAD], points=600)]
    bands = [one.to_json() for one in expected(measured, [LOAD])]
    flagged = backtest(measured, [LOAD], rate=0.5).to_json()

    (curve,) = curves([LOAD], _answer(history), _answer(bands), _answer(flagged), WORDS, measured.clock.now())

    assert curve.line is not None
    assert max(curve.line.high) == 180.0
    assert {mark.value for mark in curve.marks} >= {180.0, 20.0}
    assert len(curve.bands) == 1
    assert "301 values" in curve.words


def test_another_rate_tells_no_less(measured: IntegratedSystem) -> None:
    """That is what the slider shows."""
    few, many = (len(backtest(measured, [LOAD], rate=rate).episodes) for rate in (0.1, 10.0))

    assert 0 < few <= many


def test_it_is_fine_is_heard_once_and_can_be_taken_back(
    app: AppTest, measured: IntegratedSystem, config: Path, state_dir: Path
) -> None:
    """By its button, clicked twice quickly; the state has it."""
    _page(app)
    _click(app, "fine-now", config, state_dir)
    heard = given(measured).to_json()["feedback"]
    _page(app)
    _click(app, "take-back", config, state_dir)

    assert [one["kind"] for one in heard] == ["fine"]
    assert given(measured).to_json()["feedback"] == []


@pytest.mark.parametrize(("start", "kind"), [("fine_since-now", "fine"), ("normal_since-now", "normal_since")])
def test_what_is_said_about_an_anomaly_is_heard(
    app: AppTest, measured: IntegratedSystem, config: Path, state_dir: Path, start: str, kind: str
) -> None:
    """Each button says its own."""
    _page(app)

    _click(app, start, config, state_dir)

    assert {one["kind"] for one in given(measured).to_json()["feedback"]} == {kind}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"kind": "normal_since"}, "load: normal since 08:00 · by ann: new shop"),
        ({"kind": "fine", "until": 0.0}, "load: fine at 08:00 · by ann: new shop"),
        ({"kind": "fine", "until": 3600.0, "reason": ""}, "load: fine from 08:00 to 09:00 · by ann"),
        ({"kind": "excluded", "until": 86400.0}, "load: 08:00 to 21 Nov 08:00 does not count · by ann: new shop"),
    ],
    ids=["normal", "fine", "fine for a while", "left out"],
)
def test_what_was_said_reads_as_a_sentence(said: dict[str, Any], told: str) -> None:
    """Who said what, of when; not the name that a program has for it."""
    since = datetime(2026, 11, 20, 8, tzinfo=UTC).timestamp()
    until = said.get("until")
    one = {"number": 7, "shown": "load", "actor": "ann", "reason": "new shop", "since": since, **said}
    one["until"] = None if until is None else since + until
    nothing = Answer(None, None, None)

    model = anomalies(nothing, Answer([one], None, None), WORDS, datetime(2026, 11, 20, 12, tzinfo=UTC))

    assert model.said.rows == ((7, told),)


def test_a_viewer_may_look_closely_and_says_nothing(app: AppTest, measured: IntegratedSystem) -> None:
    """The slider moves, no button changes anything."""
    app.session_state["secret"] = tokens.create(measured, owner(), "viewer", "guest").secret

    _page(app)
    app.select_slider(key="rate").set_value(10.0).run()

    assert LOAD in _texts(app)
    assert not [button.key for button in app.button if str(button.key).startswith(("fine", "normal", "take"))]


def test_what_somebody_dragged_over_is_the_period(app: AppTest, measured: IntegratedSystem) -> None:
    """It stands in the address, and there is a way back."""
    end = datetime.now(UTC).timestamp()
    app.query_params["from"] = datetime.fromtimestamp(end - 3600, UTC).isoformat()
    app.query_params["to"] = datetime.fromtimestamp(end, UTC).isoformat()

    _page(app)
    closer = _texts(app)
    app.button(key="zoom-out").click().run()

    assert "31 values" in closer
    assert "301 values" in _texts(app)


@pytest.mark.parametrize("query", [{"from": "yesterday", "to": "today"}, {"from": "2026-01-02", "to": "2026-01-01"}])
def test_a_period_that_makes_no_sense_is_the_whole_one(
    app: AppTest, measured: IntegratedSystem, query: dict[str, str]
) -> None:
    """An address that somebody typed breaks nothing."""
    app.query_params.update(query)

    _page(app)

    assert "301 values" in _texts(app)
