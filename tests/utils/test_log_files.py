"""Log files: rotated by size and by day, gzipped behind the writers, kept by number and age, shared by processes."""

import gzip
import os
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.counts import few
from utils.file_lock import try_lock
from utils.log_archive import LogArchive
from utils.log_files import LogFile

DAY = 86_400.0
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp()


def archive(folder: Path, *, files: int = 100, age: float = 30 * DAY) -> LogArchive:
    return LogArchive(folder, files=files, age=age)


def written(folder: Path, name: str = "x.log") -> list[bytes]:
    """The lines of all files of a log, oldest first."""
    stem, _, suffix = name.partition(".")
    packed = sorted(folder.glob(f"{stem}-*Z.{suffix}.gz"))
    plain = sorted(folder.glob(f"{stem}-*Z.{suffix}"))
    whole = b"".join(gzip.decompress(path.read_bytes()) for path in packed)
    whole += b"".join(path.read_bytes() for path in (*plain, folder / name) if path.exists())
    return whole.splitlines()


def test_a_new_day_begins_a_new_file(tmp_path: Path) -> None:
    """At midnight in UTC, with the first line after it; the old one has the time of its rotation in its name."""
    kept = archive(tmp_path)
    log = LogFile(tmp_path / "x.log", size=1_000_000, archive=kept)
    log.write(b"noon\n", NOON)
    log.write(b"evening\n", NOON + DAY / 2 - 1)
    log.write(b"midnight\n", NOON + DAY / 2)
    log.close()
    kept.close()

    assert [path.name for path in sorted(tmp_path.glob("x-*"))] == ["x-20260102T000000.000000Z.log.gz"]
    assert (tmp_path / "x.log").read_bytes() == b"midnight\n"
    assert written(tmp_path) == [b"noon", b"evening", b"midnight"]


def test_a_file_of_another_day_is_rotated_by_the_next_process(tmp_path: Path) -> None:
    """One that ran yesterday and ended: its file's own time says so; an empty file is no file of any day."""
    (tmp_path / "x.log").write_bytes(b"yesterday\n")
    (tmp_path / "y.log").touch()
    for path in tmp_path.glob("*.log"):
        os.utime(path, (NOON - DAY, NOON - DAY))
    kept = archive(tmp_path)
    for name in ("x.log", "y.log"):
        log = LogFile(tmp_path / name, size=1_000_000, archive=kept)
        log.write(b"today\n", NOON)
        log.close()
    kept.close()

    assert (tmp_path / "x.log").read_bytes() == b"today\n"
    assert written(tmp_path) == [b"yesterday", b"today"]
    assert list(tmp_path.glob("y-*")) == []


def test_a_clock_that_is_set_back_loses_nothing(tmp_path: Path) -> None:
    """The lines go on in the file that is there; no file is rotated for a day that comes twice."""
    kept = archive(tmp_path)
    log = LogFile(tmp_path / "x.log", size=1_000_000, archive=kept)
    for number, now in enumerate((NOON, NOON + DAY, NOON - 3 * DAY, NOON, NOON + DAY)):
        log.write(b"%d\n" % number, now)
    log.close()
    kept.close()

    assert sorted(written(tmp_path)) == [b"0", b"1", b"2", b"3", b"4"]


def test_rotations_at_one_moment_have_names_of_their_own(tmp_path: Path) -> None:
    """A clock that stands still takes no file's place."""
    kept = archive(tmp_path)
    log = LogFile(tmp_path / "x.log", size=4, archive=kept)
    for number in range(6):
        log.write(b"%03d\n" % number, NOON)
    log.close()
    kept.close()

    assert written(tmp_path) == [b"%03d" % number for number in range(6)]
    assert len(list(tmp_path.glob("x-*.gz"))) == 5


def test_old_files_go_by_number_and_by_age(tmp_path: Path) -> None:
    """Whichever is reached first; those of other logs stay; a dry look says which."""
    for day in range(1, 11):
        (tmp_path / f"x-202601{day:02}T000000.000000Z.log.gz").write_bytes(b"packed")
        (tmp_path / f"x-y-202601{day:02}T000000.000000Z.log.gz").write_bytes(b"packed")
    (tmp_path / "x-20t1z.log").write_bytes(b"a component with an odd name")
    now = datetime(2026, 1, 10, tzinfo=UTC).timestamp()

    by_age = archive(tmp_path, age=3.5 * DAY).old(now)
    assert sorted({path.name[-30:-22] for path in by_age}) == [f"202601{day:02}" for day in range(1, 7)]
    kept = archive(tmp_path, files=7, age=30 * DAY)
    freed = kept.tidy_all(now)

    assert freed == 2 * 3 * len(b"packed")
    assert len(list(tmp_path.glob("x-2*.gz"))) == len(list(tmp_path.glob("x-y-2*.gz"))) == 7
    assert (tmp_path / "x-20260104T000000.000000Z.log.gz").exists()
    assert (tmp_path / "x-20t1z.log").exists()


