"""What the kernel tells in small files: sockets, pressure, disks. Read as it stands, absent without a word."""

import os
import socket
import types
from pathlib import Path

import psutil
import pytest

from utils.host.disks import Disks
from utils.host.pressure import Pressure, pressure
from utils.host.sockets import Sockets

SOCKSTAT = "sockets: used 300\nTCP: inuse 12 orphan 0 tw 9 alloc 13 mem 2\nUDP: inuse 5 mem 1\nRAW: inuse 7\n"


def io(read: int, written: int) -> object:
    return types.SimpleNamespace(read_bytes=read, write_bytes=written)


def disks_of(monkeypatch: pytest.MonkeyPatch, **counters: tuple[int, int]) -> None:
    found = {name: io(*counted) for name, counted in counters.items()}
    monkeypatch.setattr(psutil, "disk_io_counters", lambda **_: found)


def test_sockets_in_use_are_counted_by_the_kernel(tmp_path: Path) -> None:
    """TCP and UDP of both protocols; those that wait out their time are not in use."""
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "sockstat").write_text(SOCKSTAT)
    (tmp_path / "net" / "sockstat6").write_text("TCP6: inuse 3\nUDP6: inuse 1\nFRAG6: inuse 8 memory 0\n")

    assert Sockets(tmp_path).count(0.0) == 21


def test_a_socket_that_listens_is_in_use() -> None:
    """By the kernel's own count on this machine, whose other sockets come and go."""
    sockets = Sockets()
    before = sockets.count(0.0)

    listening = [socket.create_server(("127.0.0.1", 0)) for _ in range(200)]
    during = sockets.count(0.0)
    for one in listening:
        one.close()

    assert before is not None
    assert during is not None
    assert during - before == pytest.approx(200, abs=90)


def test_where_the_kernel_does_not_count_a_walk_is_made_once_a_minute(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It costs some twenty milliseconds."""
    walks = []

    def walk(kind: str) -> list[str]:
        walks.append(kind)
        return walks

    monkeypatch.setattr(psutil, "net_connections", walk)
    sockets = Sockets(tmp_path)

    assert [sockets.count(now) for now in (0.0, 30.0, 59.0, 60.0, 119.0)] == [1, 1, 1, 2, 2]
    assert walks == ["inet", "inet"]


def test_without_the_right_to_walk_nobody_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """None, and no exception."""

    def refuse(_: str) -> list[object]:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil, "net_connections", refuse)

    assert Sockets(tmp_path).count(0.0) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "some avg10=1.53 avg60=0.1 avg300=0 total=9\nfull avg10=0.25 avg60=0 avg300=0 total=4\n",
            Pressure(1.53, 0.25),
        ),
        ("some avg10=7.00 avg60=0.1 avg300=0 total=9\n", Pressure(7.0)),
        ("some avg10=7626516.00 total=9\n", Pressure(100.0)),
        ("some\nfull avg10=nan\n", Pressure()),
        ("", Pressure()),
    ],
    ids=["both", "an older kernel has no full for the processor", "absurd", "garbage", "empty"],
)
def test_pressure_is_that_of_the_last_ten_seconds(tmp_path: Path, text: str, expected: Pressure) -> None:
    """In percent; what is not told is nothing."""
    (tmp_path / "memory").write_text(text)

    assert pressure(tmp_path / "memory") == expected
    assert pressure(tmp_path / "none") == Pressure()


def test_a_part_of_a_disk_and_a_mapped_disk_count_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """All disks together are those with a device of their own."""
    for name in ("sda", "sdb"):
        (tmp_path / "block" / name / "device").mkdir(parents=True)
    for name in ("dm-0", "loop0"):
        (tmp_path / "block" / name).mkdir(parents=True)
    disks_of(monkeypatch, sda=(10, 1), sda1=(9, 1), sdb=(5, 5), **{"dm-0": (9, 1), "loop0": (3, 3)})

    whole, _ = Disks(tmp_path, system=tmp_path).counters(psutil, 0.0)

    assert whole == {"sda": (10, 1), "sdb": (5, 5)}


def test_the_disk_of_a_folder_is_the_one_it_lies_on(monkeypatch: pytest.MonkeyPatch, on_disk: Path) -> None:
    """A part is told by its own counters."""
    device = on_disk.stat().st_dev
    link = on_disk / "dev" / "block" / f"{os.major(device)}:{os.minor(device)}"
    (on_disk / "devices" / "sda" / "sda2").mkdir(parents=True)
    link.parent.mkdir(parents=True)
    link.symlink_to(on_disk / "devices" / "sda" / "sda2")
    disks_of(monkeypatch, sda=(10, 1), sda2=(4, 2))

    _, mine = Disks(on_disk, system=on_disk).counters(psutil, 0.0)

    assert mine == {"sda2": (4, 2)}


def test_a_folder_in_memory_lies_on_no_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nor does one that is not there."""
    disks_of(monkeypatch, sda=(10, 1))

    assert Disks(Path("/dev/shm"), system=tmp_path).counters(psutil, 0.0)[1] == {}
    assert Disks(tmp_path / "none", system=tmp_path).counters(psutil, 0.0)[1] == {}
