"""The first page as Streamlit draws it."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.screens.overview import BUDGETS, LARGE, SMALL
from dashboard.view_model.news import COOKIE
from integrated_system import IntegratedSystem
from operations.run import run
from tests.dashboard.configuration import ACTOR


def _links(app: AppTest) -> list[str]:
    return [str(link.proto.label) for link in app.get("page_link")]


def _texts(app: AppTest) -> list[str]:
    assert not app.exception
    return [str(text.value) for text in app.text]


OBJECTIVE = {"fresh": 0.9}


def _many(config: Path, count: int, objective: dict[str, float] | None = OBJECTIVE) -> list[str]:
    names = [f"d{n}" for n in range(count)]
    of_all: dict[str, object] = {"collect": {"kind": "simulated"}, "promise": {"max_age": "1h"}}
    if objective is not None:
        of_all["objective"] = objective
    datasets = [{"name": name, **of_all} for name in names]
    config.write_text(json.dumps({"datasets": datasets}))
    return names


@pytest.mark.parametrize("count", [LARGE, LARGE + 1], ids=["few", "many"])
def test_every_dataset_has_one_tile_that_leads_to_its_page(app: AppTest, config: Path, count: int) -> None:
    """Large ones or small ones."""
    names = _many(config, count)

    app.run()

    large = sum(text.startswith("Copy age\n") for text in _texts(app))
    assert sorted(_links(app)) == sorted(["All runs", *names * 3])  # a tile, and two objectives
    assert large == (count if count <= LARGE else 0)


def test_of_many_those_in_trouble_are_large(app: AppTest, config: Path, state_dir: Path) -> None:
    """And stand first; the others are small."""
    names = _many(config, LARGE + 1)
    told = json.loads(config.read_text())
    told["datasets"][7]["collect"]["script"] = [{"after": "0s", "do": "down"}]
    config.write_text(json.dumps(told))
    with IntegratedSystem(config, state_dir=state_dir, environ={}) as system:
        run(system, ACTOR)

    app.run()

    linked = [link for link in _links(app) if link in names]
    assert sum(text.startswith("Copy age\n") for text in _texts(app)) == 1
    assert (linked[0], set(linked)) == (names[7], set(names))


def test_of_very_many_datasets_some_are_drawn_at_a_time(app: AppTest, config: Path) -> None:
    """Each is on one page, and the file to save has them all."""
    names = _many(config, 2 * SMALL + 3, objective=None)
    drawn = []
    for page in ("1", "2", "3", "9"):
        app.query_params["tiles-page"] = page
        app.run()
        drawn.append([link for link in _links(app) if link in names])

    assert [len(one) for one in drawn] == [SMALL, SMALL, 3, 3]
    assert sorted(drawn[0] + drawn[1] + drawn[2]) == sorted(names)
    assert drawn[3] == drawn[2]


def test_objectives_beyond_the_first_are_folded(app: AppTest, config: Path) -> None:
    """A page answers its question without them."""
    _many(config, BUDGETS)

    app.run()

    (folded,) = app.expander
    assert folded.label == f"{BUDGETS} more"  # each has two


def test_the_sentence_is_drawn_before_everything_else(app: AppTest, ran: IntegratedSystem) -> None:
    """It is what people come for."""
    app.run()

    sentence = _texts(app)[0]
    assert sentence.startswith("1 of 3 datasets are as they should be; ")


def test_who_was_away_is_told_what_happened_since(
    app: AppTest, ran: IntegratedSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a cookie of their browser; a first visit has nothing before it."""
    app.run()
    first = [text for text in _texts(app) if text.startswith("Since your last visit")]
    seen = int((ran.clock.now() - timedelta(hours=3)).timestamp() * 1000)
    monkeypatch.setattr("dashboard.visits.cookie", lambda: f"0.{seen}")
    del app.session_state["last-visit"]

    app.run()

    assert first == []
    (told,) = (text for text in _texts(app) if text.startswith("Since your last visit"))
    assert told.endswith(": 1 run (1 failed).") or "nothing else happened" in told


def test_the_script_that_keeps_the_visit_has_nothing_from_elsewhere_in_it(app: AppTest, ran: IntegratedSystem) -> None:
    """It is the only one, and it writes one cookie that goes nowhere else."""
    app.run()

    scripts = [str(element.proto.body) for element in app.get("html") if "<script" in str(element.proto.body)]

    assert len(scripts) == 1
    assert f'"{COOKIE}" + location.port' in scripts[0]
    assert "SameSite=Strict" in scripts[0]
    assert "orders" not in scripts[0]
