"""Files that are read again and again: what they say now, for as long as what they tell of is there."""

import subprocess
from pathlib import Path

from tests.utils.host.table import put
from utils.clock import ManualClock
from utils.host.open_files import OpenFiles, small_file
from utils.host.processes import ProcessTable

_OPEN = Path("/proc/self/fd")


def test_a_file_is_read_as_it_is_now(tmp_path: Path) -> None:
    """Though it stays open; one that is missing is empty, and read once it is there."""
    files, path = OpenFiles(), tmp_path / "stat"

    found = [files.read(str(path))]
    for words in ("one", "another"):
        path.write_text(words)
        found.append(files.read(str(path)))

    assert (found, len(files)) == ([b"", b"one", b"another"], 1)


def test_no_more_files_are_kept_than_asked_for(tmp_path: Path) -> None:
    """What is beyond is read all the same; what is named no more is closed, and so are all in the end."""
    paths = [tmp_path / name for name in "abc"]
    for path in paths:
        path.write_text(path.name)
    before = set(_OPEN.iterdir())
    files = OpenFiles(2)

    assert [files.read(str(path)) for path in paths] == [b"a", b"b", b"c"]
    assert len(files) == 2
    files.keep_only({str(paths[0])})
    assert len(files) == 1
    del files
    assert set(_OPEN.iterdir()) == before


def test_of_a_process_that_ended_nothing_is_told() -> None:
    """Its file is open, and says no more: another that gets its number is not taken for it."""
    with subprocess.Popen(["sleep", "60"]) as process:
        files, path = OpenFiles(), f"/proc/{process.pid}/stat"
        first = files.read(path)
        process.kill()
        process.wait()

        assert first.startswith(f"{process.pid} (".encode())
        assert (files.read(path), small_file(path), len(files)) == (b"", b"", 0)


def test_who_looks_at_processes_once_leaves_nothing_open(tmp_path: Path) -> None:
    """From the second look on their files stay open; those of processes that are gone are closed."""
    for pid in (5, 6):
        put(tmp_path, pid)
    clock = ManualClock()
    table = ProcessTable(clock, proc=tmp_path)

    def opened() -> list[str]:
        return sorted(path for link in _OPEN.iterdir() if (path := _target(link)).startswith(str(tmp_path)))

    table.read()
    once = opened()
    clock.advance(1.0)
    table.read()
    twice = opened()
    (tmp_path / "6" / "stat").unlink()
    (tmp_path / "6" / "cmdline").unlink()
    (tmp_path / "6").rmdir()
    clock.advance(1.0)
    told = [process.pid for process in table.read()]

    assert (once, twice) == ([], [str(tmp_path / pid / "stat") for pid in "56"])
    assert (told, opened()) == ([5], [str(tmp_path / "5" / "stat")])


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:  # the folder's own, which is closed by now
        return ""
