"""On what a benchmark ran: without it a figure says nothing."""

import os
import platform
import statistics
import time
from pathlib import Path
from typing import Any

FLUSHES = 50


def machine(folder: Path) -> dict[str, Any]:
    """Processor, cores we may use, Python, kernel, and the median time of a disk flush (milliseconds) in `folder`."""
    return {
        "cpu": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "flush_ms": round(flush_time(folder) * 1000, 3),
    }


def load() -> float:
    """The load of the last minute; figures taken beside busy neighbours are no figures."""
    return round(os.getloadavg()[0], 2)


def flush_time(folder: Path) -> float:
    """Median seconds to append 4 KB to a file and have it on the disk."""
    path = folder / "flush"
    times = []
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        for _ in range(FLUSHES):
            began = time.perf_counter()
            os.write(descriptor, bytes(4096))
            os.fsync(descriptor)
            times.append(time.perf_counter() - began)
    finally:
        os.close(descriptor)
        path.unlink()
    return statistics.median(times)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
