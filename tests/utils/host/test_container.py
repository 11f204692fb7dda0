"""A container's limits count where they are tighter than the machine; files as the kernel has them."""

import types
from pathlib import Path

import pytest

from utils.host.container import Container, Used
from utils.host.room import Rooms

MB = 2**20


def group(folder: Path, **files: str) -> Path:
    """A control group with these files; `_` in a name stands for a dot."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    return folder


def small(tmp_path: Path) -> Container:
    """512 MB and half a core, of which 300 MB are in use and another 100 MB are pages of files."""
    group(
        tmp_path / "groups",
        memory_max=f"{512 * MB}\n",
        memory_current=f"{400 * MB}\n",
        memory_stat=f"anon 1\ninactive_file {100 * MB}\nactive_file 5\n",
        cpu_max="50000 100000\n",
        cpu_stat="usage_usec 7000000\nuser_usec 1\n",
        memory_pressure="some avg10=41.50 avg60=0.00 avg300=0.00 total=1\nfull avg10=12.25 avg60=0 avg300=0 total=1\n",
    )
    (tmp_path / "own").write_text("0::/\n")
    return Container(tmp_path / "groups", tmp_path / "own")


def machine(percent: float = 5.0) -> object:
    return types.SimpleNamespace(percent=percent, available=60_000 * MB, total=64_000 * MB)


def test_a_small_container_on_a_large_machine_is_full_when_it_is_full(tmp_path: Path) -> None:
    """Memory, what is left of it, CPU and pressure are the container's."""
    rooms = Rooms(small(tmp_path), tmp_path / "machine")

    rooms.look((0.0, 0.0), 3.0, machine())
    group(tmp_path / "groups", cpu_stat="usage_usec 7400000\n", memory_current=f"{612 * MB}\n")
    room = rooms.look((1.0, 1.0), 3.0, machine())

    assert (room.memory_percent, room.available, room.total) == (100.0, 0, 512 * MB)
    assert room.cpu_percent == pytest.approx(80.0)
    assert room.cores == 0.5
    assert (room.pressure.some, room.pressure.full) == (41.5, 12.25)
    assert room.contained


def test_a_machine_that_is_full_leaves_no_room_in_a_container(tmp_path: Path) -> None:
    """The fuller of the two is told."""
    room = Rooms(small(tmp_path), tmp_path / "machine").look((0.0, 0.0), 97.0, machine(99.0))

    assert (room.cpu_percent, room.memory_percent) == (97.0, 99.0)


def test_the_tightest_limit_on_the_way_up_binds(tmp_path: Path) -> None:
    """A service in a slice: whichever of them allows less, with what that one uses."""
    root = tmp_path / "groups"
    group(root / "work.slice", memory_max=f"{100 * MB}\n", memory_current=f"{90 * MB}\n", cpu_max="max 100000\n")
    group(root / "work.slice" / "a.service", memory_max="max\n", memory_current="5\n", cpu_max="200000 100000\n")
    group(root / "work.slice" / "a.service", cpu_stat="usage_usec 2000000\n")
    (tmp_path / "own").write_text("12:cpu:/other\n0::/work.slice/a.service\n")

    used = Container(root, tmp_path / "own").used(0.0)

    assert used == Used(memory=90 * MB, memory_limit=100 * MB, cpu_seconds=2.0, cores=2.0)


def test_a_limit_that_is_changed_is_seen_within_a_minute(tmp_path: Path) -> None:
    """As `docker update` does."""
    container = small(tmp_path)
    before = container.used(0.0)
    group(tmp_path / "groups", memory_max=f"{256 * MB}\n")

    limits = [container.used(now).memory_limit for now in (30.0, 61.0)]

    assert before.memory_limit == 512 * MB
    assert limits == [512 * MB, 256 * MB]


@pytest.mark.parametrize(
    ("own", "files"),
    [
        ("", {}),
        ("4:memory:/docker/1\n", {}),
        ("0::/\n", {"memory_max": "max\n", "cpu_max": "max 100000\n"}),
        ("0::/../../elsewhere\n", {"memory_max": "", "cpu_max": "garbage\n"}),
        ("0::/gone\n", {"memory_max": "lots\n", "cpu_max": "0 0\n"}),
        ("0::/\n", {"memory_max": f"{MB}\n", "cpu_max": "1000 1000\n"}),
    ],
    ids=["no groups", "version 1", "no limits", "outside of what is seen", "garbage", "limits without figures"],
)
def test_what_cannot_be_read_is_no_limit(tmp_path: Path, own: str, files: dict[str, str]) -> None:
    """Then the machine's figures stand."""
    group(tmp_path / "groups", **files)
    (tmp_path / "own").write_text(own)
    rooms = Rooms(Container(tmp_path / "groups", tmp_path / "own"), tmp_path / "none")

    room = rooms.look((0.0, 0.0), 3.0, machine())

    assert (room.cpu_percent, room.memory_percent, room.total) == (3.0, 5.0, 64_000 * MB)
    assert not room.contained
    assert (room.pressure.some, room.pressure.full) == (None, None)


def test_a_limit_beyond_the_machine_is_none(tmp_path: Path) -> None:
    """Some write the largest number there is instead of `max`."""
    group(tmp_path / "groups", memory_max=f"{2**62}\n", memory_current="9\n")
    (tmp_path / "own").write_text("0::/\n")

    room = Rooms(Container(tmp_path / "groups", tmp_path / "own"), tmp_path).look((0.0, 0.0), None, machine())

    assert (room.memory_percent, room.contained) == (5.0, False)
