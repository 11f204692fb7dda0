"""Processes beside a test's own that call a function of its file, without the time that loading the files takes.

One process has loaded them and forks another for each that is asked for; it has no threads that a fork would lose.
"""

import multiprocessing
from multiprocessing.context import ForkServerContext

__all__ = ["PROCESSES"]

PROCESSES: ForkServerContext = multiprocessing.get_context("forkserver")
"""`Process`, `Barrier`, `Event`, `Pipe` of such processes."""

PROCESSES.set_forkserver_preload(
    [
        "tests.utils.cache.test_disk",
        "tests.utils.cache.test_processes",
        "tests.utils.test_file_lock",
        "tests.utils.test_logger",
    ]
)
