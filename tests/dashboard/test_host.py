"""How the machine is: now, over time, watched, and what was done."""

import time
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from dashboard.language import Words
from dashboard.shell import process
from dashboard.source import Answer
from dashboard.view_model.host import charts, gauges, host, host_series, processes
from integrated_system import IntegratedSystem
from operations import tokens
from operations.actor import owner
from operations.host import LEVEL_ASKED, MODE_ASKED, host_now
from operations.metric_history import metric_history, metric_names
from operations.trouble import Trouble
from tests.dashboard.configuration import HARM, configured_with
from utils.events import NewEvent

WORDS = Words()


@pytest.fixture
def watched(config: Path, system: IntegratedSystem) -> IntegratedSystem:
    """Somebody has watched it for an hour, and healed it once; the protector is on."""
    configured_with(config, protector={"enabled": True})
    times = (time.time() - 60.0 * n for n in range(60, -1, -1))
    for moment in times:
        for name in ("cpu_percent", "memory_percent"):
            system.history.append(f"host_{name}", [moment], [40.0], {"host": "here"})
    data = {
        "action": "clean_temporary",
        "why": "disk 96 %",
        "before": {"disk": 96},
        "after": {"disk": 71},
        "helped": True,
    }
    system.events.append([NewEvent("healing.finished", HARM, data, source="healing")])
    return system


def _page(app: AppTest) -> AppTest:
    app._page_hash = calc_hash("host")
    return app.run()


def _texts(app: AppTest) -> str:
    assert not app.exception
    return "\n".join(str(text.value) for text in app.text)


def _now(system: IntegratedSystem, **sample: Any) -> Answer:
    found = host_now(system).to_json()
    return Answer({**found, "sample": {**found["sample"], **sample}}, None, None)


@pytest.mark.parametrize(
    ("sample", "sentence", "tone"),
    [
        ({"cpu_percent": 3.0, "memory_percent": 40.0, "disk_percent": 10.0}, "There is room for everything.", "good"),
        ({"cpu_percent": 80.0, "memory_percent": 40.0, "disk_percent": 10.0}, "Much is used: CPU.", "attention"),
        ({"cpu_percent": 80.0, "memory_percent": 96.0, "disk_percent": 99.0}, "Nearly used up: Memory, Disk.", "bad"),
        ({"cpu_percent": None, "memory_percent": None, "disk_percent": None}, "There is room for everything.", "good"),
    ],
    ids=["room", "much", "nearly full", "unknown"],
)
def test_one_sentence_says_how_it_is(
    system: IntegratedSystem, sample: dict[str, Any], sentence: str, tone: str
) -> None:
    """What is short is named."""
    model = host(_now(system, **sample), Answer([], None, None), WORDS, system.clock.now())

    assert (model.sentence, model.tone) == (sentence, tone)


def test_when_nobody_watches_it_is_said_how_to_begin(system: IntegratedSystem) -> None:
    """The figures of now are there all the same."""
    model = host(_now(system), Answer([], None, None), WORDS, system.clock.now())

    assert model.face is not None
    assert (model.face.kind, model.face.hint) == ("no data yet", "“serve” does, or “monitor”.")
    assert {gauge.name for gauge in gauges(_now(system), WORDS)} >= {"CPU", "Memory", "Disk", "Garbage"}


def test_what_was_done_is_told_with_before_and_after(watched: IntegratedSystem) -> None:
    """And whether it helped."""
    events = [one.to_json() for one in watched.events.read(type="healing.*")]

    (row,) = host(_now(watched), Answer(events, None, None), WORDS, watched.clock.now()).done.rows

    assert row.tone == "good"
    assert row.words == "disk 96 % · before disk 96, after disk 71 · it helped"


def test_the_figures_over_time_are_those_of_the_machine(watched: IntegratedSystem) -> None:
    """As far as they are kept."""
    series = host_series(Answer(metric_names(watched), None, None))
    curves = [one.to_json() for one in metric_history(watched, list(series.values()))]

    found = charts(series, Answer(curves, None, None), WORDS)

    assert {chart.metric for chart in found} == {"host_cpu_percent", "host_memory_percent"}
    assert all(chart.line is not None for chart in found)


def test_what_cannot_be_read_has_a_face(system: IntegratedSystem) -> None:
    """And no figure is made up."""
    broken = Answer(None, Trouble("the disk is away", ""), None)

    model = host(broken, broken, WORDS, system.clock.now())

    assert model.face is not None
    assert model.face.kind == "broken"
    assert gauges(broken, WORDS) == ()
    assert processes(broken) == ()


@pytest.mark.parametrize(
    ("key", "chosen", "value", "kind"),
    [("watch-level", "level", "INTENSIVE", LEVEL_ASKED), ("protect-mode", "mode", "prod", MODE_ASKED)],
)
def test_level_and_mode_are_asked_for_by_their_buttons(
    app: AppTest, watched: IntegratedSystem, config: Path, state_dir: Path, key: str, chosen: str, value: str, kind: str
) -> None:
    """Once, however quickly somebody clicks; who did is in the log."""
    _page(app)
    app.selectbox(key=chosen).set_value(value).run()
    for _ in range(2):
        app.button(key=key).click().run()
        if any(button.key == f"{key}-yes" for button in app.button):
            app.button(key=f"{key}-yes").click().run()
    actions = process(str(config), str(state_dir))[1]
    for doing in list(actions._done):
        deed = actions.deed(doing, wait_s=120)
        assert deed is not None
        assert deed.state == "done", deed.trouble

    (asked,) = watched.events.read(type=kind)
    assert asked.data[chosen] == value
    assert str(asked.data["actor"]).startswith("local:")


def test_a_viewer_sees_the_machine_and_changes_nothing(app: AppTest, watched: IntegratedSystem) -> None:
    """Nor do foreign names become HTML."""
    app.session_state["secret"] = tokens.create(watched, owner(), "viewer", "guest").secret

    _page(app)

    assert "It is watched at the level NORMAL." in _texts(app)
    assert not {str(button.key) for button in app.button} & {"watch-level", "protect-mode"}
    formatted = [str(element.value) for element in (*app.markdown, *app.subheader, *app.caption)]
    assert not any("onerror" in text for text in formatted)
