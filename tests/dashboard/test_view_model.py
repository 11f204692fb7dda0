"""What the page says about every state it can find, without Streamlit."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.view_model import Reading, live, page
from dashboard.words import plain
from data_pipeline.promise import Promise, Tries
from operations.activity import Activity, RunActivity, Series
from operations.breakers import Breaker
from operations.promises import PromiseStand
from operations.status import DatasetStatus, Status, sentence
from operations.trouble import Trouble
from utils.calendars import EVERY_DAY

NOW = datetime(2026, 11, 20, 16, 0, tzinfo=UTC)
TEXT = "2026-11-20T15:58:00.000000Z"


def dataset(name: str = "fx", state: str = "succeeded", **other: Any) -> DatasetStatus:
    told: dict[str, Any] = {
        "provider": "bank",
        "origin": "provider",
        "rows": 1700,
        "quarantined": 0,
        "collected_at": TEXT,
        "age_s": 120.0,
        "data_time": TEXT,
        "data_age_s": 93_600.0,
        "score": 85.0,
        "ran_at": TEXT,
        "failures": 0,
        "reason": None,
        **other,
    }
    return DatasetStatus(dataset=name, status=state, **told)


def run(state: str = "degraded", **other: Any) -> RunActivity:
    told: dict[str, Any] = {
        "queued_at": None,
        "started_at": TEXT,
        "finished_at": TEXT,
        "duration_s": 1.37,
        "actor": "local:me",
        "done": 2,
        "total": 2,
        "counts": {"skipped": 0, "succeeded": 1, "degraded": 1, "failed": 0},
        "anomalies": 0,
        **other,
    }
    return RunActivity(run_id="r1", status=state, **told)


def reading(*datasets: DatasetStatus, trouble: Trouble | None = None, **other: Any) -> Reading:
    told: dict[str, Any] = {
        "status": Status(sentence(datasets), tuple(datasets), None, {}, 0),
        "runs": (run(),),
        "series": {},
        "attempts": {},
        "events": (),
        "breakers": (),
        **other,
    }
    return Reading(Activity(at=NOW, seq=1, changed_at=TEXT, **told), trouble, (("a", "1", "default"),), "local:me")


@pytest.mark.parametrize(
    ("states", "tone", "verdict"),
    [
        (["succeeded", "succeeded"], "good", "All is well"),
        (["succeeded", "degraded"], "attention", "Everything arrives, some of it older"),
        (["failed", "degraded"], "bad", "Somebody should look"),
        (["never ran"], "neutral", "Nothing to tell yet"),
        ([], "neutral", "Nothing to tell yet"),
    ],
    ids=["all well", "one degraded", "one failed", "never ran", "none declared"],
)
def test_the_verdict_follows_the_worst_dataset(states: list[str], tone: str, verdict: str) -> None:
    """Five seconds: colour, icon and words agree."""
    shown = page(reading(*(dataset(f"d{n}", state) for n, state in enumerate(states)))).headline

    assert (shown.tone, shown.verdict) == (tone, verdict)


def test_a_tile_tells_both_ages_apart() -> None:
    """The age of our copy and the age of the data itself are two figures."""
    (tile,) = page(reading(dataset(age_s=120.0, data_age_s=93_600.0))).tiles.rows

    assert (tile.copy_age, tile.data_age, tile.score) == ("2 min", "26 h", "85")


def test_what_is_not_known_is_said_and_never_shown_as_a_number() -> None:
    """No score is not 0, no data time is not now."""
    (tile,) = page(reading(dataset(score=None, data_age_s=None, age_s=None, origin="snapshot"))).tiles.rows

    assert (tile.copy_age, tile.data_age, tile.score) == ("shipped", "not told", "not measured")


def test_ages_below_two_minutes_do_not_flicker() -> None:
    """A page that is open all day is drawn again only when it would look different."""
    one, other = (page(reading(dataset(age_s=age, data_age_s=age))) for age in (3.0, 48.0))

    assert one == other


def test_a_promise_at_risk_is_told_though_all_is_well() -> None:
    """What succeeded has nothing else to explain."""
    promise = Promise(3600.0, None, UTC, EVERY_DAY)
    judged = promise.judge(TEXT, None, NOW, Tries(paused=True))
    risk = dataset("fx", promise=PromiseStand(promise, judged, NOW), reason=judged.words)

    tiles = page(reading(risk, dataset("gold", reason="a note"))).tiles.rows

    told = "promise at risk: it breaks in 58 min, and its schedule is paused"
    assert [tile.reason for tile in tiles] == [told, ""]


def test_the_reason_is_told_once_without_the_name_before_it() -> None:
    """The tile has the name already."""
    (tile,) = page(reading(dataset("fx", "degraded", reason="fx: fx: no connection"))).tiles.rows

    assert tile.reason == "no connection"


@pytest.mark.parametrize(
    ("series", "points", "trend"),
    [
        (Series((), ()), (), "nothing collected yet, so no line"),
        (Series((180.0,), (100.0,)), (), "rows: 180, 1 run so far"),
        (Series((180.0, 1700.0), (100.0, 100.0)), (180.0, 1700.0), "rows, last 2 runs: 180 to 1,700"),
        (Series((5.0, 5.0), (100.0, 60.5)), (100.0, 60.5), "score, last 2 runs: 60.5 to 100"),
    ],
    ids=["nothing", "one point", "score never moved", "score moved"],
)
def test_the_line_shows_the_score_when_it_moved_else_the_rows(
    series: Series, points: tuple[float, ...], trend: str
) -> None:
    """A line needs two points, and says what it is a line of."""
    (tile,) = page(reading(dataset(), series={"fx": series})).tiles.rows

    assert (tile.points, tile.trend) == (points, trend)


def test_every_panel_has_a_face_for_no_data_yet() -> None:
    """An empty panel says that it is empty and what would fill it."""
    shown = page(reading(runs=()))

    for panel in (shown.tiles, shown.runs, shown.events, shown.providers):
        assert panel.face is not None
        assert panel.face.kind == "no data yet"
        assert panel.face.words


def test_a_panel_whose_part_is_broken_says_why_and_the_others_go_on() -> None:
    """One damaged table does not empty the page."""
    broken = Trouble("the table is damaged", "restore it from a backup")

    shown = page(reading(dataset(), runs=broken, events=broken))

    assert shown.runs.face is not None
    assert (shown.runs.face.kind, shown.runs.face.hint) == ("broken", "restore it from a backup")
    assert len(shown.tiles.rows) == 1
    assert shown.bars == ()


def test_when_the_state_cannot_be_read_now_the_last_one_is_shown_as_stale() -> None:
    """Old facts stay on the page, dated, with what is wrong now at the top."""
    shown = page(reading(dataset(), trouble=Trouble("the disk is gone", "mount it")))

    assert shown.headline.tone == "bad"
    assert "16:00:00 UTC" in shown.headline.sentence
    assert "the disk is gone\nmount it" in shown.headline.sentence
    assert shown.tiles.face is not None
    assert shown.tiles.face.kind == "stale"
    assert len(shown.tiles.rows) == 1


def test_without_any_reading_every_panel_is_broken_and_the_top_says_why() -> None:
    """A configuration error is told whole, line by line."""
    shown = page(Reading(None, Trouble("a.yaml:3: unknown key\na.yaml:9: not a number", "correct it")))

    assert shown.headline.sentence == "a.yaml:3: unknown key\na.yaml:9: not a number\ncorrect it"
    assert [p.face.kind for p in (shown.tiles, shown.runs, shown.events, shown.providers) if p.face] == ["broken"] * 4


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (run(), "1 succeeded, 1 degraded in 1.4 s"),
        (run("running", finished_at=None, duration_s=None, counts={}, done=1), "1 of 2 datasets done"),
        (run("crashed", duration_s=None, counts={}, done=1), "stopped after 1 of 2 datasets"),
        (run("succeeded", anomalies=2), "1 succeeded, 1 degraded in 1.4 s, 2 unusual figures"),
    ],
    ids=["finished", "running", "crashed", "with anomalies"],
)
def test_a_run_is_told_in_words(given: RunActivity, words: str) -> None:
    """Whatever became of it."""
    (row,) = page(reading(dataset(), runs=(given,))).runs.rows

    assert row.title == words


def test_open_circuits_come_first_with_the_next_try_and_the_retries() -> None:
    """Who is not asked, why, and until when; and who had to be asked again."""
    breakers = (
        Breaker("bank", "closed", None, None, 0, ""),
        Breaker("partner", "open", TEXT, 45.0, 3, "half of 20 calls failed"),
    )

    rows = page(reading(dataset("fx"), breakers=breakers, attempts={"fx": 3})).providers.rows

    assert [row.title for row in rows] == ["partner", "bank"]
    assert rows[0].words == "next try in < 1 min · opened 3 times · half of 20 calls failed · not asked yet"
    assert rows[1].words == "2 retries in the last run"


@pytest.mark.parametrize(
    ("status", "words"),
    [("degraded", "not asked in the last run"), ("never ran", "not asked yet")],
    ids=["it ran, and its circuit was open", "it never ran"],
)
def test_a_provider_that_was_not_asked_says_since_when(status: str, words: str) -> None:
    """One that was asked yesterday was asked."""
    breakers = (Breaker("bank", "closed", None, None, 0, ""),)

    (row,) = page(reading(dataset("fx", status), breakers=breakers)).providers.rows

    assert row.words == words


def test_a_circuit_that_somebody_holds_is_no_everyday_sight() -> None:
    """Held closed, it asks for attention: nothing protects the provider until somebody lets go."""
    breakers = (Breaker("bank", "closed", None, None, 0, ""), Breaker("house", "closed", None, None, 0, "", held=True))

    rows = page(reading(dataset("fx"), breakers=breakers)).providers.rows

    assert [(row.title, row.tone) for row in rows] == [("house", "attention"), ("bank", "good")]
    assert rows[0].state == "circuit held closed"


@pytest.mark.parametrize(
    ("later", "words"),
    [(0, "updated 0 s ago · last news 2 min ago"), (3, "updated 3 s ago · last news 2 min ago")],
    ids=["just now", "three seconds later"],
)
def test_the_page_says_how_fresh_it_is(later: int, words: str) -> None:
    """When it was read, and when anything happened last."""
    assert live(reading(dataset()), NOW + timedelta(seconds=later)) == words


def test_pages_of_the_same_state_are_equal() -> None:
    """So that an unchanged page need not be drawn again."""
    assert page(reading(dataset())) == page(reading(dataset()))
    assert page(reading(dataset())) != page(reading(dataset(rows=1)))
    assert replace(page(reading(dataset())), actor="x") != page(reading(dataset()))


@settings(max_examples=100)
@given(st.text(max_size=400), st.integers(5, 80))
def test_text_from_elsewhere_is_bounded_and_harmless(text: str, limit: int) -> None:
    """No control or direction character is left, and its length has an end."""
    shown = plain(text, limit=limit)

    assert len(shown) <= limit + 25
    assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or 0x202A <= ord(c) <= 0x202E for c in shown)


def test_a_megabyte_of_text_is_cut_and_says_so() -> None:
    """A provider's page-long message does not become the page."""
    (tile,) = page(reading(dataset("fx", "failed", reason="x" * 1_000_000))).tiles.rows

    assert len(tile.reason) < 540
    assert "1,000,000 characters" in tile.reason
