"""Runs, backfills, failures, interruptions, decisions in any order: the table is what came last of each piece."""

import shutil
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from data_pipeline.asking import newest_piece
from data_pipeline.backfill.commit import Done
from data_pipeline.backfill.work import Limits
from data_pipeline.backfill_views import Backfills
from data_pipeline.errors import PipelineError
from integrated_system import IntegratedSystem
from operations.actor import Actor, UsageError
from operations.backfill import go_on, start
from operations.backfill_plan import plan
from operations.gate import accept, rollback
from operations.run import run
from operations.show import delivered
from tests.integration import feed as provider
from tests.integration.installation import Installation
from utils.clock import ManualClock
from utils.resilience.cancellation import CancelToken

ACTOR = Actor("test")
FIRST = date(2026, 3, 1)
DAYS = 12
numbers = st.integers(0, DAYS - 1)


def key(number: int) -> str:
    return (FIRST + timedelta(days=number)).isoformat()


class Oracle(RuleBasedStateMachine):
    """`table`: what readers must get of each piece. The provider has `bad` rows in some pieces, and others are away."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        installation = Installation(self.folder)
        installation.configure(
            {
                "name": "sales",
                "collect": {"kind": "python", "function": "tests.integration.feed:piece"},
                "partition": {"by": "day", "start": FIRST.isoformat()},
                "rules": [{"range": {"column": "amount", "min": 0}, "severity": "critical"}],
                "resilience": {"retry": {"attempts": 1}},
            },
            defaults={"resilience": {"breaker": {"minimum_calls": 1000, "window": 1000}}},
        )
        self.before = provider.FEED
        provider.FEED = self.feed = provider.Feed()
        self.clock = ManualClock(datetime(2026, 3, 3, 12, tzinfo=UTC))
        self.system = IntegratedSystem(installation.config, state_dir=installation.state, environ={}, clock=self.clock)
        self.table: dict[str, list[int]] = {}
        self.versions: dict[str, dict[str, list[int]]] = {}
        self.held: dict[str, tuple[str, list[int]]] = {}
        self.amount = 0
        for number in range(DAYS):
            self.provide(number, bad=False)

    def teardown(self) -> None:
        provider.FEED = self.before
        self.system.close()
        shutil.rmtree(self.folder)

    @rule(number=numbers, bad=st.booleans())
    def provide(self, number: int, *, bad: bool) -> None:
        """The provider has other rows of a piece."""
        self.amount += 1
        rows = [{"day": key(number), "amount": amount} for amount in (self.amount, -1 if bad else self.amount + 1000)]
        self.feed.pieces = {**self.feed.pieces, key(number): rows}

    @rule(number=numbers)
    def take_away(self, number: int) -> None:
        """A piece fails when it is asked for."""
        self.feed.pieces = {name: rows for name, rows in self.feed.pieces.items() if name != key(number)}

    @rule(days=st.integers(1, 4))
    def wait(self, days: int) -> None:
        """More pieces become complete."""
        self.clock.advance(86_400.0 * days)

    @rule()
    def run_what_is_due(self) -> None:
        """An ordinary run: what came before the first piece that failed, all together."""
        self.feed.asked.clear()
        (ran,) = run(self.system, ACTOR, fresh=True).datasets
        came = [name for name in self.feed.asked if name in self.feed.pieces]
        if ran.accepted:
            self.table |= {name: self.good(name) for name in came}
            self.seen(str(ran.version))

    @rule(
        begin=numbers,
        length=st.integers(1, DAYS),
        only=st.sampled_from([(), ("missing",), ("failed", "held")]),
        stop=st.none() | st.integers(1, 5),
    )
    def backfill(self, begin: int, length: int, only: tuple[str, ...], stop: int | None) -> None:
        """A backfill; maybe it is interrupted after some pieces."""
        try:
            asked = plan(self.system, "sales", begin=key(begin), end=key(begin + length), only=only, concurrency=2)
            backfill = start(self.system, ACTOR, asked)
        except (UsageError, PipelineError):
            return  # nothing is complete, or left; or it waits in another
        self.work(backfill, stop)

    @rule(stop=st.none() | st.integers(1, 3))
    def resume(self, stop: int | None) -> None:
        """Go on with one that was interrupted."""
        for identity, _ in Backfills(self.system.database).waiting():
            self.work(identity, stop)

    @rule()
    def accept_what_is_held(self) -> None:
        """Somebody accepts the pieces that are held, but for those that came again since."""
        for version, (name, good) in list(self.held.items()):
            try:
                accept(self.system, ACTOR, "sales", version)
            except PipelineError:
                continue
            finally:
                del self.held[version]
            self.table[name] = good
            self.seen(version)

    @rule()
    def roll_back(self) -> None:
        """Readers get the version before, and a piece is what it was then."""
        try:
            done = rollback(self.system, ACTOR, "sales")
        except PipelineError:
            return  # there is none
        assert done.restores is not None
        self.table = dict(self.versions[done.restores])
        self.seen(done.version)

    def seen(self, version: str) -> None:
        """What readers see with a version; the next one comes later."""
        self.versions[version] = dict(self.table)
        self.clock.advance(1.0)

    def work(self, identity: str, stop: int | None) -> None:
        token, done = CancelToken(), 0

        def told(one: Done | str) -> None:
            nonlocal done
            assert isinstance(one, Done)
            if one.state == "collected":
                self.table[one.key] = self.good(one.key)
                self.seen(str(one.version))
            elif one.state == "held":
                assert one.version is not None
                self.held[one.version] = (one.key, self.good(one.key))
            assert (one.state == "failed") == (one.key not in self.feed.pieces)
            done += 1
            if done == stop:
                token.cancel("stopped")

        go_on(self.system, ACTOR, identity, cancel=token, told=told, limits=Limits(pieces=2))

    def good(self, name: str) -> list[int]:
        return [row["amount"] for row in self.feed.pieces[name] if row["amount"] >= 0]

    @invariant()
    def the_table_is_what_came_last_of_each_piece(self) -> None:
        if not self.table:
            return
        rows = delivered(self.system, "sales").table.to_pylist()
        assert [row["amount"] for row in rows] == [amount for name in sorted(self.table) for amount in self.table[name]]
        stands = Backfills(self.system.database).pieces("sales")
        assert {name for name, piece in stands.items() if piece.stands} == self.table.keys()

    @invariant()
    def ordinary_runs_leave_no_gap_behind_them(self) -> None:
        version = self.system.results.newest(self.system.views.current_of("sales"))
        newest = newest_piece(self.system.settings.dataset("sales"), version)
        if newest is not None:
            there = {key(number) for number in range(DAYS) if key(number) <= newest}
            assert there <= self.table.keys()


TestOracle = Oracle.TestCase
TestOracle.settings = settings(
    max_examples=12, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)
