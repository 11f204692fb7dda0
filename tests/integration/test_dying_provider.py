"""Ten datasets of a dying provider cost nothing but a probe now and then; a recovering one is not trampled.

A real server counts what it is asked. Each run is a new system over the same state, as cron starts them.
"""

import json
import subprocess
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from data_pipeline.dataset import DatasetRun
from operations.actor import Actor
from operations.run import run
from tests.faulty_server import Answer, FaultyServer, Request, status
from tests.integration.installation import PATIENT, Installation
from tests.integration.people import GOOD, GOOD_ROWS, people
from utils.clock import ManualClock

OPEN_FOR = 60.0
DATASETS = 10
DEAD = status(503)


def configure(installation: Installation, server: FaultyServer, **breaker: Any) -> None:
    """Ten datasets of one provider; patient enough for an answer that the test holds back."""
    names = [f"people_{number}" for number in range(DATASETS)]
    # With room for all at once: whoever waits in line on a manual clock moves it.
    lifted = {"rate_limit": None, "bulkhead": {"concurrency": DATASETS}}
    installation.configure(
        *({**people(f"{server.url}?of={name}"), "name": name} for name in names),
        defaults={
            "dataset": PATIENT,
            "resilience": {"breaker": {"open_for": "60s", "half_open_calls": 1, **breaker}, **lifted},
        },
        executor={"workers": DATASETS},
    )


def collected(installation: Installation, clock: ManualClock, server: FaultyServer) -> tuple[int, Counter[str]]:
    """One run that asks the provider: how many requests it cost, and where the data of how many datasets came from."""
    before = server.count
    datasets = installation.run(fresh=True, clock=clock).datasets
    assert {found.rows for found in datasets} == {GOOD_ROWS}
    for found in datasets:
        if found.origin == "last_good":
            assert found.status == "degraded"
            assert found.age_s == pytest.approx(clock.time() - ManualClock().time(), abs=5)
            assert "serving the last good copy" in (found.reason or "")
    return server.count - before, Counter(found.origin for found in datasets)


def state_of(installation: Installation, clock: ManualClock) -> str:
    with installation.system(clock) as system:
        return next(iter(system.verdicts.all().values())).state


def test_a_dead_provider_is_asked_once_a_rest(installation: Installation, server: FaultyServer) -> None:
    """Runs every twenty seconds: a few requests open the circuit, then there is one a rest, and the rests grow."""
    clock = ManualClock()
    configure(installation, server)
    assert collected(installation, clock, server) == (DATASETS, Counter(provider=DATASETS))
    server.answer = DEAD

    to_open, served = collected(installation, clock, server)
    opened = clock.time()
    costs: list[tuple[float, int]] = []
    for _ in range(35):
        clock.advance(20.0)
        cost, origins = collected(installation, clock, server)
        served += origins
        costs.append((clock.time() - opened, cost))

    probes = [moment for moment, cost in costs if cost]
    rests = [later - earlier for earlier, later in zip([0.0, *probes], probes, strict=False)]
    assert served == Counter(last_good=36 * DATASETS)
    assert to_open <= 2 * DATASETS  # all ten were on their way at once, and each may try a second time
    assert {cost for _, cost in costs} == {0, 1}
    # Doubling, less a fifth of jitter, up to the next run: 60, 120, 240 s; the fourth is not over yet.
    bounds = [(60, 80), (90, 140), (190, 260)]
    assert len(probes) == len(bounds)
    assert all(least <= rest <= most for rest, (least, most) in zip(rests, bounds, strict=True)), rests
    assert len(installation.events("breaker.opened")) == 1 + len(probes)


@pytest.mark.parametrize("open_for", ["60s", "45s"], ids=["a rest as long as the pause", "a shorter rest"])
def test_cron_every_minute_pays_one_request_at_most(
    installation: Installation, server: FaultyServer, open_for: str
) -> None:
    """A process a minute forgets its counts but not the verdict: an outage costs a handful of probes."""
    clock = ManualClock()
    configure(installation, server, open_for=open_for)
    collected(installation, clock, server)
    server.answer = DEAD
    collected(installation, clock, server)

    costs = []
    for _ in range(20):
        clock.advance(60.0)
        cost, origins = collected(installation, clock, server)
        assert origins == Counter(last_good=DATASETS)
        costs.append(cost)

    assert max(costs) == 1
    assert 3 <= sum(costs) <= 5


class Held:
    """Answers that wait until the test lets them go; remembers how many waited at the same time."""

    def __init__(self) -> None:
        self.most = 0
        self._waiting = 0
        self._changed = threading.Condition()
        self._free = threading.Event()

    def __call__(self, _request: Request) -> Answer:
        with self._changed:
            self._waiting += 1
            self.most = max(self.most, self._waiting)
            self._changed.notify_all()
        self._free.wait(120)
        with self._changed:
            self._waiting -= 1
        return GOOD

    def arrived(self, count: int) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._waiting >= count, 120)

    def let_go(self) -> None:
        self._free.set()


