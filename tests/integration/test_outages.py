"""PostgreSQL, Redis and the object store are stopped in the middle of a run, one at a time, and come back."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from data_pipeline.dataset import DatasetRun
from data_pipeline.runner import PipelineRun
from operations.actor import Actor
from operations.events import verify
from operations.run import run
from tests.integration.installation import Installation
from tests.postgres import address, execute, started
from tests.redis_server import RedisServer
from tests.servers.s3 import Bucket, OwnServer, own_bucket, own_s3  # noqa: F401 - fixtures
from utils.database import StateError

pytestmark = pytest.mark.usefixtures("patient_redis")

COUNT = 10
HALF = 3
"""Finished datasets after which the server is stopped."""


@pytest.fixture(scope="module")
def postgres_alone() -> Iterator[Any]:
    """A server that the tests of this file may stop."""
    with started() as server:
        yield server


@dataclass
class Outage:
    """Stops a server as soon as some datasets are finished, for so long.

    Attributes:
        seconds: None: until the run is over, however long that takes.
        told: What was told as finished, in order, before and after.
    """

    stop: Callable[[], None]
    start: Callable[[], None]
    seconds: float | None
    told: list[DatasetRun] = field(default_factory=list)
    _timer: threading.Timer | None = None

    def progress(self, done: DatasetRun) -> None:
        self.told.append(done)
        if len(self.told) == HALF:
            self.stop()
            if self.seconds is not None:
                self._timer = threading.Timer(self.seconds, self.start)
                self._timer.start()

    def over(self) -> None:
        """Wait until the server is back."""
        assert len(self.told) >= HALF, "the run ended before anything was stopped"
        if self._timer is None:
            self.start()
        else:
            self._timer.join()


class Servers(Installation):
    """An installation whose state lies on servers."""

    def __init__(self, folder: Path, database: str, redis: str) -> None:
        super().__init__(folder)
        self.servers: dict[str, Any] = {
            "database": {"url": database},
            "cache": {"url": redis, "ttl": "1h"},
            "executor": {"workers": 2},
        }

    def with_latency(self, seconds: float) -> None:
        """Datasets that together take so long that a server can go away and come back in the middle."""
        latency = f"{max(0.02, seconds * 2 / (COUNT - HALF)):.3f}s"
        self.configure(
            *(
                {"name": f"d{n:02}", "collect": {"kind": "simulated", "rows": 40 + n, "latency": latency}}
                for n in range(COUNT)
            ),
            **self.servers,
        )

    def during(self, outage: Outage) -> PipelineRun:
        with self.system() as system:
            try:
                return run(system, Actor("test"), fresh=True, progress=outage.progress)
            finally:
                outage.over()

    def check_acknowledged(self, outage: Outage) -> None:
        """What was told as delivered is in the log, its version is whole in the store, and the chain is valid."""
        with self.system() as system:
            assert verify(system).fault is None
            collected = {event.subject for event in system.events.read(type="dataset.collected")}
            for done in outage.told:
                if done.status == "succeeded":
                    assert done.dataset in collected
            for event in system.events.read(type="batch.accepted"):
                assert system.storage.verify(event.data["path"], event.data["sha256"]), event.data["path"]

    def goes_on(self, outage: Outage) -> None:
        """By itself: the next run is whole, nobody holds what it needs, and the cache answers again."""
        began = time.monotonic()
        again = self.run(fresh=True)
        took, counts = time.monotonic() - began, Counter(one.status for one in outage.told)
        print(f"\naway for {outage.seconds} s: told {dict(counts)} of {COUNT}; the next run took {took:.1f} s")
        assert again.status == "succeeded", [(one.dataset, one.reason) for one in again.datasets]
        assert {one.status for one in again.datasets} == {"succeeded"}
        cached = self.run()
        assert {one.origin for one in cached.datasets} == {"cache"}


@pytest.fixture
def servers(
    tmp_path: Path,
    postgres_alone: Any,
    redis_folder: Path,
) -> Iterator[tuple[Servers, RedisServer]]:
    name = f"outage_{tmp_path.name.replace('-', '_')[-20:].lower()}"
    url = address("postgres", postgres_alone)
    execute(url, f'CREATE DATABASE "{name}"')
    with RedisServer(redis_folder) as redis:
        yield Servers(tmp_path, address(name, postgres_alone), redis.url), redis


SHORT_AND_LONG = pytest.mark.parametrize(
    "seconds", [1.0, pytest.param(30.0, marks=[pytest.mark.prove, pytest.mark.timeout(600)])], ids=["short", "30s"]
)


@SHORT_AND_LONG
def test_a_run_does_not_need_its_redis(servers: tuple[Servers, RedisServer], seconds: float) -> None:
    """Circuits and rates are each process's own meanwhile, and nothing is cached; every dataset is delivered."""
    installation, redis = servers
    installation.with_latency(seconds)
    outage = Outage(redis.stop, redis.start, seconds)

    done = installation.during(outage)

    assert done.status == "succeeded"
    assert len(outage.told) == COUNT
    installation.check_acknowledged(outage)
    installation.goes_on(outage)


@SHORT_AND_LONG
def test_a_run_without_its_database_ends_in_words_and_loses_nothing(
    servers: tuple[Servers, RedisServer], postgres_alone: Any, seconds: float
) -> None:
    """Nothing can be acknowledged, so the run stops; once the server is back the next one needs no help."""
    installation, _ = servers
    installation.with_latency(seconds)
    # A short outage could be over before a slow machine's run notices it.
    away = seconds if seconds > 1 else None
    outage = Outage(postgres_alone.stop, postgres_alone.ensure_postgres_running, away)

    with pytest.raises(StateError, match="cannot be reached") as caught:
        installation.during(outage)

    assert caught.value.hint
    assert caught.value.transient
    installation.check_acknowledged(outage)
    installation.goes_on(outage)


@SHORT_AND_LONG
def test_a_run_without_its_object_store_delivers_what_it_can(
    servers: tuple[Servers, RedisServer],
    own_s3: OwnServer,  # noqa: F811 - the fixture
    own_bucket: Bucket,  # noqa: F811 - likewise
    seconds: float,
) -> None:
    """What cannot be stored is not accepted, and says why; nothing that was accepted is missing."""
    installation, _ = servers
    installation.servers["storage"] = {"url": f"s3://{own_bucket.name}/state", "options": own_bucket.options}
    installation.with_latency(seconds)
    outage = Outage(own_s3.stop, own_s3.start, seconds)

    done = installation.during(outage)

    assert len(done.datasets) == COUNT
    failed = [one for one in done.datasets if one.status != "succeeded"]
    assert all("storage" in str(one.reason) or "store" in str(one.reason) for one in failed), failed
    installation.check_acknowledged(outage)
    installation.goes_on(outage)