def test_what_somebody_still_writes_to_is_not_compressed(tmp_path: Path) -> None:
    """Another process that has not noticed the rotation: its lines are kept, and the next tidying takes the file."""
    kept = archive(tmp_path)
    late = LogFile(tmp_path / "x.log", size=10, archive=kept)
    late.write(b"first\n", NOON)
    other = LogFile(tmp_path / "x.log", size=10, archive=kept)
    other.write(b"second\n", NOON)
    kept.close()
    assert [path.suffix for path in tmp_path.glob("x-*")] == [".log"]

    os.write(late._fd, b"unseen\n")  # between its look at the file and its write, the other one rotated
    late.write(b"third\n", NOON + 1)
    other.close()
    late.close()
    kept.close()
    kept.tidy_all(NOON + 2)

    assert [path.suffix for path in sorted(tmp_path.glob("x-*"))] == [".gz", ".gz"]
    assert written(tmp_path) == [b"first", b"unseen", b"second", b"third"]


def test_a_child_that_holds_the_file_keeps_it_from_being_compressed(tmp_path: Path) -> None:
    """`rotate` gives the descriptor that a child gets as its output."""
    kept = archive(tmp_path)
    log = LogFile(tmp_path / "x.log", size=10, archive=kept)
    child = log.rotate(NOON)
    os.write(child, b"what a child says\n")
    newer = log.rotate(NOON + 1)
    kept.close()
    os.write(child, b"its last words\n")
    os.close(child)
    os.close(newer)
    kept.tidy_all(NOON + 2)

    assert written(tmp_path) == [b"what a child says", b"its last words"]
    assert len(list(tmp_path.glob("x-*.gz"))) == 1


def test_what_a_killed_compressor_left_is_made_anew(tmp_path: Path) -> None:
    """Half a file is no file."""
    (tmp_path / "x-20260101T000000.000000Z.log").write_bytes(b"whole\n")
    (tmp_path / "x-20260101T000000.000000Z.log.gz.tmp").write_bytes(b"half")

    archive(tmp_path).tidy_all(NOON)

    assert [path.name for path in tmp_path.glob("x-*")] == ["x-20260101T000000.000000Z.log.gz"]
    assert written(tmp_path) == [b"whole"]


def test_a_folder_that_is_gone_is_no_trouble(tmp_path: Path) -> None:
    """Nothing was logged yet."""
    assert archive(tmp_path / "none").tidy_all(NOON) == 0
    assert archive(tmp_path / "none").old(NOON) == []


def test_only_one_process_compresses(tmp_path: Path) -> None:
    """Who comes second leaves it to the first, at once."""
    (tmp_path / "x-20260101T000000.000000Z.log").write_bytes(b"whole\n")
    with (tmp_path / ".compression.lock").open("w") as held:
        assert try_lock(held.fileno())
        assert archive(tmp_path).tidy_all(NOON) == 0

    assert written(tmp_path) == [b"whole"]
    assert not list(tmp_path.glob("*.gz"))


def test_threads_that_write_one_file_lose_nothing(tmp_path: Path) -> None:
    """Rotations in between; the lines of each in their order."""
    kept = archive(tmp_path)
    log = LogFile(tmp_path / "x.log", size=400, archive=kept)

    def work(who: int) -> None:
        for number in range(100):
            log.write(b"%d %03d\n" % (who, number), NOON)

    threads = [threading.Thread(target=work, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    kept.close()

    found = written(tmp_path)
    assert len(found) == 400
    for who in range(4):
        assert [line for line in found if line.startswith(b"%d " % who)] == [b"%d %03d" % (who, n) for n in range(100)]


@settings(max_examples=few(30), deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.integers(0, 2), st.integers(1, 40), st.floats(-DAY, 2 * DAY, allow_nan=False)), max_size=30
    )
)
def test_whatever_writers_and_clocks_do_each_line_is_there_once(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int, float]]
) -> None:
    """Three writers of one file, any lengths, any jumps of the clock."""
    folder = tmp_path_factory.mktemp("logs")
    kept = archive(folder, files=1000, age=1e9)
    writers = [LogFile(folder / "x.log", size=60, archive=kept) for _ in range(3)]
    now, sent = NOON, []
    for number, (who, length, jump) in enumerate(steps):
        now += jump
        line = b"%d%s" % (number, b"." * length)
        writers[who].write(line + b"\n", now)
        sent.append(line)
    for writer in writers:
        writer.close()
    kept.close()

    assert sorted(written(folder)) == sorted(sent)
