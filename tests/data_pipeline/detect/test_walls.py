"""Whose clock and whose days off a dataset's figures go by."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from data_pipeline.detect.walls import Walls
from tests.integration.installation import Installation

OFFICE = {"calendars": {"office": {"weekdays": ["mon", "tue", "wed", "thu", "fri"], "holidays": ["2026-05-14"]}}}


@pytest.mark.parametrize(
    ("dataset", "zone"),
    [
        ({}, "Europe/Rome"),
        ({"zone": "Asia/Tokyo"}, "Asia/Tokyo"),
        ({"zone": "Asia/Tokyo", "promise": {"due": "09:00", "zone": "Europe/Paris"}}, "Europe/Paris"),
        (
            {"promise": {"due": "09:00", "zone": "Europe/Paris"}, "schedule": {"every": "1h", "zone": "Europe/Berlin"}},
            "Europe/Berlin",
        ),
    ],
    ids=["the installation's", "its own", "its promise's", "its schedule's"],
)
def test_the_nearest_zone_counts(tmp_path: Path, dataset: dict[str, Any], zone: str) -> None:
    """What says most about when the data comes goes first."""
    made = Installation(tmp_path)
    made.configure(
        {"name": "fx", "provider": "p", "collect": {"kind": "simulated"}, **dataset}, app={"zone": "Europe/Rome"}
    )

    with made.system() as system:
        wall = Walls(system.settings).of(system.settings.datasets[0])

    assert (wall.zone, wall.calendar) == (zone, None)


def test_the_calendar_of_the_promise_has_the_days_off(tmp_path: Path) -> None:
    """The same object each time, so that datasets that share it are judged together."""
    made = Installation(tmp_path)
    promise = {"due": "09:00", "calendar": "office"}
    made.configure({"name": "fx", "provider": "p", "collect": {"kind": "simulated"}, "promise": promise}, **OFFICE)

    with made.system() as system:
        walls = Walls(system.settings)
        one, other = (walls.of(system.settings.datasets[0]) for _ in range(2))

    assert one == other
    assert one.calendar is not None
    assert not one.calendar.is_open(date(2026, 5, 14))
    assert one.calendar.is_open(date(2026, 5, 13))
