"""Old temporary files go, and nothing else, whatever lies beside them."""

import os
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.temporary_roots import why_not_a_root
from monitoring.healing.temporary import clean_temporary

LATER = time.time() + 100_000.0
"""Everything that a test writes now is old by then."""


def clean(root: Path, **more: object) -> tuple[int, int, int]:
    done = clean_temporary([root], now=LATER, **more)  # type: ignore[arg-type] # a test's own
    return done.files, done.bytes, done.in_use


def write(path: Path, size: int = 8192) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(size))
    return path


def test_old_files_and_the_folders_that_they_leave_empty_go(tmp_path: Path) -> None:
    """Files at any depth; a dry run tells the same bytes and leaves them."""
    root = tmp_path / "spool"
    write(root / "a"), write(root / "deep" / "er" / "b")
    told = clean(root, dry_run=True)
    assert told == (2, 16384, 0)
    assert (root / "deep" / "er" / "b").exists()
    assert clean(root) == told
    assert list(root.iterdir()) == []


def test_what_was_changed_a_short_time_ago_stays(tmp_path: Path) -> None:
    """By writing or by renaming: a copy that kept the time of its original is as young as the copy."""
    root = tmp_path / "spool"
    old = write(root / "copied")
    os.utime(old, (1, 1))
    done = clean_temporary([root], now=time.time() + 10.0, older_than=3600.0)
    assert (done.files, old.exists()) == (0, True)


def test_links_lead_nowhere(tmp_path: Path) -> None:
    """A link to a folder or a file outside is no way out; nothing behind it is touched."""
    outside = write(tmp_path / "outside" / "precious")
    root = tmp_path / "spool"
    write(root / "old")
    (root / "to_folder").symlink_to(outside.parent)
    (root / "to_file").symlink_to(outside)
    assert clean(root)[0] == 1
    assert outside.exists()
    assert sorted(path.name for path in root.iterdir()) == ["to_file", "to_folder"]


def test_a_folder_that_becomes_a_link_on_the_way_is_not_entered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody swaps a folder for a link between the look and the step into it."""
    outside = write(tmp_path / "outside" / "precious")
    root = tmp_path / "spool"
    write(root / "folder" / "old")
    real = os.stat

    def swapping(path: object, **more: object) -> os.stat_result:
        found = real(path, **more)  # type: ignore[arg-type] # as it came
        if path == "folder" and not (root / "folder").is_symlink():
            (root / "folder").rename(tmp_path / "elsewhere")
            (root / "folder").symlink_to(outside.parent)
        return found

    monkeypatch.setattr("monitoring.healing.temporary.os.stat", swapping)
    assert clean(root)[0] == 0
    assert outside.exists()


def test_a_file_that_somebody_has_open_stays(tmp_path: Path) -> None:
    """Whichever process has it open."""
    root = tmp_path / "spool"
    ours, theirs, nobodys = write(root / "ours"), write(root / "theirs"), write(root / "nobodys")
    with ours.open("rb"), theirs.open("rb") as given:
        other = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[given.fileno()])
        given.close()
        assert clean(root) == (1, 8192, 2)
        other.communicate()
    assert [ours.exists(), theirs.exists(), nobodys.exists()] == [True, True, False]
    assert clean(root)[0] == 2


def test_another_file_system_is_left_alone(tmp_path: Path) -> None:
    """What is mounted below the folder is not part of it."""
    root = tmp_path / "spool"
    mounted = root / "mounted"
    mounted.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(mounted)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.fail("mounting is not permitted here: run as root, or deselect this test")
    try:
        precious = write(mounted / "precious")
        write(root / "old")
        assert clean(root)[0] == 1
        assert precious.exists()
    finally:
        subprocess.run(["umount", str(mounted)], check=True)


def test_another_folder_of_the_same_disk_that_is_mounted_there_is_left_alone(tmp_path: Path) -> None:
    """A container's volume is a bind mount: the device is the same, and the files are somebody's."""
    root, elsewhere = tmp_path / "spool", tmp_path / "elsewhere"
    write(root / "mine"), write(elsewhere / "theirs")
    (root / "mounted").mkdir()
    subprocess.run(["mount", "--bind", str(elsewhere), str(root / "mounted")], check=True)
    try:
        assert clean(root) == (1, 8192, 0)
        assert (elsewhere / "theirs").exists()
    finally:
        subprocess.run(["umount", "--lazy", str(root / "mounted")], check=True)


@pytest.mark.parametrize(
    ("root", "why"),
    [
        pytest.param("/", "much more", id="the whole disk"),
        pytest.param("/etc/ssl", "system", id="a part of the system"),
        pytest.param("/home", "much more", id="all homes"),
        pytest.param("tmp", "absolute", id="a relative path"),
        pytest.param("/tmp/../etc", "absolute", id="a path with steps up"),
    ],
)
def test_a_folder_that_holds_more_than_temporary_files_is_refused(root: str, why: str) -> None:
    """Named by mistake: told why, and not entered."""
    assert why in why_not_a_root(Path(root))


def test_a_link_to_such_a_folder_is_refused_too(tmp_path: Path) -> None:
    """What counts is where it leads."""
    (tmp_path / "tmp").symlink_to("/etc")
    done = clean_temporary([tmp_path / "tmp"], now=LATER, dry_run=True)
    assert done.files == 0
    assert "system" in done.refused[str(tmp_path / "tmp")]


def test_the_state_is_no_temporary_folder_but_for_its_own(tmp_path: Path) -> None:
    """A root above the state, or within it, is refused; `tmp` in it is not."""
    state = tmp_path / "state"
    write(state / "tmp" / "old"), write(state / "storage" / "version")
    roots = [tmp_path, state, state / "storage", state / "tmp", tmp_path / "missing"]
    done = clean_temporary(roots, now=LATER, leave=[state])
    assert sorted(done.refused) == sorted(map(str, roots[:3]))
    assert done.files == 1
    assert (state / "storage" / "version").exists()


@given(st.lists(st.tuples(st.sampled_from("ab/"), st.sampled_from(["file", "link", "folder"])), max_size=12))
def test_nothing_outside_ever_goes(tmp_path_factory: pytest.TempPathFactory, made: list[tuple[str, str]]) -> None:
    """However files, folders and links lie: what is outside stays, and no link is gone."""
    base = tmp_path_factory.mktemp("sweep")
    outside = write(base / "outside" / "precious", 1)
    root, at = base / "root", base / "root"
    root.mkdir()
    links = []
    for number, (where, kind) in enumerate(made):
        at = root if where == "/" else at
        path = at / f"{where.strip('/')}{number}"
        if kind == "file":
            write(path, 1)
        elif kind == "folder":
            path.mkdir()
            at = path
        else:
            path.symlink_to(outside.parent)
            links.append(path)
    clean_temporary([root], now=LATER)
    assert outside.exists()
    assert all(link.is_symlink() for link in links)
    assert not [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
