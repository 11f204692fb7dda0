"""What this very process uses."""

import threading
from dataclasses import dataclass
from typing import Any

from utils.host.attempt import attempt
from utils.host.rates import CounterRates, Moment

__all__ = ["Own", "OwnProcess"]


@dataclass(frozen=True, slots=True)
class Own:
    """See `HostSample` for the units."""

    threads: int
    cpu_percent: float | None = None
    rss: int | None = None
    files: int | None = None
    files_free: int | None = None


class OwnProcess:
    """Reads it by psutil, which may be missing."""

    def __init__(self) -> None:
        self._process: Any = None
        self._cpu = CounterRates()

    def look(self, psutil: Any, looked: Moment) -> Own:
        """As it is now; its CPU since the look before."""
        if self._process is None:
            self._process = attempt(lambda: psutil.Process())  # noqa: PLW0108 - psutil may be None
        process = self._process
        if process is None:
            return Own(threading.active_count())
        with process.oneshot():
            times = attempt(process.cpu_times)
            memory = attempt(process.memory_info)
            threads = attempt(process.num_threads)
        files = attempt(process.num_fds)
        cpu = self._cpu.rates(times and {"cpu": (times.user + times.system,)}, looked)
        return Own(
            threads=threads or threading.active_count(),
            cpu_percent=100.0 * cpu[0] if cpu else None,
            rss=None if memory is None else int(memory.rss),
            files=files,
            files_free=None if files is None else _files_free(files),
        )


def _files_free(used: int) -> int | None:
    """How many this process may open yet; None: any number, or nobody says."""
    try:
        import resource
    except ImportError:  # not on Windows
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else max(0, soft - used)
