"""The page of one dataset: what each part of it shows, what can be done, and that nothing of a provider is markup."""

from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.screens.dataset import PARTS
from integrated_system import IntegratedSystem
from operations import tokens
from operations.actor import owner
from operations.versions import versions
from tests.dashboard.past import Past, made
from tests.dashboard.trouble import click, done, keys, marked_up, page, texts

HEADINGS = dict(zip(PARTS, ("Rows", "Versions", "Score", "Over time", "Runs", "Where it goes"), strict=True))
ACTS = ("run-", "fresh-", "replay-", "backfill-", "accept-", "reject-", "rollback-")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Past:
    return made(tmp_path_factory.mktemp("past"))


@pytest.fixture(autouse=True)
def _with_a_past(prepared: Past, config: Path, state_dir: Path) -> None:
    prepared.copied(config, state_dir)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The processes that would have been started."""
    found: list[tuple[str, ...]] = []
    monkeypatch.setattr("operations.detached.start_detached", lambda _, *command: found.append(command))
    return found


def _kinds(system: IntegratedSystem, kind: str) -> list[dict[str, Any]]:
    return [event.data for event in system.events.read(type=kind)]


def _query(app: AppTest, name: str) -> str:
    """What stands in the address: as it was given, or as a page wrote it."""
    found = app.query_params[name]
    return found if isinstance(found, str) else found[0]


def _tables(app: AppTest) -> str:
    return "\n".join(str(one.value.to_csv()) for one in app.dataframe)


@pytest.mark.parametrize("name", ["orders", "pieces", "texts", "never"])
def test_every_part_of_every_dataset_is_shown(app: AppTest, name: str) -> None:
    """A sentence, and no exception; what a provider sent is nowhere read as Markdown or HTML."""
    for part in PARTS:
        shown = page(app, "dataset", dataset=name, part=part)

        assert name in texts(shown)
        assert HEADINGS[part] in [one.value for one in shown.subheader]
        for sign in ("<img", "<script", "**b**", "[a](b)"):
            assert sign not in marked_up(shown)


def test_the_head_says_why_and_what_waits(app: AppTest) -> None:
    """The sentence of `why`, the batch that is held, and what changed."""
    said = texts(page(app, "dataset", dataset="orders"))

    assert "orders has failed" in said
    assert "broke critical range(id) (1 of 2)" in said
    assert "range(id) (critical): 1 of 2 break it, none before" in said


def test_an_unknown_dataset_is_named_and_others_are_offered(app: AppTest) -> None:
    """A link may be old."""
    shown = page(app, "dataset", dataset="gone")

    assert "There is no dataset gone." in texts(shown)
    assert list(shown.selectbox(key="picked-dataset").options) == ["later", "never", "orders", "pieces", "texts"]


def test_the_one_that_needs_somebody_is_shown_first(app: AppTest) -> None:
    """Without a dataset in the address; the address says then which it is."""
    shown = page(app, "dataset")

    assert _query(shown, "dataset") == "orders"


def test_another_dataset_is_picked_and_the_address_follows(app: AppTest) -> None:
    """What belonged to the one before leaves it; the part that was looked at stays."""
    shown = page(app, "dataset", dataset="orders", part="versions", after="x", page="2")

    shown.selectbox(key="picked-dataset").set_value("texts").run()

    assert (_query(shown, "dataset"), _query(shown, "part")) == ("texts", "versions")
    assert not {"after", "page"} & set(shown.query_params)


def test_the_table_shows_what_readers_get_and_any_version(app: AppTest, system: IntegratedSystem) -> None:
    """Not the row that was set aside, nor those of the batch that is held, but of a link to it."""
    held = versions(system, "orders").versions[0].version

    now = _tables(page(app, "dataset", dataset="orders"))
    then = page(app, "dataset", dataset="orders", version=held)

    assert "9.5" in now
    assert "99.0" not in now
    assert "2,B,2.5" in _tables(then)
    assert "9.5" not in _tables(then)
    assert f"Version #{held[-8:]}" in texts(then)
    click(then, "table-current")
    assert "9.5" in _tables(then)


def test_columns_have_types_and_figures_of_the_batch_or_of_all_rows(app: AppTest) -> None:
    """Measured on demand only."""
    shown = page(app, "dataset", dataset="orders")
    assert "whole number" in _tables(shown)
    assert "Median" not in _tables(shown)

    click(shown, "measure")

    assert "Median" in _tables(shown)
    assert "of all 7 rows" in texts(shown)


def test_what_differs_is_told_with_rows(app: AppTest, system: IntegratedSystem) -> None:
    """Counts, and the values before and after."""
    lines = versions(system, "orders").versions

    shown = page(app, "dataset", dataset="orders", part="versions", before=lines[3].version, after=lines[2].version)

    said = texts(shown)
    assert "Rows added\n1" in said
    assert "Rows removed\n1" in said
    assert "Rows changed\n1" in said
    assert "rows are matched by id" in said
    assert "name,b,B" in _tables(shown)
    click(shown, "difference-close")
    assert "after" not in shown.query_params


def test_the_quality_part_has_rules_advice_and_the_rows(app: AppTest) -> None:
    """Of the batch that came last, which is held."""
    shown = page(app, "dataset", dataset="orders", part="quality", span="everything")

    said = texts(shown)
    assert "1 of 2 break it" in said
    assert "2 rules are kept." in said
    assert "-1" in _tables(shown)
    assert any("range" in str(block.value) for block in shown.code)


def test_runs_tell_where_their_rows_came_from(app: AppTest) -> None:
    """And how often the provider was asked, and what was wrong."""
    said = texts(page(app, "dataset", dataset="orders", part="runs"))

    assert "from the provider · 7 rows · score" in said
    assert "1 try" in said
    assert "the new batch is held" in said


def test_lineage_has_links_up_and_down(app: AppTest) -> None:
    """To the page of the other dataset; a provider has none."""
    below = page(app, "dataset", dataset="orders", part="lineage")
    assert "needs this one first" in texts(below)
    assert any("dataset=later" in str(one.proto) for one in below.get("page_link"))
    assert "partner" in texts(below)

    above = page(app, "dataset", dataset="later", part="lineage")
    assert "is needed first" in texts(above)


@pytest.mark.parametrize(
    ("act", "kind"),
    [("accept-held", "batch.accepted"), ("reject-held", "batch.rejected"), ("rollback-list", "version.rolled_back")],
    ids=["accept", "reject", "roll back"],
)
def test_a_decision_is_asked_for_with_a_reason_and_done_once(
    app: AppTest, system: IntegratedSystem, config: Path, state_dir: Path, act: str, kind: str
) -> None:
    """It stands in the log, and the result is told in words."""
    before = len(_kinds(system, kind))
    shown = page(app, "dataset", dataset="orders", part="versions")

    (start, *_) = keys(shown, act)
    click(shown, start)
    shown.text_input(key=f"{start}-reason").set_value("looked at it")
    shown.button(key=f"{start}-yes").click().run()
    (decided,) = done(config, state_dir)

    assert len(_kinds(system, kind)) == before + 1
    assert _kinds(system, kind)[-1]["reason"] == "looked at it"
    assert decided["dataset"] == "orders"
    assert "readers" in texts(shown.run())


@pytest.mark.parametrize(("act", "fresh"), [("run-", False), ("fresh-", True)], ids=["now", "fresh"])
def test_a_run_is_asked_for_once_however_often_it_is_clicked(
    app: AppTest, system: IntegratedSystem, config: Path, state_dir: Path, started: list[Any], act: str, fresh: bool
) -> None:
    """Of this dataset; and the page says that it waits."""
    shown = page(app, "dataset", dataset="orders")
    before = len(_kinds(system, "run.queued"))

    click(shown, act)
    click(shown, act)
    done(config, state_dir)

    queued = _kinds(system, "run.queued")[before:]
    assert [(one["datasets"], one["fresh"]) for one in queued] == [(["orders"], fresh)]
    assert len(started) == 1
    assert "The run waits for its turn." in texts(shown.run())


def test_what_came_before_is_run_again_from_its_raw_answer(
    app: AppTest, system: IntegratedSystem, config: Path, state_dir: Path, started: list[Any]
) -> None:
    """Of the run that was chosen."""
    first = versions(system, "orders").versions[-1].version
    shown = page(app, "dataset", dataset="orders")

    click(shown, "replay-")
    choice = next(one for one in shown.selectbox if str(one.key).startswith("raw-"))
    choice.set_value(first)
    click(shown, next(key for key in keys(shown, "replay-") if key.endswith("-yes")))
    done(config, state_dir)

    assert _kinds(system, "run.queued")[-1]["from_raw"] == first


def test_nothing_can_be_replayed_where_nothing_is_kept(app: AppTest) -> None:
    """The question says what to do, and has no way on."""
    shown = page(app, "dataset", dataset="texts")

    click(shown, "replay-")

    assert "No raw answer is kept." in texts(shown)
    assert shown.button(key=next(key for key in keys(shown, "replay-") if key.endswith("-yes"))).disabled


def test_a_backfill_says_first_what_it_would_do(
    app: AppTest, system: IntegratedSystem, config: Path, state_dir: Path, started: list[Any]
) -> None:
    """Only of a table in pieces; then it is done."""
    assert keys(page(app, "dataset", dataset="orders"), "backfill-") == []
    shown = page(app, "dataset", dataset="pieces")

    click(shown, "backfill-")
    assert "3 pieces, 2026-11-01 to 2026-11-03, with about 3 requests." in texts(shown)
    click(shown, next(key for key in keys(shown, "backfill-") if key.endswith("-yes")))
    (asked,) = done(config, state_dir)

    assert asked["total"] == 3
    assert started[0][:2] == ("backfills", "resume")


def test_who_may_only_look_sees_no_buttons_that_change(app: AppTest, system: IntegratedSystem) -> None:
    """But all else; nor does anybody in the past."""
    app.session_state["secret"] = tokens.create(system, owner(), "viewer", "looker").secret
    shown = page(app, "dataset", dataset="orders", part="versions")

    assert "orders has failed" in texts(shown)
    assert [key for start in ACTS for key in keys(shown, start)] == []
    assert keys(shown, "differs-")


def test_the_past_is_shown_as_it_was(app: AppTest, system: IntegratedSystem) -> None:
    """After the first run: one version, its rows, and nothing to be done."""
    first = versions(system, "orders").versions[-1]
    said, tables = {}, {}

    for part in PARTS:
        shown = page(app, "dataset", dataset="orders", part=part, as_of=first.time)
        said[part], tables[part] = texts(shown), _tables(shown)
        assert "orders: succeeded." in said[part]
        assert [key for start in ACTS for key in keys(shown, start)] == []

    assert "1 kept" in said["versions"]
    assert "3,c,3.5" in tables["table"]
    assert "as declared today" in said["lineage"]
