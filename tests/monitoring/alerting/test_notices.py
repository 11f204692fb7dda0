"""From events of incidents to the outbox: each message once, whatever comes twice or in a form that nobody knows."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from monitoring.alerting.alert_files import AlertFiles
from monitoring.alerting.incident import Cause, Incident, IncidentNews, Notice, NoticeKind
from monitoring.alerting.notices import Notices, is_behind
from monitoring.alerting.situation import DatasetStanding, ProviderStanding
from operations.kept import MIGRATIONS
from tests.monitoring.alerting.posts import World
from utils.clock import ManualClock
from utils.database import StateError
from utils.events import NewEvent
from utils.events.cursors import Cursors
from utils.events.following import Following

SINCE = "2026-01-01T00:00:00.000000Z"


class Silent:
    """An installation of which nothing is known."""

    zone = "UTC"
    app = "ours"

    def datasets(self, names: Sequence[str]) -> list[DatasetStanding]:
        return []

    def provider(self, name: str, since: datetime) -> ProviderStanding:
        return ProviderStanding(name)

    def command(self, arguments: str) -> str:
        return f"orchestrator {arguments}"

    def link(self, incident: str) -> str:
        return ""

    def redacted(self, text: str) -> str:
        return text


class Broken(Silent):
    """One that cannot be asked."""

    def provider(self, name: str, since: datetime) -> ProviderStanding:
        raise ZeroDivisionError("no night without surprises")


class Away(Silent):
    """One whose database is away."""

    def provider(self, name: str, since: datetime) -> ProviderStanding:
        raise StateError("the database is away", transient=True)


@pytest.fixture
def world(address: str) -> Iterator[World]:
    made = World(address, ManualClock(), migrations=MIGRATIONS)
    yield made
    made.close()


def news(notice: NoticeKind | None, *to: str, kind: Any = "provider", about: str = "ecb") -> NewEvent:
    cause = Cause("dataset_failed", "dataset.failed", "fx", 1, SINCE, SINCE)
    incident = Incident(
        *("1a2b3c4d", kind, about, f"{kind}:{about}", "error", "resolved" if notice == "over" else "open", SINCE),
        rules=("dataset_failed",),
        datasets=("fx",),
        causes=(cause,),
        to=to,
        resolved_at=SINCE if notice == "over" else None,
    )
    type_ = "incident.resolved" if notice == "over" else "incident.opened"
    told = None if notice is None else Notice(notice, to)
    return NewEvent(type_, incident.id, IncidentNews(incident, told).to_json(), source="alerting")


def follow(world: World, folder: Path, situation: Any = None) -> Following:
    """To the end of the log, as after a kill: by a reader that knows no more than the database."""
    notices = Notices(world.outbox, lambda: situation or Silent(), AlertFiles(folder), clock=world.clock)
    following = Following(notices.consumer(), world.events, Cursors(world.events, clock=world.clock), clock=world.clock)
    while following.step() == 0.0:
        pass
    following.close()
    return following


def test_each_channel_gets_what_it_is_to_be_told(world: World, tmp_path: Path) -> None:
    """With the words of the message, once, though somebody reads the log again; and each alert is a file."""
    world.events.append([news(None, "team"), news("begun", "team", "ops")])
    assert is_behind(world.database)
    follow(world, tmp_path)
    behind = is_behind(world.database)
    with world.database.transaction() as connection:
        connection.execute("UPDATE cursors SET seq = 0")
    follow(world, tmp_path)
    letters = world.outbox.undelivered()

    assert not behind
    assert [(one.channel, one.message.kind, one.thread) for one in letters] == [
        ("ops", "opened", "1a2b3c4d"),
        ("team", "opened", "1a2b3c4d"),
    ]
    assert letters[0].message.title.startswith("fx failed")
    assert [line["kind"] for line in AlertFiles(tmp_path).index()] == ["opened"]


def test_a_channel_is_not_told_that_it_does_not_answer(world: World, tmp_path: Path) -> None:
    """The others are."""
    world.events.append([news("begun", "team", "ops", kind="channel", about="team")])
    follow(world, tmp_path)

    assert [one.channel for one in world.outbox.undelivered()] == ["ops"]


def test_what_cannot_be_told_well_is_told_badly(world: World, tmp_path: Path) -> None:
    """In the middle of a night half a message is better than none."""
    world.events.append([news("begun", "team")])
    follow(world, tmp_path, Broken())
    (letter,) = world.outbox.undelivered()

    assert letter.message.title == "ecb: wrong (dataset_failed)"
    assert "why 1a2b3c4d" in letter.message.text


def test_a_database_that_is_away_is_waited_for(world: World, tmp_path: Path) -> None:
    """A message that could be written well in a moment is not written badly now."""
    world.events.append([news("begun", "team")])
    follow(world, tmp_path, Away())
    assert world.outbox.undelivered() == []

    follow(world, tmp_path)
    assert len(world.outbox.undelivered()) == 1


def test_an_event_of_another_form_is_passed_over(world: World, tmp_path: Path) -> None:
    """A later release, or a tool, wrote it; what comes after it is told."""
    world.events.append([NewEvent("incident.opened", "x", {"notice": {"kind": "sung"}}), news("begun", "team")])
    follow(world, tmp_path)

    assert [one.thread for one in world.outbox.undelivered()] == ["1a2b3c4d"]


def test_a_folder_that_takes_no_file_holds_up_no_message(world: World, tmp_path: Path) -> None:
    """The disk is full: that is what the message is about, maybe."""
    (tmp_path / "alerts").write_text("no folder")
    world.events.append([news("begun", "team")])
    follow(world, tmp_path / "alerts")

    assert len(world.outbox.undelivered()) == 1
