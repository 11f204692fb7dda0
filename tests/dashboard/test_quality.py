"""How good the data is: rules, scores by day, and what is done about rows in quarantine."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from api.client import Client
from dashboard.charts.heatmap import heatmap
from dashboard.language import Words
from dashboard.panels import as_csv
from dashboard.source import Answer
from dashboard.view_model.quality import ON_A_HEAT, Dataset, Heat, Quality, floor, heat, mapped, quality, rule_table
from dashboard.view_model.quarantine import dropped, quarantine, replayed, rows
from integrated_system import IntegratedSystem
from operations import tokens
from operations.actor import owner
from operations.quarantine import listed
from operations.trouble import Trouble
from tests.dashboard.configuration import HARM
from tests.dashboard.trouble import answer, click, done, keys, marked_up, page, texts
from utils.history.series import labels_of

WORDS = Words()
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
BUTTONS = ("replay-", "drop-")

pytestmark = pytest.mark.usefixtures("trouble")


# --- what is told ---------------------------------------------------------------------------------


def test_broken_rules_are_counted_by_severity_and_the_worst_come_first(client: Client) -> None:
    """Each with what to do; a choice shows those of one severity."""
    asked = answer(client, "qualities")
    found = quality(asked, WORDS, NOW)
    warnings = quality(asked, WORDS, NOW, "warning")

    assert found.sentence == "3 of 3 datasets broke a rule: texts, held, orders. 125 rows wait in quarantine."
    assert dict(found.filters) == {
        "all": "All (4)",
        "critical": "Critical (1)",
        "error": "Errors (2)",
        "warning": "Warnings (1)",
    }
    assert (found.rules[0].dataset, found.rules[0].severity) == ("held", "critical")
    assert all(rule.advice for rule in found.rules)
    assert [(rule.rule, rule.share) for rule in warnings.rules] == [("nearly", "140 of 2,000 (7 %)")]
    assert {one.dataset for one in found.datasets} == {"orders", "held", "broken", "harmful", "texts"}
    table = rule_table(client.queries.qualities(passed=True)["rules"])
    assert {row["passed"] for row in table} == {True, False}


def test_days_without_a_score_are_left_empty(client: Client, system: IntegratedSystem) -> None:
    """The least of a day counts; the order is as it was asked for, and what has no score is not there."""
    now = system.clock.now()
    for days, score in ((3, 61.0), (3, 90.0), (1, 100.0)):
        system.history.append("quality", [(now - timedelta(days=days)).timestamp()], [score], labels_of("harmful"))

    since = (now - timedelta(days=4)).isoformat()
    names = ["orders", "harmful", "held", "texts", "broken"]
    found = heat(answer(client, "quality_days", *names, since=since), WORDS)

    assert found.datasets == ("orders", "harmful", "held", "texts")
    mine = found.scores[1]
    assert [score for score in mine if score is not None] == [61.0, 100.0]
    assert mine[-1] is None
    said = found.words[1][mine.index(61.0)]
    assert said == "2 batches: least 61, mean 75.5, last 90 points"


def test_many_datasets_make_several_maps() -> None:
    """The worst first, those that never came on none; a page that there is not is the last one."""
    many = tuple(Dataset(f"d{n:03}", float(n), (), 1, 1, 0, 0, "08:00") for n in range(60))
    found = Quality("", None, (), (), 0, (*many, Dataset("never", None, (), 0, 0, 0, 0, "")))

    pages = [mapped(found, number) for number in (1, 3, 9)]

    assert [len(names) for names, _ in pages] == [ON_A_HEAT, 10, 10]
    assert pages[0] == (tuple(one.dataset for one in many[:ON_A_HEAT]), 3)
    assert pages[1] == pages[2]


def test_the_map_writes_its_values_and_takes_no_markup() -> None:
    """Colour alone tells nothing to some; foreign names stay text."""
    shown = Heat(None, (HARM,), ("19 Nov 2026", "20 Nov 2026"), ((None, 61.4),), (("", f"1 batch {HARM}"),), 1, "UTC")

    drawn = json.loads(heatmap(shown, revision="heat").to_json())

    (trace,) = drawn["data"]
    assert trace["text"] == [["", "61"]]
    assert trace["texttemplate"] == "%{text}"
    assert drawn["layout"]["uirevision"] == "heat"
    assert "<script>" not in json.dumps(drawn)
    assert drawn["layout"]["xaxis"]["ticktext"] == ["19 Nov", "20 Nov"]


@pytest.mark.parametrize(
    ("since", "begin"),
    [(NOW - timedelta(hours=1), "2026-11-20T11:00:00+00:00"), (None, "2025-11-25T12:00:00+00:00")],
    ids=["an hour", "everything"],
)
def test_a_period_begins_at_the_same_time_for_some_time(since: datetime | None, begin: str) -> None:
    """So that many who look share one answer."""
    later = timedelta(minutes=4)

    assert floor(since, NOW) == begin
    assert floor(None if since is None else since + later, NOW + later) == begin


def test_quarantined_rows_are_counted_by_rule_and_read_page_by_page(client: Client) -> None:
    """The dataset with most of them first; each row with the rules it broke."""
    asked = answer(client, "quarantine")
    found = quarantine(asked, WORDS, NOW)
    second = quarantine(asked, WORDS, NOW, dataset="orders", page=2)
    texts_ = quarantine(asked, WORDS, NOW, dataset="texts", run="unknown", page=99)

    assert found.datasets[0].dataset == found.dataset == "orders"
    assert found.note == "125 rows wait"
    assert found.datasets[0].reasons == (("range(id)", 120),)
    assert (second.page, second.pages) == (2, 3)
    assert second.chosen is not None
    page_ = rows(answer(client, "quarantined", "orders", second.chosen.run_id, after=50, limit=50), WORDS)
    assert page_.columns[:2] == ("broke", "row")
    assert [row[1] for row in page_.cells] == [str(number) for number in range(1931, 1981)]
    assert texts_.page == 1
    assert texts_.chosen is not None
    harm = rows(answer(client, "quarantined", "texts", texts_.chosen.run_id, after=0, limit=50), WORDS)
    assert len(harm.columns) == len(set(harm.columns)) == 5
    assert harm.cells[0][3].startswith("<img src=x")
    assert max(len(cell) for row in harm.cells for cell in row) < 400
    assert "\u202e" not in str(harm.cells)


def test_what_came_of_it_is_said_in_words() -> None:
    """Also why rows were not looked at."""
    replay = {"accepted": 2, "replayed": 5, "failing": 3, "replays": [{"skipped": "newer rows came"}]}
    drop = {"dropped": 1200, "runs": [{"left": 3}, {"left": 4}]}

    assert replayed(replay, WORDS) == "2 of 5 rows joined the dataset; 3 still break a rule. newer rows came"
    assert dropped(drop, Words.of("pt")) == "1.200 linhas foram abandonadas, 7 esperam."


def test_what_cannot_be_read_has_its_face() -> None:
    """Nothing is made up in its place; before anything ran that is said."""
    broken = Answer(None, Trouble("the disk is away", "put it back"), None)
    empty = Answer({"datasets": [], "rules": []}, None, None)

    faces = [quality(broken, WORDS, NOW).face, heat(broken, WORDS).face, quarantine(broken, WORDS, NOW).face]

    assert [(face.kind, face.words) for face in (*faces, rows(broken, WORDS).face) if face] == [
        ("broken", "the disk is away")
    ] * 4
    assert quality(empty, WORDS, NOW).sentence == "Nothing was collected yet, so nothing was judged."
    assert quarantine(Answer([], None, None), WORDS, NOW).note == "Nothing waits."


# --- the page -------------------------------------------------------------------------------------


def test_the_page_shows_rules_scores_and_rows(app: AppTest) -> None:
    """What is chosen stands in the address, and foreign text is text."""
    shown = page(app, "quality", dataset="texts", follow="orders")

    said = texts(shown)
    assert "3 of 3 datasets broke a rule" in said
    assert [one.proto.id for one in app.get("plotly_chart")]
    table = app.dataframe[0].value
    assert table["name"][0].startswith("<img src=x")
    assert "<script>" not in marked_up(app)
    click(app, "quarantine-")
    assert app.query_params["dataset"] != ["texts"]


def test_rows_pass_the_rules_as_they_are_now_when_they_are_tried_again(
    app: AppTest, config: Path, state_dir: Path, system: IntegratedSystem
) -> None:
    """Those that pass join the dataset, once however quickly somebody clicks."""
    configuration = json.loads(config.read_text())
    configuration["datasets"][0]["rules"][1]["range"]["max"] = 1950
    config.write_text(json.dumps(configuration))
    page(app, "quality", dataset="orders")
    key = next(key for key in keys(app, "replay-do-"))
    app.text_input(key=key.replace("-do-", "-reason-")).set_value("the limit was too low")
    app.button(key=key).click().run()
    if key in keys(app, "replay-do-"):
        app.button(key=key).click().run()
    done(config, state_dir)

    (event,) = system.events.read(type="quarantine.replayed")
    assert (event.data["accepted"], event.data["reason"]) == (70, "the limit was too low")
    assert "70 of 120 rows joined the dataset" in texts(app.run())


def test_rows_are_given_up_when_it_was_confirmed(
    app: AppTest, config: Path, state_dir: Path, system: IntegratedSystem
) -> None:
    """With how many it is about in the question."""
    page(app, "quality", dataset="texts")
    (key,) = keys(app, "drop-")
    app.button(key=key).click().run()
    question = texts(app)
    before = listed(system, "texts")[0].rows
    app.text_input(key=f"{key}-reason").set_value("nonsense")
    app.button(key=f"{key}-yes").click().run()
    done(config, state_dir)

    assert "2 rows of texts are given up for good. This cannot be undone." in question
    assert before == 2
    assert listed(system, "texts")[0].state == "dropped"


def test_a_viewer_reads_the_rows_and_changes_nothing(app: AppTest, system: IntegratedSystem) -> None:
    """Nothing to try again or give up."""
    app.session_state["secret"] = tokens.create(system, owner(), "viewer", "guest").secret

    page(app, "quality", dataset="orders")

    assert "broke a rule" in texts(app)
    assert len(app.dataframe[0].value) == 50
    assert not [key for start in BUTTONS for key in keys(app, start)]


def test_a_download_is_no_formula_for_a_spreadsheet(client: Client) -> None:
    """All rows of a batch, as text that stays text."""
    found = client.queries.quarantined("texts", after=0, limit=10)

    written = as_csv([{**row, "_rules": ", ".join(row["_rules"])} for row in found]).decode()

    assert "'=1+1" in written
    assert written.count("\r\n") == 3
