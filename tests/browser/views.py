"""Every page, and every part of one that has an address of its own."""

from dashboard.screens.dataset import PARTS
from dashboard.shell import PAGES

__all__ = ["VIEWS", "address"]

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
