"""The disk cache: lazy, private, shared by processes, and careless about losing everything."""

import errno
import os
import resource
import shutil
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from config.sections import CacheSettings
from tests.processes import PROCESSES
from utils.cache import DiskCache, Entry
from utils.clock import ManualClock

LIMIT = 16 << 20


class Told:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, event: str, data: dict[str, Any]) -> None:
        self.events.append((event, data))


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def cache(tmp_path: Path, told: Told) -> DiskCache:
    return DiskCache(tmp_path / "cache", size_limit=LIMIT, clock=ManualClock(), listener=told)


def test_an_unused_cache_costs_nothing(tmp_path: Path) -> None:
    """Making one, looking something up and asking for statistics imports no diskcache and writes no file."""
    code = (
        "import sys; from pathlib import Path; from utils.cache import DiskCache\n"
        f"cache = DiskCache(Path({str(tmp_path / 'cache')!r}), size_limit=1 << 20)\n"
        "assert cache.get('key') is None and not cache.delete('key') and cache.purge().entries == 0\n"
        "assert cache.evict('tag') == cache.clear() == cache.statistics().bytes == 0\n"
        "assert not {'diskcache', 'sqlite3', 'pyarrow', 'pandas'} & set(sys.modules)"
    )

    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])

    assert list(tmp_path.iterdir()) == []


def test_values_outlive_the_process(tmp_path: Path) -> None:
    """Another object over the same directory finds them."""
    first = DiskCache(tmp_path / "cache", size_limit=LIMIT, clock=ManualClock())
    first.set("key", {"a": 1}, ttl=60)
    first.close()

    hit = DiskCache(tmp_path / "cache", size_limit=LIMIT, clock=ManualClock()).get("key")

    assert hit is not None
    assert hit.value == {"a": 1}


def test_everything_is_private(cache: DiskCache, tmp_path: Path) -> None:
    """Directories have mode 0700 and files 0600, whatever the umask, in rows and in files."""
    before = os.umask(0)
    try:
        cache.set("small", 1, ttl=60)
        cache.set("large", b"x" * 100_000, ttl=60)
    finally:
        os.umask(before)

    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in [tmp_path / "cache", *tmp_path.rglob("*")]}

    assert any(path.suffix == ".val" for path in modes)
    assert all(mode == (0o700 if path.is_dir() else 0o600) for path, mode in modes.items()), modes


def test_an_open_directory_is_made_private(tmp_path: Path) -> None:
    """A directory that was there with loose rights is tightened at the first open."""
    (tmp_path / "cache").mkdir(mode=0o755)

    DiskCache(tmp_path / "cache", size_limit=LIMIT).set("key", 1, ttl=60)

    assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) == 0o700


def test_the_directory_may_be_deleted_in_use(cache: DiskCache, tmp_path: Path, told: Told) -> None:
    """What it held is missing, the next set makes it anew, and nobody is alarmed."""
    cache.set("small", 1, ttl=60)
    cache.set("large", b"x" * 100_000, ttl=60)

    shutil.rmtree(tmp_path / "cache")

    assert cache.get("small") is None
    assert cache.get("large") is None
    assert cache.delete("small") is False
    assert cache.purge().entries == cache.clear() == cache.evict("x") == 0
    assert cache.set("large", b"y" * 100_000, ttl=60)
    hit = cache.get("large")
    assert hit is not None
    assert hit.value == b"y" * 100_000
    assert told.events == []


def test_the_directory_may_be_emptied_in_use(cache: DiskCache, tmp_path: Path) -> None:
    """`rm -rf cache/*` is the same."""
    cache.set("large", b"x" * 100_000, ttl=60)
    for entry in (tmp_path / "cache").iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()

    assert cache.get("large") is None
    assert cache.set("large", b"x" * 100_000, ttl=60)
    assert cache.get("large") is not None


def test_a_deletion_under_working_threads_is_only_misses(tmp_path: Path) -> None:
    """Four threads go on while the directory is deleted again and again; what they get is right or missing."""
    clock = ManualClock()
    cache = DiskCache(tmp_path / "cache", size_limit=LIMIT, clock=clock)
    wrong: list[object] = []

    def work(name: str) -> None:
        for i in range(60):
            value = {"name": name, "i": i, "pad": "x" * (50_000 if i % 5 == 0 else 10)}
            cache.set(f"{name}-{i}", value, ttl=60)
            hit = cache.get(f"{name}-{i}")
            if hit is not None and hit.value != value:
                wrong.append(hit)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)
        threads[0].join(0.01)
    for thread in threads:
        thread.join()

    clock.advance(2)

    assert wrong == []
    assert cache.set("after", 1, ttl=60)
    assert cache.get("after") is not None


def test_a_missing_value_file_is_a_miss(cache: DiskCache, tmp_path: Path, told: Told) -> None:
    """Somebody deleted one file: that value is missing, and can be stored again."""
    cache.set("large", b"x" * 100_000, ttl=60)
    next((tmp_path / "cache").rglob("*.val")).unlink()

    assert cache.get("large") is None
    assert told.events == []
    assert cache.set("large", b"y" * 100_000, ttl=60)
    assert cache.get("large") is not None


