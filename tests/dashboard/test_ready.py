"""What is done before the first visitor comes."""

import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.__main__ import HEAVY, make_ready
from dashboard.caller import Caller
from dashboard.shell import PAGES, process
from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.logs import stop_logging
from operations.trouble import told


def test_the_first_visitor_finds_everything_open_and_imported(
    app: AppTest, ran: IntegratedSystem, config: Path, state_dir: Path
) -> None:
    """The state, what the first page asks, and what all pages import."""
    make_ready()
    source, _ = process(str(config), str(state_dir))
    config.write_text("{")  # what was asked before is kept, with what is wrong now

    answer = source.ask(Caller(Actor("somebody", "viewer")), "trends")

    assert [one["dataset"] for one in answer.document] == ["orders", "partner", "nothing"]
    assert {*HEAVY, *(f"dashboard.screens.{page}" for page in PAGES)} <= set(sys.modules)


def test_what_goes_wrong_on_a_page_is_in_the_log_files(app: AppTest, ran: IntegratedSystem, state_dir: Path) -> None:
    """A page says that the log has the details."""
    make_ready()
    told(ValueError("seven"))
    stop_logging()

    assert any("seven" in path.read_text() for path in (state_dir / "logs").glob("*.log"))


@pytest.mark.parametrize("broken", ["configuration", "state"])
def test_what_cannot_be_opened_is_told_to_who_comes_not_to_the_starter(
    app: AppTest, config: Path, state_dir: Path, broken: str
) -> None:
    """The server starts, and the page says what is wrong."""
    if broken == "configuration":
        config.write_text("{")
    else:
        state_dir.write_text("a file where the directory should be")

    make_ready()

    app.run()
    assert not app.exception
    assert any("orchestrator.json" in str(text.value) or "is not a directory" in str(text.value) for text in app.text)
