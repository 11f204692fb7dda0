"""A disk that fills up, for real (64 MB, in memory): what goes, in which order, what stays, and what is said of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.housekeeping import overdue
from operations.maintain import maintain
from operations.room import biggest, disk_of, is_full
from operations.shedding import ORDER, Shed, hours_left, shed
from tests.operations.small_disk import SmallDisk, small_disk
from utils.database import StateError

ANNA = Actor("anna")
CRITICAL = {"monitor": {"thresholds": {"disk": [1, 2]}}}
"""With these thresholds the disk of a test is always critical."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path) as made:
        made.live()
        yield made


def what_stays(disk: SmallDisk, system: IntegratedSystem) -> dict[str, Any]:
    """All that is never shed, as readers and people find it."""
    rows = {name: disk.rows(name) for name in ("orders", "prices", "stock")}
    held = [one for one in system.views.versions() if one.state == "held"]
    quarantined = [(one, system.storage.read_bytes(one.path)) for one in system.views.quarantined()]
    return {
        "rows": {name: [row["text"] for row in found] for name, found in rows.items()},
        "held": [(one.dataset, one.version, system.storage.exists(one.path)) for one in held],
        "quarantined": quarantined,
        "waits for a sink": system.outbox.waiting(system.settings.datasets[1]),
        "newest raw": {one.dataset: one.run_id for one in system.raw.captures()},
    }


def names(found: Shed) -> list[str]:
    """The steps in which something went."""
    return [step.name for step in found.steps if step.count or step.freed]


def test_it_goes_in_order_and_only_as_far_as_it_must(disk: SmallDisk) -> None:
    """One byte more is needed each time: the next in order gives it, and nothing after it is touched."""
    disk.configure_anew(**CRITICAL)
    with disk.system(disk.later()) as system:
        seen: list[list[str]] = []
        for _ in range(40):
            before = disk_of(disk.disk)
            found = shed(system, ANNA, below=before.percent - 0.001)
            if not found:
                break
            seen.append(names(found))
            assert disk_of(disk.disk).free > before.free
    flat = [name for step in seen for name in step]
    assert list(dict.fromkeys(flat)) == list(ORDER)
    assert flat == sorted(flat, key=ORDER.index)
    assert flat.count("raw") > 3  # one after the other, as it was needed


def test_last_good_held_quarantine_log_and_outbox_are_whole(disk: SmallDisk) -> None:
    """All that may go has gone; what readers see, what waits for somebody, and the log are as they were."""
    disk.configure_anew(**CRITICAL)
    with disk.system(disk.later()) as system:
        before = what_stays(disk, system)
        assert len(before["quarantined"]) == 2
        assert before["held"][0][2]
        assert before["waits for a sink"]
        versions = system.views.versions()
        found = shed(system, ANNA, below=0.1)
        assert names(found)[:4] == list(ORDER)[:4]
        assert what_stays(disk, system) == before
        assert system.events.verify().fault is None
        left = [(one.dataset, one.state) for one in system.views.versions()]
        assert len(left) < len(versions)
        assert left.count(("orders", "accepted")) == left.count(("stock", "accepted")) == 1
        assert system.results.last_good(system.views.current()["orders"]) is not None
        before_rebuild = [(one.dataset, one.version, one.state) for one in system.views.versions()]
        system.events.rebuild()
        assert [(one.dataset, one.version, one.state) for one in system.views.versions()] == before_rebuild
    assert [run.status for run in disk.run("orders", fresh=True).datasets] == ["succeeded"]


def test_what_is_said_names_the_biggest_consumers_and_the_time_left(disk: SmallDisk) -> None:
    """In the words, in the event, and with the figures for programs."""
    disk.fill(97.0)
    with disk.system(disk.later()) as system:
        free = disk_of(disk.disk).free
        found = shed(system, ANNA, pace=[(0.0, free + 1_000_000), (60.0, free)])
        (event,) = system.events.read(type="disk.shed")
    assert found.hours_left == pytest.approx(free / 1_000_000 / 60, rel=0.01)
    assert [one.name for one in found.consumers][:2] == ["what is not ours", "the cache"]
    assert len(found.consumers) == 3
    assert "at the present pace it is full " in found.words
    assert all(one.name in found.words for one in found.consumers)
    assert event.data == {"actor": "anna", "removed": [], **found.to_json()}
    assert event.data["before"]["percent"] == pytest.approx(97.0, abs=0.5)


def test_where_others_fill_the_disk_old_versions_stay(disk: SmallDisk) -> None:
    """Short of critical, what cannot be had again goes only when that makes the difference."""
    disk.fill(90.0)
    with disk.system(disk.later()) as system:
        versions, captures = system.views.versions(), system.raw.captures()
        assert names(shed(system, ANNA)) == ["temporary", "cache"]
        assert (system.views.versions(), system.raw.captures()) == (versions, captures)
        some = disk_of(disk.disk).percent - 0.5
        assert names(shed(system, ANNA, below=some))[0] == "raw"
        assert system.views.versions() == versions


