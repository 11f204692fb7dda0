"""Random histories of a queue with two workers: each run is at work once at most, none is lost, none is doubled."""

import re
from collections import Counter
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from data_pipeline.errors import DatasetBusy
from data_pipeline.run_queue.queue import NothingToCancel
from data_pipeline.run_queue.request import RunRequest
from data_pipeline.store.run_views import MOST_CRASHES, Run
from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.queue import queue_worker
from operations.run import Execution, go_on, run_queue
from tests.counts import few
from tests.databases import another
from tests.integration.installation import Installation
from utils.database import StateError
from utils.events import NewEvent
from utils.resilience.cancellation import CancelToken

NAMES = tuple("abcde")
DEAD = "nowhere|no-boot|no-ns|1|1"
PICK = st.integers(0, 99)

LETTERS = {"run.queued": "q", "run.started": "s", "run.crashed": "x", "run.finished": "f", "run.cancelled": "c"}
LIFE = re.compile("q(sxq)*(c|sc?f|sx?c?|sxc)?")
"""Queued, begun and died and put back; then called off, or begun and ended, or dead for good."""


class Histories(RuleBasedStateMachine):
    """Two workers of one state directory, and a third that dies whatever it begins."""

    where = ""  # of PostgreSQL; "": SQLite

    @initialize()
    def begin(self) -> None:
        self.folder = TemporaryDirectory()
        installation = Installation(Path(self.folder.name))
        database = {"database": {"url": another(self.where)}} if self.where else {}
        datasets = [{"name": name, "collect": {"kind": "simulated", "rows": 1}} for name in NAMES]
        installation.configure(*datasets, executor={"workers": 2}, **database)
        self.systems: list[Any] = [
            IntegratedSystem(installation.config, state_dir=installation.state, environ={}) for _ in range(2)
        ]
        self.workers = [queue_worker(system) for system in self.systems]
        self.put: list[str] = []
        self.seen: list[Run] = []
        self.cancelled: set[str] = set()
        self.died: Counter[str] = Counter()

    @rule(
        which=st.integers(0, 1),
        some=st.lists(
            st.tuples(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True), st.integers(-1, 1)),
            min_size=1,
            max_size=4,
        ),
    )
    def ask(self, which: int, some: list[tuple[list[str], int]]) -> None:
        requests = [RunRequest(tuple(names), "ann", priority=urgent, fresh=True) for names, urgent in some]
        self.put += run_queue(self.systems[which]).put(requests)
        self.seen = self.systems[which].views.waiting(limit=100)

    @rule(which=st.integers(0, 1), pick=PICK)
    def ask_again(self, which: int, pick: int) -> None:
        if self.put:
            known = self.put[pick % len(self.put)]
            assert run_queue(self.systems[which]).put([RunRequest(("a",), run_id=known)]) == []

    @rule(which=st.integers(0, 1))
    def work(self, which: int) -> None:
        self.workers[which].step()

    @rule(which=st.integers(0, 1), pick=PICK)
    def call_off(self, which: int, pick: int) -> None:
        if self.put:
            run_id = self.put[pick % len(self.put)]
            try:
                run_queue(self.systems[which]).cancel(run_id, "ann")
            except NothingToCancel:
                return
            self.cancelled.add(run_id)

    @rule(pick=PICK)
    def die(self, pick: int) -> None:
        """A process begins a run that waits, and dies."""
        system = self.systems[0]
        waiting = system.views.waiting(limit=100)
        if waiting:
            one = waiting[pick % len(waiting)]

            def still_waits(connection: Any) -> None:
                row = connection.execute("SELECT status FROM runs WHERE run_id = ?", (one.run_id,)).fetchone()
                if row[0] != "queued":
                    raise NothingToCancel("a worker was quicker")

            event = NewEvent("run.started", one.run_id, {**one.request, "owner": DEAD})
            try:
                system.events.append([event], guard=still_waits)
            except NothingToCancel:
                return
            self.died[one.run_id] += 1

    @rule(pick=PICK)
    def be_late(self, pick: int) -> None:
        """What somebody saw waiting is taken up only now: it may be at work, over, or called off."""
        if self.seen:
            system = self.systems[1]
            workforce = system.runner.workforce(2)
            with suppress(StateError, DatasetBusy):
                go_on(system, Actor("late"), self.seen[pick % len(self.seen)], Execution(workforce, CancelToken()))
            workforce.close()

    @rule(which=st.integers(0, 1))
    def look_after(self, which: int) -> None:
        """What a worker does every five seconds."""
        self.systems[which].runner.recover()
        run_queue(self.systems[which]).revive()

    def teardown(self) -> None:
        if not hasattr(self, "workers"):
            return
        try:
            for _ in range(2):  # what a worker found dead while we looked ourselves is put back by the next look
                self.look_after(0)
                while self.systems[0].views.waiting(limit=1):
                    for worker in self.workers:
                        worker.drain()
                for worker in self.workers:
                    worker.drain()
            self.all_is_well()
        finally:
            for worker in self.workers:
                worker.close(0.0)
            for system in self.systems:
                system.close()
            self.folder.cleanup()

    def all_is_well(self) -> None:
        """The log of each run is one life: begun once, ended, or died and put back; nothing delivered twice."""
        system = self.systems[0]
        for run_id in self.put:
            events = system.events.read(subject=run_id, limit=1000)
            life = "".join(LETTERS[event.type] for event in events)
            assert LIFE.fullmatch(life), life
            run = system.views.run(run_id)
            given_up = self.died[run_id] >= MOST_CRASHES
            if run_id in self.cancelled:
                # What had ended by the time it was told to stop may say how it ended.
                assert run.status in {"cancelled", "succeeded"}
            else:
                assert run.status == ("crashed" if given_up else "succeeded")
                if not given_up:
                    parts = {body["dataset"]: body["status"] for body in system.views.dataset_runs(run_id)}
                    assert parts.keys() == set(run.request["datasets"])
                    assert "succeeded" in parts.values()
        delivered = Counter(
            (event.data["run_id"], event.subject)
            for event in system.events.read(type="dataset.collected", limit=10_000)
        )
        assert set(delivered.values()) <= {1}
        assert system.events.verify().fault is None


SHORT = settings(max_examples=12, stateful_step_count=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def test_each_run_once_and_none_is_lost() -> None:
    """Whatever two workers do beside people who ask and call off, and processes that die."""
    run_state_machine_as_test(Histories, settings=SHORT)  # type: ignore[no-untyped-call]


def test_each_run_once_and_none_is_lost_over_postgresql(postgres: str) -> None:
    """The same; fewer histories, because each takes a server many round trips."""
    machine = type("OverPostgres", (Histories,), {"where": postgres})
    run_state_machine_as_test(machine, settings=settings(SHORT, max_examples=3))  # type: ignore[no-untyped-call]


@pytest.mark.prove
@pytest.mark.parametrize("where", ["SQLite", "PostgreSQL"])
def test_each_run_once_in_many_histories(where: str, request: pytest.FixtureRequest) -> None:
    """Longer, and many."""
    postgres = request.getfixturevalue("postgres") if where == "PostgreSQL" else ""
    machine = type("Long", (Histories,), {"where": postgres})
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine, settings=settings(SHORT, max_examples=few(60) if postgres else 200, stateful_step_count=40)
    )
