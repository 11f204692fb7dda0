"""A real Dask cluster for tests: a scheduler in this process, workers in processes of their own."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

GIVEN_UP_AFTER = 1
"""Dead workers beyond which Dask gives a task up; 3 by default, which would cost a test four processes."""


@pytest.fixture(scope="session")
def dask_cluster() -> Iterator[str]:
    """The address of a cluster of two processes with two threads each."""
    with started(workers=2, threads=2) as cluster:
        yield str(cluster.scheduler_address)


@contextmanager
def started(*, workers: int, threads: int, processes: bool = True, connect: str = "30s") -> Iterator[Any]:
    """A cluster; without processes its workers are threads here, which costs nothing.

    Args:
        connect: How long its parts look for one another, also at the end, when one of them is gone.
    """
    import dask

    with dask.config.set({"logging": {"distributed": "critical"}}):
        from distributed import LocalCluster

    with (
        dask.config.set(
            {
                "distributed.scheduler.allowed-failures": GIVEN_UP_AFTER,
                "distributed.comm.timeouts.connect": connect,
            }
        ),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=threads,
            processes=processes,
            protocol="tcp",
            scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
            memory_limit=0,
            silence_logs=logging.CRITICAL,
        ) as cluster,
    ):
        yield cluster
