"""Sample the host for ever, so many seconds apart: `python -m benchmarks.host_samplers KIND SECONDS`."""

import os
import sys
import time
from collections.abc import Callable

Sampler = Callable[[], object]


def ours() -> Sampler:
    """All that a sample of ours has, processes and the top of them included."""
    from utils.host import MetricsCollector
    from utils.host.processes import ProcessTable

    return MetricsCollector(ttl=0.0, processes=ProcessTable()).collect


def process_list() -> Sampler:
    """psutil's own: number, name, CPU and memory of each process."""
    import psutil

    return lambda: [process.info for process in psutil.process_iter(["pid", "name", "cpu_percent", "memory_info"])]


def floor() -> Sampler:
    """One read of each process, not looked at."""

    def read() -> None:
        for name in os.listdir("/proc"):  # noqa: PTH208 - the least there is
            if name.isdigit():
                try:
                    descriptor = os.open(f"/proc/{name}/stat", os.O_RDONLY)
                except OSError:
                    continue
                os.read(descriptor, 1024)
                os.close(descriptor)

    return read


KINDS: dict[str, Callable[[], Sampler]] = {"ours": ours, "psutil": process_list, "floor": floor}


def main(kind: str, seconds: float) -> None:
    """Sample until killed; one line once it has begun."""
    sample = KINDS[kind]()
    sample()
    print("ready", flush=True)
    due = time.monotonic()
    while True:
        due += seconds
        time.sleep(max(0.0, due - time.monotonic()))
        sample()


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
