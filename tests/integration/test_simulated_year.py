"""A year unattended, on a clock that the test moves: every occurrence ran once, or was skipped with its reason."""

import random
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.unattended import Unattended
from tests.integration.wall_walk import MINUTE, DaysOff, utc

BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"
HOLIDAYS = frozenset(map(date.fromisoformat, ("2026-01-01", "2026-03-27", "2026-04-03", "2026-10-26", "2026-12-25")))
DAYS_OFF = {"bank": DaysOff(frozenset(range(5)), HOLIDAYS), "not_sunday": DaysOff(frozenset(range(6)))}
CHANGES = {
    "in Berlin in spring": (BERLIN, "2026-03-29 01:00"),
    "in Berlin in autumn": (BERLIN, "2026-10-25 01:00"),
    "in New York in spring": (NEW_YORK, "2026-03-08 07:00"),
    "in New York in autumn": (NEW_YORK, "2026-11-01 06:00"),
    "on Lord Howe by half an hour in autumn": (LORD_HOWE, "2026-04-04 15:00"),
    "on Lord Howe by half an hour in spring": (LORD_HOWE, "2026-10-03 15:30"),
}


def schedules(*zones: str) -> dict[str, dict[str, Any]]:
    """One of each kind and policy for each zone."""
    made: dict[str, dict[str, Any]] = {}
    for zone in zones:
        here = zone.rpartition("/")[2].lower()
        made |= {
            f"{here}-quarters": {"cron": "*/15 * * * *", "zone": zone, "missed": "all"},
            f"{here}-hours": {"cron": "5 * * * *", "zone": zone, "missed": "skip"},
            f"{here}-night": {"cron": "30 2 * * *", "zone": zone},
            f"{here}-edges": {"cron": "0,15,45 1-3 * * *", "zone": zone, "missed": "all"},
            f"{here}-bank": {"cron": "5 16 * * mon-fri", "zone": zone, "calendar": "bank", "jitter": "40s"},
            f"{here}-month": {"cron": "0 0 1,15 * 3", "zone": zone},
            f"{here}-often": {"every": "20m", "zone": zone, "calendar": "not_sunday", "missed": "skip"},
            f"{here}-slow": {"every": "90m", "jitter": "30s", "overlap": "queue"},
            f"{here}-slower": {"every": "50m", "overlap": "skip", "missed": "all"},
            f"{here}-replaced": {"every": "45m", "overlap": "replace"},
            f"{here}-window": {"every": "20m", "from": "16:00", "until": "18:00", "zone": zone, "calendar": "bank"},
            f"{here}-lost": {"every": "10m", "from": "02:15", "until": "02:45", "zone": zone, "missed": "all"},
            f"{here}-over": {"every": "25m", "from": "22:30", "until": "02:30", "zone": zone, "missed": "skip"},
            f"{here}-after": {"after": [f"{here}-window"]},
        }
    return made


def made(folder: Path, start: datetime, *zones: str, seed: int = 7) -> Unattended:
    """An installation with these schedules, some slow, one whose window brings its data at the third try."""
    asked = schedules(*zones)
    return Unattended(
        folder,
        asked,
        start=start,
        days_off=DAYS_OFF,
        slow={name: timedelta(hours=2) for name in asked if name.rpartition("-")[2] in {"slow", "slower", "replaced"}},
        bring_after={name: 3 for name in asked if name.endswith("-window")},
        seed=seed,
    )


def trouble(life: Unattended, until: datetime, dice: random.Random, *, outages: int, kills: int, others: int) -> None:
    """Outages of minutes to days, none beside another; kills; pauses; circuits that are open for a while."""
    whole = (until - life.start).total_seconds()
    names = [name for name, asked in life.schedules.items() if "after" not in asked]
    piece = whole / (outages + 1)
    for number in range(outages):
        longest = min(piece * 0.6, 4 * 86400.0)
        lasts = timedelta(seconds=dice.choice([0.002, 0.02, 0.2, 1.0]) * longest * dice.uniform(0.5, 1))
        life.outage(life.start + timedelta(seconds=piece * (number + dice.uniform(0.05, 0.3))), lasts)
    for number in range(kills):
        life.kill(life.start + timedelta(seconds=whole * (number + dice.random()) / kills), sleeps=number % 4 == 3)
    for number in range(others):
        piece = whole / others
        at = life.start + timedelta(seconds=piece * (number + 0.4 * dice.random()))
        what = life.pause if number % 2 else life.shut
        what(dice.choice(names), at, timedelta(seconds=piece * dice.uniform(0.01, 0.5)))


@pytest.fixture(params=list(CHANGES.values()), ids=list(CHANGES))
def around_a_change(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Unattended, datetime]]:
    """An installation most of a day before clocks change, and a moment most of a day after."""
    zone, at = request.param
    life = made(tmp_path, utc(at) - timedelta(hours=22), zone)
    yield life, utc(at) + timedelta(hours=18)
    life.close()


def test_every_occurrence_around_a_clock_change_ran_once_or_was_skipped_with_its_reason(
    around_a_change: tuple[Unattended, datetime],
) -> None:
    """With outages, leaders that die, pauses and open circuits, by the walk past the clock on the wall."""
    life, until = around_a_change
    trouble(life, until, random.Random(11), outages=3, kills=3, others=4)

    life.live(until + MINUTE)
    number, wrong = life.accounted(until)

    assert wrong == []
    assert number > 300
    assert life.happened.kills == 3


@pytest.mark.prove
def test_a_year_unattended(tmp_path: Path) -> None:
    """300,000 occurrences in four zones, 40 outages, 20 leaders killed: none lost, none twice, none invented."""
    start, until = utc("2026-01-01 00:00"), utc("2027-01-01 00:00")
    life = made(tmp_path, start, BERLIN, NEW_YORK, LORD_HOWE, "UTC")
    trouble(life, until, random.Random(2026), outages=40, kills=20, others=60)
    try:
        life.live(until + MINUTE)
        number, wrong = life.accounted(until)
    finally:
        life.close()

    assert wrong[:20] == []
    assert number >= 300_000
    assert life.happened.kills == 20