def test_replaced_and_deleted_values_leave_no_files(cache: DiskCache, tmp_path: Path) -> None:
    """The disk holds one file a large value, and none once it is gone."""
    for i in range(5):
        cache.set("large", bytes([i]) * 100_000, ttl=60)
    assert len(list(tmp_path.rglob("*.val"))) == 1

    cache.delete("large")

    assert list(tmp_path.rglob("*.val")) == []


def test_purge_sweeps_files_without_a_row(tmp_path: Path) -> None:
    """A file left by a killed process goes after an hour, not before, and no value with it."""
    clock = ManualClock()
    cache = DiskCache(tmp_path / "cache", size_limit=LIMIT, clock=clock)
    cache.set("large", b"x" * 100_000, ttl=1e6)
    mine = next(tmp_path.rglob("*.val"))
    (tmp_path / "cache" / "ab").mkdir(exist_ok=True)
    orphan = tmp_path / "cache" / "ab" / ("0" * 30 + ".val")
    orphan.write_bytes(b"z" * 1000)
    for path in (mine, orphan):
        os.utime(path, (clock.time(), clock.time()))

    assert cache.purge().bytes == 0
    clock.advance(3601)

    assert cache.purge().bytes == 1000
    assert not orphan.exists()
    assert cache.get("large") is not None


