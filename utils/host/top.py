"""The few processes that use the most, with what a person needs to know them by."""

import heapq
import os
from collections.abc import Callable, Sequence
from operator import itemgetter
from pathlib import Path
from time import thread_time

from utils.host.processes import Identity, ProcessStat, ProcessTable
from utils.host.sample import TopProcess
from utils.one_line import one_line
from utils.redaction import MASK, Redactor

__all__ = ["TopProcesses", "without_secrets"]

_BYTES = 4096  # of a command line: what is longer is for nobody's eyes
_EVERY = 0.9  # seconds from one look to the next at least; between them the look before is told again
_SHARE = 0.002  # of a core: 200 processes are looked at every two seconds or so, thousands less often
_rss = itemgetter(ProcessStat._fields.index("rss_bytes"))
_REMEMBERED = 60.0  # seconds: a process may become another program under its number


Top = tuple[int | None, tuple[TopProcess, ...], tuple[TopProcess, ...]]
"""How many processes there are (None: they cannot be seen), the top by CPU, the top by memory."""


class TopProcesses:
    """Reads all processes, once a second at most, and of the top ones what costs more.

    Args:
        table: Reads them.
        most: How many by CPU, and how many by memory.
        redacted: Takes secrets that are known out of a text; what looks like one goes in any case.
        proc: Where the kernel tells of processes.
    """

    def __init__(
        self,
        table: ProcessTable,
        most: int,
        redacted: Callable[[str], str] = str,
        proc: Path = Path("/proc"),
    ) -> None:
        self._table, self._most = table, most
        self._redacted = redacted
        self._proc = proc
        self._boot: float | None = None
        self._looked: float | None = None
        self._rests = _EVERY
        self._found: Top = (None, (), ())
        self._known: dict[tuple[Identity, str], tuple[float, str, str]] = {}  # until when; command, user

    def look(self, now: float) -> Top:
        """The newest look. `now`: monotonic seconds."""
        if self._looked is None or not 0.0 <= now - self._looked < self._rests:
            self._looked, began = now, thread_time()
            self._found = self._look(now)
            self._rests = max(_EVERY, (thread_time() - began) / _SHARE)
        return self._found

    def _look(self, now: float) -> Top:
        found = self._table.read(owners=False, kernel_threads=False)
        if not found:
            return None, (), ()
        percents = self._table.cpu_percents()
        used = {identity for identity, percent in percents.items() if percent > 0.0}
        busy = [process for process in found if (process[0], process[4]) in used] if used else []
        by_cpu = heapq.nlargest(self._most, busy, key=lambda process: percents[process.identity])
        by_memory = heapq.nlargest(self._most, found, key=_rss)
        self._known = {key: kept for key, kept in self._known.items() if kept[0] > now}
        return len(found), self._told(by_cpu, now), self._told(by_memory, now)

    def _told(self, processes: Sequence[ProcessStat], now: float) -> tuple[TopProcess, ...]:
        return tuple(self._one(process, now) for process in processes)

    def _one(self, process: ProcessStat, now: float) -> TopProcess:
        key = (process.identity, process.name)
        if key not in self._known:
            self._known[key] = (now + _REMEMBERED, self._command(process), self._user(process))
        _, command, user = self._known[key]
        return TopProcess(
            pid=process.pid,
            started=process.started,
            created=self._created(process),
            name=one_line(process.name),
            command=command,
            cpu_percent=self._table.cpu_percent(process),
            rss_bytes=process.rss_bytes,
            user=user,
        )

    def _command(self, process: ProcessStat) -> str:
        try:
            with open(f"{self._proc}/{process.pid}/cmdline", "rb") as file:
                words = file.read(_BYTES).rstrip(b"\0").decode(errors="replace").split("\0")
        except OSError:
            words = []
        return without_secrets(words, self._redacted) or one_line(process.name)

    def _user(self, process: ProcessStat) -> str:
        try:
            uid = os.stat(f"{self._proc}/{process.pid}").st_uid
        except OSError:
            return ""
        try:
            import pwd

            return pwd.getpwuid(uid).pw_name
        except (ImportError, KeyError):
            return str(uid)

    def _created(self, process: ProcessStat) -> float | None:
        if self._boot is None:
            self._boot = _boot_time(self._proc)
        return None if not self._boot else self._boot + process.started / os.sysconf("SC_CLK_TCK")


def without_secrets(words: Sequence[str], redacted: Callable[[str], str] = str) -> str:
    """A command line in one line without secrets: those known, those that look like one, those of an option.

    >>> without_secrets(["load", "--password", "hunter2", "--rows", "3"])
    'load --password *** --rows 3'
    """
    redactor, shown, secret = Redactor(), list(words), False
    for place, word in enumerate(words):
        if secret:
            shown[place] = MASK
        secret = word.startswith("-") and "=" not in word and redactor.is_secret_key(word.lstrip("-"))
    return one_line(redacted(redactor.text(" ".join(shown))))


def _boot_time(proc: Path) -> float:
    """Epoch seconds; 0: not told."""
    try:
        found = [line for line in (proc / "stat").read_text().splitlines() if line.startswith("btime ")]
    except OSError:
        return 0.0
    return float(found[0].split()[1]) if found else 0.0
