"""What the first page says about every state it can find, without Streamlit."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dashboard.caller import Caller
from dashboard.language import Words
from dashboard.source import Answer, Source
from dashboard.view_model.overview import Behind, behind, top
from integrated_system import IntegratedSystem
from operations.trouble import Trouble
from tests.dashboard.configuration import ACTOR
from tests.dashboard.view_model.test_sentence import dataset as bare
from tests.dashboard.view_model.test_sentence import promise
from tests.dashboard.view_model.test_sentence import status as told_status

NOW = datetime(2026, 11, 20, 16, 0, 30, tzinfo=UTC)
WORDS = Words()
TROUBLE = Trouble("the disk is gone", "mount it")


def dataset(name: str = "fx", state: str = "succeeded", **other: Any) -> dict[str, Any]:
    told: dict[str, Any] = {
        "rows": 1700,
        "quarantined": 0,
        "collected_at": "2026-11-20T15:58:00.000000Z",
        "data_time": "2026-11-19T14:00:00.000000Z",
        "score": 85.0,
        "ran_at": "2026-11-20T15:58:00.000000Z",
        "reason": None,
        "objective": None,
        "blocked": None,
    }
    return bare(name, state, **{**told, **other})


def run(status: str = "degraded", **other: Any) -> dict[str, Any]:
    told = {
        "run_id": "r1",
        "status": status,
        "started_at": "2026-11-20T15:58:00.000000Z",
        "queued_at": None,
        "counts": {"succeeded": 1, "degraded": 1, "failed": 0, "skipped": 0},
    }
    return {**told, **other}


def answer(document: Any = None, trouble: Trouble | None = None) -> Answer:
    return Answer(document, trouble, NOW if document is not None else None)


def shown(
    *datasets: dict[str, Any],
    trends: Any = (),
    runs: Any = (),
    incidents: Any = (),
    now: datetime = NOW,
    since: datetime | None = None,
    trouble: Trouble | None = None,
) -> Behind:
    status = answer({**told_status(*datasets), "incidents": list(incidents)}, trouble)
    return behind(status, answer(list(trends)), answer(list(runs)), None, WORDS, now, since)


def test_a_tile_tells_both_ages_apart() -> None:
    """The age of our copy and the age of the data itself are two figures."""
    (tile,) = shown(dataset()).tiles.rows

    assert (tile.copy_age, tile.data_age, tile.score) == ("2 min", "26 h", "85")
    assert tile.source == "bank · from the provider · 1,700 rows"


def test_what_is_not_known_is_said_and_never_shown_as_a_number() -> None:
    """No score is not 0, no data time is not now."""
    (tile,) = shown(dataset(score=None, data_time=None, collected_at=None, origin="snapshot")).tiles.rows

    assert (tile.copy_age, tile.data_age, tile.score) == ("shipped", "not told", "not measured")


def test_ages_move_on_together_once_a_minute() -> None:
    """A page that is open all day, with fifty datasets, is drawn again only when it would look different."""
    datasets = [dataset(f"d{n}", collected_at=f"2026-11-20T15:{n:02d}:{n:02d}.000000Z") for n in range(50)]
    pages = {repr(shown(*datasets, now=NOW.replace(second=second))) for second in range(60)}

    assert len(pages) == 1
    assert repr(shown(*datasets, now=NOW + timedelta(minutes=1))) not in pages


def test_a_promise_at_risk_is_told_though_all_is_well() -> None:
    """What succeeded has nothing else to explain."""
    risk = dataset("fx", promise=promise("at_risk", "2026-11-20T17:00:00.000000Z"), reason="a note")

    tiles = shown(risk, dataset("gold", reason="a note")).tiles.rows

    assert [(tile.tone, tile.state, tile.reason) for tile in tiles] == [
        ("attention", "at risk", "Its promise breaks at 17:00."),
        ("good", "succeeded", ""),
    ]


def test_the_reason_is_told_once_with_its_time_and_without_the_name_before_it() -> None:
    """ "Next try in 40 s" was true then."""
    (tile,) = shown(dataset("fx", "degraded", reason="fx: fx: circuit open, next try in 40 s")).tiles.rows

    assert tile.reason == "15:58: circuit open, next try in 40 s"


def test_a_promise_that_broke_by_itself_is_told_with_its_moment() -> None:
    """Its age would have the page drawn again every few seconds."""
    until = promise("broken", "2026-11-20T15:00:00.000000Z")

    (tile,) = shown(
        dataset("fx", "failed", promise=until, reason="promise broken: the data is 60.3 min old")
    ).tiles.rows

    assert tile.reason == "Its promise is broken since 15:00."


@pytest.mark.parametrize(
    ("rows", "quality", "points", "trend"),
    [
        ([], [], (), "nothing collected yet, so no line"),
        ([180.0], [100.0], (), "rows: 180, 1 run so far"),
        ([180.0, 1700.0], [100.0, 100.0], (180.0, 1700.0), "rows, last 2 runs: 180 to 1,700"),
        ([5.0, 5.0], [100.0, 60.5], (100.0, 60.5), "score, last 2 runs: 60.5 to 100"),
    ],
    ids=["nothing", "one point", "score never moved", "score moved"],
)
def test_the_line_shows_the_score_when_it_moved_else_the_rows(
    rows: list[float], quality: list[float], points: tuple[float, ...], trend: str
) -> None:
    """A line needs two points, and says what it is a line of."""
    (tile,) = shown(dataset(), trends=[{"dataset": "fx", "rows": rows, "quality": quality}]).tiles.rows

    assert (tile.points, tile.trend) == (points, trend)


def test_open_incidents_and_held_versions_wait_for_somebody_and_lead_to_their_pages() -> None:
    """The most urgent first, as they came."""
    incident = {
        "id": "3f2a",
        "about": "ECB",
        "severity": "error",
        "state": "open",
        "opened_at": "2026-11-20T08:12:00Z",
        "datasets": ["fx", "gold"],
    }

    rows = shown(dataset("fx", held="v2"), incidents=[incident]).to_do.rows

    assert [(row.state, row.title, row.words, row.page, row.query) for row in rows] == [
        ("error", "ECB", "since 08:12 · fx, gold", "incidents", (("incident", "3f2a"),)),
        ("held", "fx", "a new version is held: accept or reject it", "dataset", (("dataset", "fx"),)),
    ]


@pytest.mark.parametrize("state", ["acknowledged", "silenced"])
def test_an_incident_that_somebody_has_taken_says_so(state: str) -> None:
    """Nobody does it twice."""
    told = {"id": "1", "about": "x", "severity": "error", "state": state, "opened_at": "2026-11-20T08:12:00Z"}

    (row,) = shown(incidents=[{**told, "datasets": []}]).to_do.rows

    assert row.state == state


def _standing(state: str, left: float, share: float | None = 0.99999) -> dict[str, Any]:
    return {"objective": "fresh", "target": 0.99, "share": share, "budget_left": left, "state": state}


def test_the_budget_that_is_most_in_danger_comes_first() -> None:
    """Spent before burning, burning before kept, less before more."""
    found = [("a", "kept", 0.9), ("b", "kept", 0.4), ("c", "burning", 0.7), ("d", "spent", -3.0)]
    datasets = [dataset(name, objective={"objectives": [_standing(state, left)]}) for name, state, left in found]

    rows = shown(*datasets).budgets.rows

    assert [(row.dataset, row.left) for row in rows] == [("d", 0.0), ("c", 0.7), ("b", 0.4), ("a", 0.9)]


def test_a_share_is_never_rounded_up_to_all_of_it() -> None:
    """Who missed something sees that they did."""
    (row,) = shown(dataset(objective={"objectives": [_standing("kept", 0.999)]})).budgets.rows

    assert row.words == "fresh 99.99 % of the time, asked is 99 %; 99 % of the error budget left"


def test_what_was_not_measured_has_no_share() -> None:
    """No figure is better than a wrong one."""
    (row,) = shown(dataset(objective={"objectives": [_standing("unmeasured", 1.0, None)]})).budgets.rows

    assert row.words == "fresh: asked is 99 %; nothing is measured yet"


def test_runs_are_bars_with_the_oldest_on_the_left() -> None:
    """A run that is queued has no bar yet, and is told beside the heading."""
    queued = run("queued", started_at=None, queued_at="2026-11-20T15:59:00Z", counts={})
    older = run(started_at="2026-11-20T14:00:00Z")

    panel = shown(dataset(), runs=[queued, run(), older]).runs

    assert [bar.when for bar in panel.rows] == ["20 Nov 14:00:00", "20 Nov 15:58:00"]
    assert panel.note == "one is queued now"


def test_runs_before_the_period_are_left_out() -> None:
    """The period of the sidebar counts; that there are others is said."""
    panel = shown(dataset(), runs=[run()], since=NOW - timedelta(seconds=30)).runs

    assert panel.rows == ()
    assert panel.face is not None
    assert panel.face.words == "No run in this period; a longer one shows more."


def test_every_panel_has_a_face_for_no_data_yet() -> None:
    """An empty panel says that it is empty, or what would fill it."""
    page = shown()

    assert [panel.face.kind for panel in (page.tiles, page.budgets, page.runs) if panel.face] == ["no data yet"] * 3


def test_a_panel_whose_answer_is_missing_says_why_and_the_others_go_on() -> None:
    """One damaged table does not empty the page."""
    status = answer({**told_status(dataset()), "incidents": []})

    page = behind(status, answer([]), answer(trouble=TROUBLE), None, WORDS, NOW, None)

    assert page.runs.face is not None
    assert (page.runs.face.kind, page.runs.face.hint) == ("broken", "mount it")
    assert len(page.tiles.rows) == 1


def test_when_the_state_cannot_be_read_now_the_last_one_is_shown_as_stale() -> None:
    """Old facts stay on the page, dated, with what is wrong now at the top."""
    status = Answer(told_status(dataset()), TROUBLE, NOW - timedelta(minutes=8))

    head = top(status, WORDS, NOW)

    assert head.headline.verdict == "This page shows an older state"
    assert head.headline.sentence == "As of 15:52: The one dataset is as it should be."
    assert head.face is not None
    assert (head.face.kind, head.face.words, head.face.hint) == ("stale", "the disk is gone", "mount it")


def test_without_any_answer_the_top_says_why_and_the_panels_point_to_it() -> None:
    """A configuration error is told whole, once."""
    status = answer(trouble=Trouble("a.yaml:3: unknown key\na.yaml:9: not a number", "correct it"))

    head, page = top(status, WORDS, NOW), behind(status, answer([]), answer([]), None, WORDS, NOW, None)

    assert head.face is not None
    assert head.face.words == "a.yaml:3: unknown key\na.yaml:9: not a number"
    assert [panel.face.words for panel in (page.tiles, page.budgets, page.to_do) if panel.face] == [
        "See the message at the top."
    ] * 3


def test_a_megabyte_of_text_is_cut_and_says_so() -> None:
    """A provider's page-long message does not become the page."""
    (tile,) = shown(dataset("fx", "failed", reason="x" * 1_000_000)).tiles.rows

    assert len(tile.reason) < 350
    assert "1,000,000 characters" in tile.reason


def test_the_page_fits_what_the_api_really_answers(
    ran: IntegratedSystem, source: Source, build: Callable[[], IntegratedSystem]
) -> None:
    """And two looks at the same state look the same."""
    who = Caller(ACTOR)
    source.ask(who, "status")
    now = source.now()

    def look() -> tuple[Any, Behind]:
        status, trends, runs = (source.ask(who, question) for question in ("status", "trends", "runs"))
        news = source.ask(who, "news", "2020-01-01T00:00:00Z")
        return top(status, WORDS, now), behind(status, trends, runs, news, WORDS, now, None)

    head, page = look()

    assert head.headline.sentence.startswith("1 of 3 datasets are as they should be; ")
    assert {tile.dataset: tile.tone for tile in page.tiles.rows} == {
        "nothing": "bad",
        "partner": "attention",
        "orders": "good",
    }
    assert page.news is not None
    assert "1 run (1 failed)" in page.news.summary
    assert look() == (head, page)