def test_purge_is_not_disturbed_by_another_that_is_quicker(
    cache: DiskCache, told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that was listed and is gone when it is looked at: it is done, the rest goes on."""
    cache.set("large", b"x" * 100_000, ttl=60)
    orphan = tmp_path / "cache" / "ab" / ("0" * 30 + ".val")
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_bytes(b"z")
    listed = Path.glob

    def list_and_lose(folder: Path, pattern: str) -> list[Path]:
        files = list(listed(folder, pattern))
        orphan.unlink(missing_ok=True)
        return files

    monkeypatch.setattr(Path, "glob", list_and_lose)

    cache.purge()

    assert told.events == []
    assert not orphan.exists()
    assert cache.get("large") is not None


def test_expired_values_leave_before_living_ones(tmp_path: Path) -> None:
    """When room is needed, what nobody can read any more goes first."""
    clock = ManualClock()
    cache = DiskCache(tmp_path / "cache", size_limit=4 << 20, clock=clock)
    cache.set("old but alive", b"a" * 500_000, ttl=1000)
    for i in range(5):
        cache.set(f"dead{i}", b"b" * 500_000, ttl=1)
    clock.advance(2)

    cache.set("new", b"c" * 1_500_000, ttl=1000)

    assert cache.get("old but alive") is not None
    assert cache.get("new") is not None
    assert cache.statistics().entries == 2


def test_stale_values_leave_before_fresh_ones(tmp_path: Path) -> None:
    """What is only kept for a failure makes room for what is in use, though it was stored later."""
    clock = ManualClock()
    cache = DiskCache(tmp_path / "cache", size_limit=4 << 20, clock=clock)
    cache.set("old but fresh", b"a" * 500_000, ttl=1000)
    for i in range(5):
        cache.set(f"stale{i}", b"b" * 500_000, ttl=1, stale=1000)
    clock.advance(2)

    cache.set("new", b"c" * 1_500_000, ttl=1000)

    assert cache.get("old but fresh") is not None
    assert cache.get("new") is not None
    assert cache.get("stale0", stale=1000) is None
    assert cache.get("stale4", stale=1000) is not None


def test_a_value_nearly_as_large_as_the_limit_is_kept(tmp_path: Path) -> None:
    """It may push everything else out, but not itself."""
    cache = DiskCache(tmp_path / "cache", size_limit=1 << 20)
    for i in range(20):
        cache.set(f"small{i}", b"x" * 10_000, ttl=60)

    assert cache.set("big", b"y" * 1_040_000, ttl=60)

    assert cache.get("big") is not None


@pytest.mark.parametrize("size_limit", [0, 1000, -1])
def test_a_limit_below_a_megabyte_is_refused(tmp_path: Path, size_limit: int) -> None:
    """An empty database already takes tens of kilobytes."""
    with pytest.raises(ValueError, match="size_limit"):
        DiskCache(tmp_path, size_limit=size_limit)


def test_a_path_that_diskcache_would_expand_is_refused(tmp_path: Path) -> None:
    """diskcache replaces `$HOME` in a path; the cache would be somewhere else."""
    with pytest.raises(ValueError, match="variable"):
        DiskCache(tmp_path / "$HOME", size_limit=LIMIT)


def _work(path: str, number: int, rounds: int) -> None:
    cache = DiskCache(Path(path), size_limit=LIMIT)
    for i in range(rounds):
        size = 60_000 if i % 10 == 0 else 50
        value = {"by": number, "i": i, "pad": "x" * size}
        stored = cache.set(f"shared-{i % 7}", value, ttl=60)
        own = cache.set(f"own-{number}-{i}", value, ttl=60)
        hit = cache.get(f"own-{number}-{i}")
        shared = cache.get(f"shared-{i % 7}")
        assert stored
        assert own
        assert hit is not None
        assert hit.value == value
        assert shared is None or len(shared.value["pad"]) in {50, 60_000}
        if i % 20 == 0:
            cache.purge()


def test_four_processes_share_one_cache(tmp_path: Path) -> None:
    """All open it at once for the first time, set and get together; nothing is lost, mixed up or left over."""
    events = Told()
    processes = [PROCESSES.Process(target=_work, args=(str(tmp_path / "cache"), n, 40)) for n in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)

    cache = DiskCache(tmp_path / "cache", size_limit=LIMIT, listener=events)

    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    assert cache.statistics().entries == 4 * 40 + 7
    assert all(cache.get(f"own-{n}-{i}") for n in range(4) for i in range(40))
    assert events.events == []
    assert list(tmp_path.glob("*.corrupt*")) == []


def test_threads_share_one_cache(cache: DiskCache) -> None:
    """Eight threads store and find 200 values; the counts are exact."""

    def work(number: int) -> None:
        for i in range(25):
            cache.set(f"{number}-{i}", [number, i], ttl=60)
            hit = cache.get(f"{number}-{i}")
            assert hit is not None
            assert hit.value == [number, i]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    statistics = cache.statistics()
    assert (statistics.entries, statistics.sets, statistics.hits) == (200, 200, 200)


def test_a_full_disk_is_not_stored_and_told_once(cache: DiskCache, told: Told, tmp_path: Path) -> None:
    """With a real limit on file sizes large and small sets answer False, gets miss, and afterwards all works again."""
    cache.set("before", 1, ttl=60)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64_000, hard))
    try:
        large = cache.set("large", b"x" * 500_000, ttl=60)
        again = cache.set("large", b"x" * 500_000, ttl=60)
        many = cache.set_many([Entry(f"k{i}", "y" * 20_000, 60) for i in range(50)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))

    assert (large, again, many) == (False, False, 0)
    assert [event for event, _ in told.events] == ["cache.unavailable"]
    assert list(tmp_path.rglob("*.val")) == []
    assert cache.get("k0") is None
    assert cache.get("before") is not None
    assert cache.set("large", b"x" * 500_000, ttl=60)
    assert cache.get("large") is not None
    assert list(tmp_path.glob("*.corrupt*")) == []


def test_no_space_left_leaves_no_partial_file(
    cache: DiskCache, told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ENOSPC in the middle of a value: not stored, nothing left behind, the reason in the event."""
    cache.set("before", 1, ttl=60)
    monkeypatch.setattr("utils.cache.safe.os.fdopen", _full)

    stored = cache.set("large", b"x" * 100_000, ttl=60)

    assert stored is False
    assert list(tmp_path.rglob("*.val")) == []
    assert told.events[0][0] == "cache.unavailable"
    assert "No space left" in told.events[0][1]["reason"]
    assert cache.get("before") is not None


def _full(fd: int, *_: object, **__: object) -> None:
    os.close(fd)
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_place_where_no_cache_can_be_is_only_misses(tmp_path: Path, told: Told) -> None:
    """A parent that is a file: nothing stored, nothing raised, told once, and working once the place is there."""
    (tmp_path / "file").write_text("in the way")
    clock = ManualClock()
    cache = DiskCache(tmp_path / "file" / "cache", size_limit=LIMIT, clock=clock, listener=told)

    assert cache.set("key", 1, ttl=60) is False
    assert cache.set("key", 1, ttl=60) is False
    assert cache.get("key") is None
    assert [event for event, _ in told.events] == ["cache.unavailable"]

    (tmp_path / "file").unlink()
    clock.advance(2)

    assert cache.set("key", 1, ttl=60)


def test_a_locked_database_is_not_stored_after_the_wait(
    cache: DiskCache, told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process holds the write lock for too long: False and a reason, no damage claimed; reading goes on."""
    import sqlite3

    monkeypatch.setattr("utils.cache.disk._LOCK_WAIT_S", 0.05)
    cache.set("key", 1, ttl=60)
    other = sqlite3.connect(tmp_path / "cache" / "cache.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    stored = cache.set("key", 2, ttl=60)
    hit = cache.get("key")
    other.close()

    assert stored is False
    assert hit is not None
    assert hit.value == 1
    assert told.events == [("cache.unavailable", {"path": str(tmp_path / "cache"), "reason": "database is locked"})]
    assert cache.set("key", 3, ttl=60)


def test_the_smallest_cache_that_can_be_configured_keeps_values(tmp_path: Path) -> None:
    """`cache.size_limit: 1MB` is accepted by the configuration, so it has to work."""
    limit = CacheSettings.model_validate({"size_limit": "1MB"}).size_limit
    cache = DiskCache(tmp_path / "cache", size_limit=limit)

    assert cache.set("key", b"x" * 1000, ttl=60)
    assert cache.get("key") is not None
    cache.close()
