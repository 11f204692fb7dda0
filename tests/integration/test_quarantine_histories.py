"""Whatever is replayed, dropped, mended and rolled back: every row is in one place, and in one place only."""

import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from data_pipeline.errors import PipelineError
from integrated_system import IntegratedSystem
from operations.gate import rollback
from operations.maintain import maintain
from operations.quarantine import drop, files_of, listed
from operations.replay import replay
from operations.run import run
from operations.show import delivered
from tests.integration.feed import Feed
from tests.integration.installation import Installation
from tests.integration.mending import ACTOR, prices, stock


class History:
    """One table, to which batches come, and what people do with the rows that were set aside.

    Attributes:
        came: Ids of all rows that ever came; `gone`: of those that were dropped.
    """

    def __init__(self, seed: int, installation: Installation, feed: Feed, write: str) -> None:
        self.dice = random.Random(seed)
        self.installation = installation
        self.feed = feed
        self.write = write
        self.came: list[int] = []
        self.gone: set[int] = set()
        self.moves = 0

    def play(self, moments: int) -> None:
        for moment in range(moments):
            self.installation.configure(stock(self.rule(), write=self.write, on_fail="publish"))
            with self.installation.system() as system:
                if moment == 0 or (self.write == "append" and self.dice.random() < 0.3):
                    self.collect(system)
                else:
                    self.decide(system)
                self.check(system)

    def rule(self) -> dict[str, Any]:
        return {"range": {"column": "price", "min": self.dice.choice([0, -2, -4])}}

    def collect(self, system: IntegratedSystem) -> None:
        start = len(self.came) + 1
        found = [self.dice.choice([1, 2, -1, -3, -5]) for _ in range(self.dice.randint(2, 12))]
        self.feed.rows = prices(*found, 1, start=start)
        self.came += [row["id"] for row in self.feed.rows]
        run(system, ACTOR, fresh=True)

    def decide(self, system: IntegratedSystem) -> None:
        before = len(system.events.read(limit=100_000))
        with suppress(PipelineError):
            match self.dice.choice(["replay", "replay", "drop", "rollback", "maintain"]):
                case "replay":
                    replay(system, ACTOR, "stock")
                case "drop":
                    self.drop(system)
                case "rollback":
                    newest = system.results.newest(system.views.current_of("stock"))
                    if newest is not None and "replayed" in newest.body:
                        rollback(system, ACTOR, "stock")
                case _:
                    maintain(system, ACTOR)
        self.moves += len(system.events.read(limit=100_000)) > before

    def drop(self, system: IntegratedSystem) -> None:
        entry = self.dice.choice([entry for entry in listed(system) if entry.waits] or [None])
        if entry is not None:
            ids = set(files_of(system).read(entry).rows.column("id").to_pylist())
            drop(system, ACTOR, "stock", entry.run_id)
            self.gone |= ids

    def check(self, system: IntegratedSystem) -> None:
        shown = delivered(system, "stock").table.column("id").to_pylist()
        entries = [entry for entry in listed(system) if entry.waits]
        waiting = [number for one in entries for number in files_of(system).read(one).rows.column("id").to_pylist()]
        assert sorted([*shown, *waiting, *self.gone]) == self.came
        if self.write == "replace":
            assert shown == sorted(shown)


@pytest.mark.parametrize("write", ["replace", "append"])
def test_no_row_is_lost_or_doubled_whatever_is_decided(installation: Installation, feed: Feed, write: str) -> None:
    """Readers, quarantine and what was dropped hold each row once; a replaced dataset keeps its order."""
    history = History(2, installation, feed, write)

    history.play(15)

    assert history.moves > 3


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_no_row_is_lost_or_doubled_over_two_hundred_histories(tmp_path: Path, feed: Feed) -> None:
    """The full count."""
    for seed in range(100, 300):
        folder = tmp_path / str(seed)
        folder.mkdir()
        History(seed, Installation(folder), feed, random.Random(seed).choice(["replace", "append"])).play(25)
