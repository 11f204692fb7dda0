"""The page as Streamlit draws it, in every state, without a browser."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from dashboard.shell import PAGES
from integrated_system import IntegratedSystem
from operations.run import run
from tests.dashboard.configuration import write_configuration
from tests.dashboard.conftest import ACTOR

STATES = ["no data yet", "ran", "harmful names", "broken configuration", "unusable state"]


def _texts(app: AppTest) -> str:
    assert not app.exception
    return "\n".join(str(text.value) for text in app.text)


def _go_to(app: AppTest, page: str) -> None:
    """What a link does; `switch_page` knows scripts only."""
    app._page_hash = calc_hash(page)


def _bring_about(state: str, config: Path, state_dir: Path) -> None:
    if state == "broken configuration":
        config.write_text('{"datasetz": []}')
    elif state == "unusable state":
        state_dir.write_text("a file where the directory should be")
    else:
        write_configuration(config.parent, harm=state == "harmful names")
        if state != "no data yet":
            with IntegratedSystem(config, state_dir=state_dir, environ={}) as system:
                run(system, ACTOR)


@pytest.mark.parametrize("page", list(PAGES))
@pytest.mark.parametrize("state", STATES)
def test_every_state_of_every_page_is_shown_without_an_exception(
    app: AppTest, config: Path, state_dir: Path, state: str, page: str
) -> None:
    """Nothing done yet, something done, a wrong configuration, an unusable state."""
    _bring_about(state, config, state_dir)

    _go_to(app, page)

    assert _texts(app.run())
