"""The processes of this machine by one short read each, and how much of a core each used between two looks."""

import contextlib
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from utils.clock import SYSTEM_CLOCK, Clock
from utils.host.open_files import OpenFiles, small_file
from utils.host.rates import seconds_between

__all__ = ["Identity", "ProcessStat", "ProcessTable"]

Identity = tuple[int, int]
"""Process id and start: a number is given again to another process, a number with its start never is."""

_KERNEL_THREAD = 0x0020_0000  # PF_KTHREAD of linux/sched.h
_LEAST = 0.25  # seconds between two looks that are compared: a process is charged in ticks of 10 ms
_KERNEL_FOR = 60.0


class ProcessStat(NamedTuple):
    """What /proc/PID/stat says of one process.

    Attributes:
        session: Process id of the session's leader.
        state: One letter: `R` running, `S` sleeping, `D` waiting for a disk, `Z` ended but not waited for, …
        started: Clock ticks from boot to its start.
        name: Of the program, its first 15 bytes; whoever runs it may choose it.
        cpu_seconds: User and system time so far, of all threads.
        uid: Effective user; None: not asked for, or not told.
    """

    pid: int
    ppid: int
    session: int
    state: str
    started: int
    name: str
    cpu_seconds: float
    rss_bytes: int
    kernel_thread: bool
    uid: int | None = None

    @property
    def identity(self) -> Identity:
        return self.pid, self.started


class ProcessTable:
    """Reads all processes that may be seen. Where there is no /proc there are none. Safe for threads.

    Args:
        clock: Tells the time between two looks.
        proc: Where the kernel tells of processes.
    """

    def __init__(self, clock: Clock = SYSTEM_CLOCK, *, proc: Path = Path("/proc")) -> None:
        self._clock = clock
        self._proc = str(proc)
        self._tick = _sysconf("SC_CLK_TCK", 100)
        self._page = _sysconf("SC_PAGE_SIZE", 4096)
        self._most = 100.0 * (os.cpu_count() or 1)
        self._lock = threading.Lock()
        # What was told of a process that rests is told again, byte by byte: it need not be taken apart anew.
        self._known: dict[str, tuple[bytes, ProcessStat]] = {}
        self._files = OpenFiles()
        self._paths: dict[str, str] = {}  # of those that are known, by their number
        self._kernel: set[str] = set()  # numbers of its own threads, which stay what they are for a while
        self._kernel_until = 0.0
        self._before: dict[Identity, float] | None = None  # cpu seconds at the last look
        self._looked = (0.0, 0.0)
        self._percents: dict[Identity, float] = {}

    def read(self, *, owners: bool = True, kernel_threads: bool = True) -> Sequence[ProcessStat]:
        """All processes now; those that end meanwhile are left out.

        What each used since the look before is then told by `cpu_percent`.

        Args:
            owners: `uid` is told too, which costs another call for each.
            kernel_threads: Those of the kernel are told too. Without them a process that takes over a number of theirs
                is told within a minute.
        """
        with self._lock:
            if kernel_threads or self._clock.monotonic() >= self._kernel_until:
                self._kernel.clear()
                self._kernel_until = self._clock.monotonic() + _KERNEL_FOR
            found = self._all(owners, kernel_threads)
            self._note(found)
            return found

    def one(self, pid: int) -> ProcessStat | None:
        """One process as it is now; None: there is none, or it may not be seen. No look in the sense of `read`."""
        return self._parsed(str(pid), small_file(f"{self._proc}/{pid}/stat"), self._owner(str(pid)))

    def cpu_percent(self, process: ProcessStat) -> float | None:
        """Share of one core (100: a whole one) that a process used between the last two reads, a quarter second apart.

        None: it was not seen twice, or the clocks went apart between the two.
        """
        return self._percents.get(process.identity)

    def cpu_percents(self) -> Mapping[Identity, float]:
        """The same of all processes."""
        return self._percents

    def _all(self, owners: bool, kernel_threads: bool) -> tuple[ProcessStat, ...]:
        try:
            names = os.listdir(self._proc)  # noqa: PTH208 - a path for each of hundreds of processes is too dear
        except OSError:
            return ()
        known, self._known = self._known, {}
        found = []
        # Who looks once leaves nothing open.
        read = small_file if self._before is None else self._files.read
        for name in names:
            path = self._paths.get(name)
            if path is None:
                if not name.isdigit() or name in self._kernel:
                    continue
                path = f"{self._proc}/{name}/stat"
            line = read(path)
            before = known.get(path)
            uid = self._owner(name) if owners and line else None
            if before is not None and before[0] == line and before[1][9] == uid:
                self._known[path] = before
                found.append(before[1])
            elif (stat := self._parsed(name, line, uid)) is None:
                continue
            elif stat.kernel_thread and not kernel_threads:
                self._kernel.add(name)
            else:
                self._known[path] = line, stat
                self._paths[name] = path
                found.append(stat)
        if len(self._known) < len(self._paths):
            self._paths = {name: path for name, path in self._paths.items() if path in self._known}
        self._files.keep_only(self._known)
        return tuple(found)

    def _owner(self, pid: str) -> int | None:
        try:
            # Of the folder, not of the file: the files of a process that may not be dumped belong to root.
            return os.stat(f"{self._proc}/{pid}").st_uid
        except OSError:
            return None  # it ended meanwhile

    def _parsed(self, pid: str, line: bytes, uid: int | None) -> ProcessStat | None:
        try:
            # A name may hold blanks and brackets of its own: it ends with the last one.
            end = line.rindex(b")")
            part = line[end + 2 :].split(None, 22)
            return ProcessStat(
                int(pid),
                int(part[1]),
                int(part[3]),
                part[0].decode(),
                int(part[19]),
                line[line.index(b"(") + 1 : end].decode(errors="replace"),
                (int(part[11]) + int(part[12])) / self._tick,
                int(part[21]) * self._page,
                int(part[6]) & _KERNEL_THREAD != 0,
                uid,
            )
        except (ValueError, IndexError):
            return None  # it ended while it was read

    def _note(self, found: Sequence[ProcessStat]) -> None:
        looked = (self._clock.monotonic(), self._clock.time())
        if self._before is not None and 0.0 <= looked[0] - self._looked[0] < _LEAST:
            return  # what was told holds, and the next look compares with the one before this
        used = {(stat[0], stat[4]): stat[6] for stat in found}
        seconds = None if self._before is None else seconds_between(self._looked, looked)
        before, self._before, self._looked = self._before, used, looked
        if not before or not seconds:
            self._percents = {}
            return
        newest = max(started for _, started in before)
        share = 100.0 / seconds
        percents = {}
        for identity, cpu in used.items():
            # One that began between the two looks used all of its time there; one that is older was missed before.
            since = before.get(identity, 0.0 if identity[1] >= newest else None)
            percent = None if since is None else (cpu - since) * share
            if percent is not None and 0.0 <= percent <= 2.0 * self._most:
                percents[identity] = min(percent, self._most)
        self._percents = percents


def _sysconf(name: str, usual: int) -> int:
    with contextlib.suppress(ValueError, OSError, AttributeError):
        return os.sysconf(name)
    return usual