@pytest.mark.parametrize("permits", [1, 3])
def test_a_recovering_provider_is_not_trampled(installation: Installation, server: FaultyServer, permits: int) -> None:
    """While the trial calls are out nobody else is let through; once they are back all is as before."""
    clock = ManualClock()
    configure(installation, server, half_open_calls=permits)
    collected(installation, clock, server)
    server.answer = DEAD
    collected(installation, clock, server)
    clock.advance(OPEN_FOR)
    server.answer = held = Held()
    asked = server.count
    refused = threading.Semaphore(0)
    found: list[DatasetRun] = []

    def again() -> None:
        with installation.system(clock) as system:
            found.extend(run(system, Actor("test"), fresh=True, progress=lambda _: refused.release()).datasets)

    running = threading.Thread(target=again)
    running.start()
    try:
        assert held.arrived(permits)
        # The others are served at once from what we have; nobody waits for the trial.
        assert all(refused.acquire(timeout=120) for _ in range(DATASETS - permits))
        out = server.count - asked
    finally:
        held.let_go()
        running.join(120)
    after = collected(installation, clock, server)

    assert (out, held.most) == (permits, permits)
    assert Counter(each.origin for each in found) == Counter(provider=permits, last_good=DATASETS - permits)
    assert all("circuit" in (each.reason or "") for each in found if each.origin == "last_good")
    assert after == (DATASETS, Counter(provider=DATASETS))
    assert state_of(installation, clock) == "closed"
    assert len(installation.events("breaker.closed")) == 1


def started(installation: Installation) -> "list[subprocess.Popen[str]]":
    """Two processes over one state, each with half of the datasets: of the same ones the second would leave them."""
    names = [f"people_{number}" for number in range(DATASETS)]
    return [
        subprocess.Popen(
            installation.command("run", *half, "--fresh", "--json"),
            cwd=installation.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for half in (names[: DATASETS // 2], names[DATASETS // 2 :])
    ]


def origins_of(printed: str) -> Counter[str]:
    return Counter(found["origin"] for found in json.loads(printed)["datasets"])


def died_long_ago(installation: Installation, server: FaultyServer, **breaker: Any) -> None:
    """Good once, then dead, in January; its rest is over by now, so that the next call is a trial."""
    clock = ManualClock()
    configure(installation, server, **breaker)
    collected(installation, clock, server)
    server.answer = DEAD
    collected(installation, clock, server)
    assert state_of(installation, clock) == "open"


def test_two_processes_share_the_one_probe(installation: Installation, server: FaultyServer) -> None:
    """Ten datasets in two processes at the same moment: the dead provider is asked once, by one of them."""
    died_long_ago(installation, server)
    asked = server.count

    children = started(installation)
    printed = [child.communicate(timeout=120) for child in children]

    assert [child.returncode for child in children] == [0, 0], printed
    assert server.count - asked == 1
    assert origins_of(printed[0][0]) + origins_of(printed[1][0]) == Counter(last_good=DATASETS)
    with installation.system() as system:
        (verdict,) = system.verdicts.all().values()
    assert (verdict.state, verdict.times_opened) == ("open", 2)


def test_two_processes_do_not_trample_a_recovering_provider(installation: Installation, server: FaultyServer) -> None:
    """As long as the probe of one is out, the other is served from last good; then the circuit is closed for both."""
    died_long_ago(installation, server)
    asked = server.count
    server.answer = held = Held()
    children = started(installation)
    ended = threading.Semaphore(0)
    printed: list[str] = []  # of the one that ended first, first

    def wait_for(child: "subprocess.Popen[str]") -> Callable[[], None]:
        def wait() -> None:
            printed.append(child.communicate(timeout=120)[0])
            ended.release()

        return wait

    waiting = [threading.Thread(target=wait_for(child)) for child in children]
    for thread in waiting:
        thread.start()
    try:
        assert held.arrived(1)
        # The one without the probe ends; the other one waits for it.
        assert ended.acquire(timeout=120)
        out = server.count - asked
    finally:
        held.let_go()
        for thread in waiting:
            thread.join(120)

    assert out == 1
    assert [child.returncode for child in children] == [0, 0]
    assert origins_of(printed[0]) == Counter(last_good=DATASETS // 2)
    assert origins_of(printed[1])["provider"] >= 1
    after = installation.cli("run", "--fresh", "--json")
    assert origins_of(after.out) == Counter(provider=DATASETS)
