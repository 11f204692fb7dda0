"""Schedules are named as datasets to run are: by name, by tag, with all above or below."""

from pathlib import Path
from typing import Any

import pytest

from data_pipeline.errors import PipelineError
from operations.actor import Actor
from operations.schedules import listed, pause
from tests.integration.installation import Installation


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    found = Installation(tmp_path)
    every: dict[str, Any] = {"schedule": {"every": "1h"}}
    simulated: dict[str, Any] = {"collect": {"kind": "simulated"}}
    found.configure(
        {"name": "orders", "tags": ["shop"], **simulated, **every},
        {"name": "shops", "tags": ["shop"], **simulated},
        {"name": "daily", "depends_on": ["orders"], **simulated, **every},
    )
    return found


@pytest.mark.parametrize(
    ("selectors", "names"),
    [(["tag:shop"], ["orders"]), (["orders+"], ["orders", "daily"]), (["daily"], ["daily"]), ([], ["orders", "daily"])],
    ids=["a tag", "what needs it", "a name", "all"],
)
def test_those_of_a_selection_that_have_a_schedule(
    installation: Installation, selectors: list[str], names: list[str]
) -> None:
    """Others of the tag are run by hand, and nobody minds."""
    with installation.system() as system:
        assert [*pause(system, Actor("ann"), selectors).schedules] == names
        assert [one.dataset for one in listed(system, selectors).schedules] == names


@pytest.mark.parametrize(
    ("selector", "told"),
    [("shops", "shops has no schedule"), ("+shops", "no dataset of \\+shops has a schedule")],
    ids=["a name without one", "a selection without any"],
)
def test_where_there_is_none_it_is_said(installation: Installation, selector: str, told: str) -> None:
    """Else somebody would think that it is paused now."""
    with installation.system() as system, pytest.raises(PipelineError, match=told):
        pause(system, Actor("ann"), [selector])