def test_a_dry_run_says_what_would_go(disk: SmallDisk) -> None:
    """The same steps and bytes; nothing has gone, and nothing is in the log."""
    disk.configure_anew(**CRITICAL)
    with disk.system(disk.later()) as system:
        before = what_stays(disk, system), system.views.versions(), system.raw.captures()
        told = shed(system, ANNA, below=0.1, dry_run=True)
        assert (what_stays(disk, system), system.views.versions(), system.raw.captures()) == before
        assert system.events.read(type="disk.shed") == []
        assert "would free" in told.words.lower()
        done = shed(system, ANNA, below=0.1)
    assert set(names(told)) == set(names(done)) == set(ORDER)
    assert told.freed == pytest.approx(done.freed, rel=0.2)


def test_versions_stay_as_long_as_the_log_cannot_say_that_they_go(
    disk: SmallDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version that the log knows and whose file is gone would be damaged. All before goes, and makes room."""
    disk.configure_anew(**CRITICAL)
    with disk.system(disk.later()) as system:
        versions = system.views.versions()

        def full(_: object) -> None:
            raise StateError("the disk is full", hint="make room")

        monkeypatch.setattr(system.events, "append", full)
        assert names(shed(system, ANNA, below=0.1)) == ["temporary", "cache", "raw", "logs"]
        assert system.views.versions() == versions
        assert all(system.storage.exists(one.path) for one in versions if one.state == "accepted")


def test_a_disk_without_any_room_is_shed_too(disk: SmallDisk) -> None:
    """Not a byte is free: what goes first takes no room to go, and then the log can be written again."""
    with disk.system(disk.later()) as system:
        before = what_stays(disk, system)
        disk.fill(100.0)
        assert disk_of(disk.disk).free < 4096 * 2
        assert names(shed(system, ANNA))[:2] == ["temporary", "cache"]
        assert disk_of(disk.disk).free > 1_000_000
        assert what_stays(disk, system) == before
        assert len(system.events.read(type="disk.shed")) >= 1
    assert [run.status for run in disk.run("orders", fresh=True).datasets] == ["succeeded"]


def test_a_full_disk_makes_maintenance_due_but_not_every_minute(disk: SmallDisk) -> None:
    """Ten minutes after the last one, and not after hours."""
    clock = disk.later()
    with disk.system(clock) as system:
        maintain(system, ANNA, seconds=0.0)
        disk.fill(99.0)
        assert not overdue(system)
        clock.advance(601.0)
        assert overdue(system)
        disk.fill(50.0)
        assert not overdue(system)


def test_maintenance_sheds_on_a_full_disk_and_not_before(disk: SmallDisk) -> None:
    """A disk that is full makes maintenance due; it begins with room."""
    with disk.system(disk.later()) as system:
        assert not is_full(system)
        assert "disk" not in [step.name for step in maintain(system, ANNA).steps]
        disk.fill(99.0)
        assert is_full(system)
        (step,) = [step for step in maintain(system, ANNA).steps if step.name == "disk"]
        assert step.freed > 0
        assert "99 % full" in step.detail
        assert not system.events.read(type="host.disk_relieved")
        disk.fill(50.0)
        for _ in range(2):
            maintain(system, ANNA)
        assert len(system.events.read(type="host.disk_relieved")) == 1  # who was told of it hears the end


def test_consumers_are_told_by_what_they_are(disk: SmallDisk) -> None:
    """Of the storage by dataset; all else on this disk is one of them."""
    with disk.system() as system:
        found = {one.name: one.bytes for one in biggest(system, disk_of(disk.disk), most=50)}
    assert {"the cache", "log files", "temporary files", "log, views and history"} <= set(found)
    assert {f"{what} of orders" for what in ("versions", "raw answers")} <= set(found)
    assert "held batches of stock" in found
    assert found["raw answers of orders"] >= 4 * 160_000
    assert sum(found.values()) <= disk_of(disk.disk).used


@pytest.mark.parametrize(
    ("pace", "expected"),
    [
        pytest.param([], None, id="nobody has looked"),
        pytest.param([(0.0, 10)], None, id="one look"),
        pytest.param([(0.0, 10), (60.0, 10)], None, id="it stands still"),
        pytest.param([(0.0, 10), (60.0, 20)], None, id="it empties"),
        pytest.param([(60.0, 20), (60.0, 10)], None, id="at one moment"),
        pytest.param([(0.0, 7200), (1800.0, 5400), (3600.0, 3600)], 1.0, id="it fills"),
    ],
)
def test_the_time_left_is_known_only_of_a_disk_that_fills(pace: list[tuple[float, int]], expected: float) -> None:
    """At the pace from the first look to the last."""
    assert hours_left(pace) == expected
