"""Damage at many places of every file: never a wrong value, never an exception, and the cache works again."""

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from utils.cache import DiskCache
from utils.cache.codec import HEADER_SIZE
from utils.clock import ManualClock

LIMIT = 16 << 20
VALUES: dict[str, Any] = {
    f"key-{number}": {"number": number, "pad": "p" * (5, 700, 9_000, 40_000)[number % 4]} for number in range(16)
}


def fill(path: Path) -> DiskCache:
    cache = DiskCache(path, size_limit=LIMIT, clock=ManualClock())
    for key, value in VALUES.items():
        cache.set(key, value, ttl=60)
    return cache


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache as a killed process leaves it: half of it in the write-ahead log."""
    path = tmp_path_factory.mktemp("killed") / "cache"
    cache = fill(path)
    with sqlite3.connect(path / "cache.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    for key, value in list(VALUES.items())[:8]:
        cache.set(key, value, ttl=60)
    copy = path.with_name("copy")
    shutil.copytree(path, copy)
    cache.close()
    (copy / "cache.db-shm").unlink()  # an index of the log that the next process makes anew
    assert (copy / "cache.db-wal").stat().st_size > 4096
    return copy


def cut(file: Path, place: int) -> None:
    with file.open("r+b") as opened:
        opened.truncate(place)


def flip(file: Path, place: int) -> None:
    with file.open("r+b") as opened:
        opened.seek(place)
        byte = opened.read(1)[0]
        opened.seek(place)
        opened.write(bytes([byte ^ 1 << place % 8]))


def wipe(file: Path, place: int) -> None:
    """A sector that the disk gives back as zeros."""
    with file.open("r+b") as opened:
        opened.seek(place // 512 * 512)
        opened.write(bytes(512))


@pytest.mark.parametrize(
    "steps", [14, pytest.param(300, marks=pytest.mark.prove)], ids=["some places", "hundreds of places"]
)
@pytest.mark.parametrize("damage", [cut, flip, wipe], ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("name", ["cache.db", "cache.db-wal", "value file"])
def test_damage_anywhere_is_a_miss_or_nothing(
    killed: Path, tmp_path: Path, name: str, damage: Callable[[Path, int], None], steps: int
) -> None:
    """What is found is right; a database that is no longer one is moved aside and told; then all is as new."""
    sizes = {file: file.stat().st_size for file in killed.rglob("*.val")}
    largest = max(sizes, key=lambda file: sizes[file])
    target = largest.relative_to(killed) if name == "value file" else Path(name)
    size = (killed / target).stat().st_size
    header = range(0, min(size, 120), 9 if steps < 100 else 1)
    places = sorted({*header, 18, *range(0, size, max(1, size // steps)), size - 1})
    for number, place in enumerate(places):
        told: list[tuple[str, dict[str, Any]]] = []
        path = tmp_path / str(number) / "cache"
        shutil.copytree(killed, path)
        damage(path / target, place)
        cache = DiskCache(
            path,
            size_limit=LIMIT,
            clock=ManualClock(),
            listener=lambda event, data, told=told: told.append((event, data)),
        )

        found = {key: hit for key in VALUES if (hit := cache.get(key)) is not None}
        cache.statistics()
        cache.purge()

        assert all(hit.value == VALUES[key] for key, hit in found.items()), (name, place)
        assert {event for event, _ in told} <= {"cache.set_aside"}, (name, place, told)
        lost = [data for _, data in told if data["what"] == "cache"]
        assert len(list(path.parent.glob("cache.corrupt-*"))) == len(lost) <= 1, (name, place)
        if name == "value file":
            assert len(found) >= len(VALUES) - 1, place
        for key, value in [*VALUES.items()] * 2:  # damage that only a write meets takes along what was set before it
            assert cache.set(key, value, ttl=60), (name, place, told)
        again = {key: hit.value for key in VALUES if (hit := cache.get(key)) is not None}
        assert again == VALUES, (name, place)
        cache.close()


def test_a_flipped_bit_in_a_row_is_a_miss_of_that_value_only(tmp_path: Path) -> None:
    """The database is whole, a value in it is not: header, digest, payload and the marks diskcache adds."""
    told: list[str] = []
    cache = DiskCache(
        tmp_path / "cache", size_limit=LIMIT, clock=ManualClock(), listener=lambda _, data: told.append(data["what"])
    )
    places = [*range(HEADER_SIZE), *range(HEADER_SIZE, HEADER_SIZE + 90, 7)]
    connection = sqlite3.connect(tmp_path / "cache" / "cache.db") if cache.set("other", 1, ttl=60) else None
    assert connection is not None
    for place in places:
        cache.set("key", {"pad": "p" * 100}, ttl=60)
        (whole,) = connection.execute("SELECT value FROM Cache WHERE key = 'key'").fetchone()
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        connection.execute("UPDATE Cache SET value = ? WHERE key = 'key'", (bytes(damaged),))
        connection.commit()

        assert cache.get("key", stale=1e9) is None, place

    connection.close()
    assert told == ["value"] * len(places)
    assert cache.get("other") is not None


@pytest.mark.parametrize("hours", [-1, 1], ids=["back", "forth"])
def test_a_clock_that_is_set_by_an_hour_costs_values_and_never_lies(tmp_path: Path, hours: int) -> None:
    """Set forth, values have expired; set back, those from the future are missing; both are computed again."""
    clock = ManualClock()
    cache = DiskCache(tmp_path / "cache", size_limit=LIMIT, clock=clock)
    cache.set("key", "old", ttl=600, stale=600)
    clock.set_back(-3600.0 * hours)

    assert cache.get("key", stale=600) is None
    assert cache.get_or_compute("key", lambda: "new", ttl=600, stale=600).value == "new"
    hit = cache.get("key")
    assert hit is not None
    assert (hit.value, hit.age_s, hit.stale) == ("new", 0.0, False)
    cache.purge()
    assert cache.get("key") is not None


def test_a_clock_that_is_put_right_finds_what_was_stored_before(tmp_path: Path) -> None:
    """A wrong clock for a moment destroys nothing, unless somebody purges meanwhile."""
    clock = ManualClock()
    cache = DiskCache(tmp_path / "cache", size_limit=LIMIT, clock=clock)
    cache.set("key", "old", ttl=600)
    for wrong in (3600.0, -3600.0):
        clock.set_back(wrong)
        assert cache.get("key") is None
        clock.set_back(-wrong)

    hit = cache.get("key")

    assert hit is not None
    assert hit.age_s == 0.0


def test_an_index_that_disagrees_with_its_rows_is_found_by_a_purge(tmp_path: Path) -> None:
    """SQLite says nothing of it: what is stored then would be looked for in the wrong place, and never found again."""
    fill(tmp_path / "cache").close()
    database = tmp_path / "cache" / "cache.db"
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'Cache_key_raw'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    content = bytearray(database.read_bytes())
    place = content.index(b"key-7", (page - 1) * size)
    content[place + 1] ^= 0x10
    database.write_bytes(content)
    told: list[tuple[str, dict[str, Any]]] = []
    cache = DiskCache(
        tmp_path / "cache",
        size_limit=LIMIT,
        clock=ManualClock(),
        listener=lambda event, data: told.append((event, data)),
    )

    cache.purge()

    assert [(event, data["what"]) for event, data in told] == [("cache.set_aside", "cache")]
    assert all(cache.set(key, value, ttl=60) for key, value in VALUES.items())
    assert {key: hit.value for key in VALUES if (hit := cache.get(key)) is not None} == VALUES
    cache.close()


def test_on_a_network_file_system_there_is_no_cache(tmp_path: Path) -> None:
    """SQLite's locks fail there: nothing is made, nothing stored, and one event says why."""
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"22 1 0:1 / / rw - ext4 /dev/root rw\n30 22 0:45 / {tmp_path}/far rw - nfs4 server:/export rw\n")
    told: list[tuple[str, dict[str, Any]]] = []
    cache = DiskCache(
        tmp_path / "far" / "cache",
        size_limit=LIMIT,
        clock=ManualClock(),
        listener=lambda event, data: told.append((event, data)),
        mounts=str(mounts),
    )

    assert cache.set("key", 1, ttl=60) is False
    assert cache.get("key") is None
    assert cache.get_or_compute("key", lambda: 2, ttl=60).value == 2
    assert [event for event, _ in told] == ["cache.unavailable"]
    assert "network file system (nfs4)" in told[0][1]["reason"]
    assert cache.trouble() == told[0][1]["reason"]
    assert not (tmp_path / "far").exists()
