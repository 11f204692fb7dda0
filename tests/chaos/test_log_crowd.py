"""Sixteen processes, as many machines have them, append to one log in a PostgreSQL at once."""

import time
from pathlib import Path

import pytest

from tests.chaos.writers import writers


def crowd(address: str, folder: Path, *, events: int, seconds: float) -> str:
    """All of them write for so long, and each at least so many events; the figures of it."""
    with writers(address, folder, count=16) as some:
        for name in some.pids:
            some.wrote(name, events)
        began, before = time.monotonic(), _acknowledged(some.acknowledged)
        while (took := time.monotonic() - began) < seconds:
            for name in some.pids:
                some.wrote(name, 1)  # nobody starves
        written = _acknowledged(some.acknowledged) - before
        if seconds:
            length = some.check()  # while they write on; to replay what a minute brings would take many minutes
    if not seconds:
        length = some.check()
    each = [some.count(name) for name in (f"writer{number}" for number in range(16))]
    rate = f"{written / took:,.0f} a second over {took:.0f} s" if written else "counted from the start"
    return f"{length:,} events gapless in a valid chain; {rate}; by one process {min(each):,} to {max(each):,}"


def _acknowledged(path: Path) -> int:
    return path.read_bytes().count(b"\n")


def test_sixteen_processes_write_one_gapless_chain(postgres: str, tmp_path: Path) -> None:
    """Every acknowledged event is where it was acknowledged, no deadlock ends anybody, views are those of a replay."""
    crowd(postgres, tmp_path, events=2, seconds=0.0)


@pytest.mark.prove
@pytest.mark.timeout(900)
def test_sixteen_processes_write_one_gapless_chain_for_a_minute(postgres: str, tmp_path: Path) -> None:
    """The full count, with its figures."""
    print(f"\n{crowd(postgres, tmp_path, events=4, seconds=60.0)}")
