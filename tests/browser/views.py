"""Every page, and every part of one that has an address of its own."""

from collections.abc import Collection, Iterable
from typing import Any

import pytest

from dashboard.screens.dataset import PARTS
from dashboard.shell import PAGES

__all__ = ["VIEWS", "address", "short_of"]

VIEWS: dict[str, str] = {
    # What it is called: its address.
    **{page: "" if page == "overview" else page for page in PAGES if page != "dataset"},
    **{f"dataset-{part}": f"dataset?dataset=orders&part={part}" for part in PARTS},
    "dataset-texts": "dataset?dataset=texts",
    "dataset-empty": "dataset?dataset=empty",
    "dataset-broken": "dataset?dataset=gone",
    "run": "runs?run={run}",
    "run-events": "runs?run={run}&view=events",
    "run-logs": "runs?run={run}&view=logs",
    "event": "events?event={event}",
    "quarantine": "quality?dataset=texts",
    "past": "?as_of={then}",
}


def address(view: str, **known: object) -> str:
    """Where a view lies, its run, event and moment filled in."""
    return VIEWS[view].format(**known)


def short_of(names: Iterable[str], daily: Collection[str]) -> list[Any]:
    """Each of them as a parameter; those that are not looked at daily are in the full counts only."""
    return [pytest.param(name, marks=() if name in daily else pytest.mark.prove, id=name) for name in names]
