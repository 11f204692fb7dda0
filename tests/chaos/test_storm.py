"""Four processes in a loop of `kill -9`, with all of the resilience in use: what must hold after every round."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pytest

from operations.actor import Actor
from operations.run import run
from tests.chaos.state import Battered
from tests.chaos.storm import NAMES, wrong
from tests.faulty_server import Answer, FaultyServer, Request, as_json, status

ROWS = [{"id": number, "value": number * 1.5} for number in range(5)]
LOST_AFTER = 0.5
"""Seconds after which a trial permit counts as lost: twice the time of a slow call."""


@dataclass
class Provider:
    """Answers for all datasets, counts what it was asked by dataset, and is down when told to be."""

    down: bool = False
    asked: "Counter[str]" = field(default_factory=Counter)
    guard: threading.Condition = field(default_factory=threading.Condition)

    def __call__(self, request: Request) -> Answer:
        name = request.query["of"]
        with self.guard:
            self.asked[name] += 1
            self.guard.notify_all()
            down = self.down and name.startswith("flaky")
        return status(503) if down else as_json(ROWS)

    def asked_more(self, count: int) -> None:
        """Wait until so many more requests came, however slow the machine is today; not for ever."""
        with self.guard:
            wanted = self.asked.total() + count
            self.guard.wait_for(lambda: self.asked.total() >= wanted, timeout=2.0)


def configure(battered: Battered, url: str, quota: int) -> None:
    breaker = {"failure_threshold": 2, "open_for": "100ms", "max_open_for": "200ms", "slow_call": "250ms"}
    quick = {"rate": 1000, "burst": 1000}
    battered.configure(
        [
            {
                "name": name,
                "provider": name.partition("_")[0],
                "collect": {"kind": "http", "url": f"{url}?of={name}"},
                "rules": [{"not_null": ["id"]}, {"row_count": {"min": len(ROWS)}}],
                "resilience": {"retry": {"attempts": 2, "initial": "1ms", "max": "5ms"}},
            }
            for name in NAMES
        ],
        providers={
            "steady": {"resilience": {"rate_limit": quick}},
            "metered": {"resilience": {"rate_limit": {**quick, "quota": quota, "quota_per": "10000d"}}},
            "flaky": {"resilience": {"rate_limit": quick, "breaker": breaker}},
        },
    )


@contextmanager
def forking(battered: Battered, errors: IO[str]) -> Iterator["subprocess.Popen[str]"]:
    """The process whose children storm."""
    command = [sys.executable, str(Path(__file__).with_name("storm.py")), str(battered.config), str(battered.state)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True
    ) as parent:
        try:
            yield parent
        finally:
            os.killpg(parent.pid, signal.SIGKILL)


def child(parent: "subprocess.Popen[str]", seed: int) -> int:
    assert parent.stdin is not None
    assert parent.stdout is not None
    parent.stdin.write(f"{seed}\n")
    parent.stdin.flush()
    return int(parent.stdout.readline())


def survive(battered: Battered, rounds: int, seed: int, *, quota: int) -> dict[str, Any]:
    """Rounds of four processes that are killed one by one; the figures of it."""
    dice, provider, pause = random.Random(seed), Provider(), threading.Event()
    errors_path = battered.folder / "errors.txt"
    opened = 0
    with FaultyServer(provider) as server, errors_path.open("w") as errors:
        configure(battered, server.url, quota)
        with battered.system() as system:
            run(system, Actor("test"), fresh=True)
            provider.down = True
            run(system, Actor("test"), fresh=True)  # the storm begins with an open circuit
        with forking(battered, errors) as parent:
            for _ in range(rounds):
                provider.down = dice.random() < 0.7
                pids = [child(parent, dice.randrange(2**32)) for _ in range(4)]
                for pid in pids:
                    provider.asked_more(dice.randrange(8))
                    pause.wait(dice.uniform(0.0, 0.05))
                    provider.down = provider.down and dice.random() < 0.7
                    os.kill(pid, signal.SIGKILL)
                while any(Path(f"/proc/{pid}").exists() for pid in pids):
                    pause.wait(0.002)  # a killed process lives on until the kernel has taken it apart
                provider.down = False
                opened = check(battered, provider, quota, pause)
    told = errors_path.read_text()
    assert not told, told
    done = battered.cli("run", "--fresh", "--json")
    assert done.returncode == 0, done.stderr
    assert {told["dataset"] for told in json.loads(done.stdout)["datasets"]} == set(NAMES)
    return {"asked": dict(provider.asked), "openings": opened}


def check(battered: Battered, provider: Provider, quota: int, pause: threading.Event) -> int:
    """All that must hold after a round; gives how often the flaky provider's circuit opened so far."""
    with battered.system() as system:
        assert not wrong(system)
        ((used,),) = system.coordination.query("SELECT coalesce(sum(used), 0) FROM quotas WHERE name = 'metered'")
        assert provider.asked["metered"] <= used <= quota, "the quota lost requests, or let too many through"

        # Nothing that a dead process held stops anybody: no lease, no permit of a trial.
        before_end = time.monotonic() + 600 * LOST_AFTER
        while True:
            results = {done.dataset: done for done in run(system, Actor("test"), fresh=True).datasets}
            assert results["steady"].status == "succeeded"
            if all(results[name].status == "succeeded" for name in NAMES if name != "metered"):
                break
            assert time.monotonic() < before_end, [results[name].reason for name in NAMES]
            pause.wait(0.05)
        assert results["metered"].status in {"succeeded", "degraded"}
        assert results["metered"].origin == "last_good" or used < quota

        for name, current in system.views.current().items():
            version = system.views.version(name, current.version or "")
            assert version is not None, name
            assert system.results.table(version.path).num_rows == len(ROWS)
        ((opened,),) = system.database.query("SELECT count(*) FROM events WHERE type = 'breaker.opened'")
        assert not list(battered.state.glob("*.corrupt-*"))
        found = system.events.verify()
        assert found.fault is None
    return int(opened)


def test_four_processes_in_a_loop_of_kills_lose_nothing_that_is_shared(battered: Battered) -> None:
    """Twelve kills: every run works, permits and leases come back, the quota counts each request, values are right."""
    figures = survive(battered, rounds=3, seed=9, quota=25)

    assert figures["openings"] > 0
    assert 0 < figures["asked"]["metered"] <= 25


@pytest.mark.prove
@pytest.mark.timeout(1800)
def test_two_hundred_kills(battered: Battered) -> None:
    """The full count, with its figures."""
    began = time.perf_counter()
    figures = survive(battered, rounds=50, seed=90, quota=300)

    print(f"\n200 kills, {json.dumps(figures)}, events: {battered.verified():,}, {time.perf_counter() - began:.0f} s")
    assert figures["openings"] > 10
