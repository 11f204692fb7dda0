"""The page of one dataset: what each part of it shows, what can be done, and that nothing of a provider is markup."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.actions import Actions
from dashboard.screens.dataset import PARTS
from dashboard.source import Source
from integrated_system import ROOT, IntegratedSystem
from operations import tokens
from operations.actor import owner
from operations.versions import VersionLine, versions
from tests.dashboard.past import Past, made
from tests.dashboard.trouble import click, done, keys, marked_up, page, texts

HEADINGS = dict(zip(PARTS, ("Rows", "Versions", "Score", "Over time", "Runs", "Where it goes"), strict=True))
ACTS = ("run-", "fresh-", "replay-", "backfill-", "accept-", "reject-", "rollback-")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Past:
    return made(tmp_path_factory.mktemp("past"))


@pytest.fixture
def config(tmp_path: Path, state_dir: Path, prepared: Past) -> Path:
    """A copy, for who changes something."""
    found = tmp_path / "orchestrator.json"
    prepared.copied(found, state_dir)
    return found


@pytest.fixture(scope="module")
def opened(prepared: Past) -> Iterator[tuple[Source, Actions]]:
    """One process of the dashboard for all who only look."""
    source = Source(lambda: IntegratedSystem(prepared.config, state_dir=prepared.state, environ={}), patience=120.0)
    actions = Actions(source)
    yield source, actions
    actions.close()
    source.close()


@pytest.fixture
def window(opened: tuple[Source, Actions], monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """A new window for who only looks."""
    monkeypatch.setattr("dashboard.shell.process", lambda *_: opened)
    monkeypatch.setattr("dashboard.login.at_this_machine", lambda: True)
    return AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=120)


@pytest.fixture
def kept(prepared: Past) -> tuple[VersionLine, ...]:
    """The versions that it has, the newest first."""
    with IntegratedSystem(prepared.config, state_dir=prepared.state, environ={}) as system:
        return versions(system, "orders").versions


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
def test_every_part_of_every_dataset_is_shown(window: AppTest, name: str) -> None:
    """A sentence, and no exception; what a provider sent is nowhere read as Markdown or HTML."""
    for part in PARTS:
        shown = page(window, "dataset", dataset=name, part=part)

        assert name in texts(shown)
        assert HEADINGS[part] in [one.value for one in shown.subheader]
        for sign in ("<img", "<script", "**b**", "[a](b)"):
            assert sign not in marked_up(shown)


def test_the_head_says_why_and_what_waits(window: AppTest) -> None:
    """The sentence of `why`, the batch that is held, and what changed."""
    said = texts(page(window, "dataset", dataset="orders"))

    assert "orders has failed" in said
    assert "broke critical range(id) (1 of 2)" in said
    assert "“range(id)” (critical): 1 of 2 break it, none before" in said


def test_an_unknown_dataset_is_named_and_others_are_offered(window: AppTest) -> None:
    """A link may be old."""
    shown = page(window, "dataset", dataset="gone")

    assert "There is no dataset gone." in texts(shown)
    assert list(shown.selectbox(key="picked-dataset").options) == ["later", "never", "orders", "pieces", "texts"]


def test_the_one_that_needs_somebody_is_shown_first(window: AppTest) -> None:
    """Without a dataset in the address; the address says then which it is."""
    shown = page(window, "dataset")

    assert _query(shown, "dataset") == "orders"


def test_another_dataset_is_picked_and_the_address_follows(window: AppTest) -> None:
    """What belonged to the one before leaves it; the part that was looked at stays."""
    shown = page(window, "dataset", dataset="orders", part="versions", after="x", page="2")

    shown.selectbox(key="picked-dataset").set_value("texts").run()

    assert (_query(shown, "dataset"), _query(shown, "part")) == ("texts", "versions")
    assert not {"after", "page"} & set(shown.query_params)


def test_the_table_shows_what_readers_get_and_any_version(window: AppTest, kept: tuple[VersionLine, ...]) -> None:
    """Not the row that was set aside, nor those of the batch that is held, but of a link to it."""
    held = kept[0].version

    now = _tables(page(window, "dataset", dataset="orders"))
    then = page(window, "dataset", dataset="orders", version=held)

    assert "9.5" in now
    assert "99.0" not in now
    assert "2,B,2.5" in _tables(then)
    assert "9.5" not in _tables(then)
    assert f"Version #{held[-8:]}" in texts(then)
    click(then, "table-current")
    assert "9.5" in _tables(then)


def test_columns_have_types_and_figures_of_the_batch_or_of_all_rows(window: AppTest) -> None:
    """Measured on demand only."""
    shown = page(window, "dataset", dataset="orders")
    assert "whole number" in _tables(shown)
    assert "Median" not in _tables(shown)

    click(shown, "measure")

    assert "Median" in _tables(shown)
    assert "of all 7 rows" in texts(shown)


def test_what_differs_is_told_with_rows(window: AppTest, kept: tuple[VersionLine, ...]) -> None:
    """Counts, and the values before and after."""
    shown = page(window, "dataset", dataset="orders", part="versions", before=kept[3].version, after=kept[2].version)

    said = texts(shown)
    assert "Rows added\n1" in said
    assert "Rows removed\n1" in said
    assert "Rows changed\n1" in said
    assert "rows are matched by id" in said
    assert "name,b,B" in _tables(shown)
    click(shown, "difference-close")
    assert "after" not in shown.query_params


def test_the_quality_part_has_rules_advice_and_the_rows(window: AppTest) -> None:
    """Of the batch that came last, which is held."""
    shown = page(window, "dataset", dataset="orders", part="quality", span="all")

    said = texts(shown)
    assert "1 of 2 break it" in said
    assert "2 rules are kept." in said
    assert "-1" in _tables(shown)
    assert any("range" in str(block.value) for block in shown.code)


def test_runs_tell_where_their_rows_came_from(window: AppTest) -> None:
    """And how often the provider was asked, and what was wrong."""
    said = texts(page(window, "dataset", dataset="orders", part="runs"))

    assert "from the provider · 7 rows · score" in said
    assert "1 try" in said
    assert "the new batch is held" in said


def test_lineage_has_links_up_and_down(window: AppTest) -> None:
    """To the page of the other dataset; a provider has none."""
    below = page(window, "dataset", dataset="orders", part="lineage")
    assert "needs this one first" in texts(below)
    assert any("dataset=later" in str(one.proto) for one in below.get("page_link"))
    assert "partner" in texts(below)

    above = page(window, "dataset", dataset="later", part="lineage")
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


def test_nothing_can_be_replayed_where_nothing_is_kept(window: AppTest) -> None:
    """The question says what to do, and has no way on."""
    shown = page(window, "dataset", dataset="texts")

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


def test_the_past_is_shown_as_it_was(window: AppTest, kept: tuple[VersionLine, ...]) -> None:
    """After the first run: one version, its rows, and nothing to be done."""
    first = kept[-1]
    said, tables = {}, {}

    for part in PARTS:
        shown = page(window, "dataset", dataset="orders", part=part, as_of=first.time)
        said[part], tables[part] = texts(shown), _tables(shown)
        assert "orders is well: " in said[part]
        assert [key for start in ACTS for key in keys(shown, start)] == []

    assert "1 kept" in said["versions"]
    assert "3,c,3.5" in tables["table"]
    assert "as declared today" in said["lineage"]
