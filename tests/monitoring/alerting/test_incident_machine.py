"""Whatever happens, and however often it is killed: what began ends once nothing is wrong, and nothing ends unbegun."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from monitoring.alerting.explaining import Finding
from monitoring.alerting.rules import Clear, Rule
from monitoring.alerting.setup import Setup
from monitoring.alerting.shipped import SHIPPED
from monitoring.alerting.silence import Matcher
from tests.counts import few
from tests.monitoring.alerting.incidents_world import Names, World

PROVIDERS = ("ecb", "tcmb", "fed", "boe", "local")
DATASETS = tuple(f"{provider}.{name}" for provider in PROVIDERS for name in ("a", "b"))
RAISE = (
    ("dataset.failed", {}),
    ("dataset.failed", {"error": {"type": "NetworkAway"}}),
    ("dataset.degraded", {"origin": "last_good", "accepted": False}),
    ("dataset.degraded", {"origin": "last_good", "accepted": False, "error": {"type": "NetworkAway"}}),
    ("batch.held", {}),
    ("promise.at_risk", {}),
    ("promise.broken", {}),
    ("rows.quarantined", {"share": 0.1}),
    ("schema.drifted", {"column": "x", "run_id": "r1"}),
    ("objective.burning", {"objective": "fresh", "state": "burning", "pace": "fast"}),
    ("anomaly.detected", {"metric": "rows"}),
    ("orders.late", {}),
)
CLEAR = (
    ("dataset.collected", {"run_id": "r2"}),
    ("batch.accepted", {}),
    ("promise.kept", {}),
    ("quality.scored", {"quarantined": 0, "rows": 10}),
    ("objective.burning", {"objective": "fresh", "state": "ended"}),
)
OWN = (
    Rule(name="late", when="orders.late", severity="warning", for_s=60.0, clears=(Clear("dataset.collected"),)),
    Rule(name="thrice", when="dataset.skipped", severity="error", consecutive=3, clears=(Clear("dataset.collected"),)),
)


class Nights(RuleBasedStateMachine):
    """Events, kills, people and time in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(Setup(Names({"fed.a": ("ecb.a",)}), rules=(*SHIPPED, *OWN), channels=("team", "ops")))
        self.looked = 0
        self.begun: set[str] = set()
        self.ended: set[str] = set()
        self.told: set[str] = set()

    @rule(dataset=st.sampled_from(DATASETS), what=st.sampled_from(RAISE))
    def goes_wrong(self, dataset: str, what: tuple[str, dict[str, object]]) -> None:
        self.world.happens(what[0], dataset, **what[1])

    @rule(dataset=st.sampled_from(DATASETS), what=st.sampled_from(CLEAR))
    def is_well_again(self, dataset: str, what: tuple[str, dict[str, object]]) -> None:
        self.world.happens(what[0], dataset, **what[1])

    @rule(provider=st.sampled_from(PROVIDERS), state=st.sampled_from(["opened", "closed"]))
    def breaker_moves(self, provider: str, state: str) -> None:
        self.world.happens(f"breaker.{state}", provider)

    @rule(state=st.sampled_from(["network.away", "network.back"]))
    def network_moves(self, state: str) -> None:
        self.world.happens(state, "network")

    @rule(state=st.sampled_from(["host.overloaded", "host.relieved", "service.unavailable", "service.recovered"]))
    def host_moves(self, state: str) -> None:
        self.world.happens(state, "cpu")

    @rule(seconds=st.sampled_from([1.0, 6.0, 61.0, 400.0, 4000.0, 90000.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.passes(seconds)

    @rule(seconds=st.sampled_from([-7200.0, 86400.0]))
    def clock_is_set(self, seconds: float) -> None:
        self.world.now += seconds
        self.world.core.shift(seconds)
        self.world.write()

    @rule(found=st.sampled_from([None, Finding("network", "no gateway"), Finding("disk", "full")]))
    def many_go_down(self, found: Finding | None) -> None:
        """Three providers at once; somebody looks at once whether it is us."""
        for dataset in ("ecb.a", "tcmb.a", "boe.b"):
            self.world.happens("dataset.failed", dataset)
        if self.world.core.memory.meta.probe_at is not None:
            self.world.core.explaining.probed(found, self.world.now)
            self.world.write()

    @rule()
    def is_killed(self) -> None:
        self.world.restart()

    @precondition(lambda self: self.world.core.memory.meta.probe_at is not None)
    @rule(found=st.sampled_from([None, Finding("network", "no gateway"), Finding("disk", "full")]))
    def looks_at_itself(self, found: Finding | None) -> None:
        self.world.core.explaining.probed(found, self.world.now)
        self.world.write()

    @precondition(lambda self: self.world.core.memory.ongoing)
    @rule(data=st.data(), until=st.sampled_from([None, 600.0]), over=st.booleans())
    def somebody_acts(self, data: st.DataObject, until: float | None, over: bool) -> None:
        core, now = self.world.core, self.world.now
        ongoing = core.memory.ongoing[data.draw(st.sampled_from(sorted(core.memory.ongoing)))]
        if over:
            core.acts.resolve(ongoing, "ann", "", now)
        else:
            core.acts.acknowledge(ongoing, "ann", None if until is None else now + until, "")
        self.world.write()

    @rule(about=st.sampled_from(PROVIDERS), since=st.sampled_from([0.0, 300.0]))
    def somebody_silences(self, about: str, since: float) -> None:
        now = self.world.now
        self.world.core.acts.add_silence(Matcher(about=about), now + since, now + since + 900.0, "ann", "")
        self.world.core.tick(now)
        self.world.write()

    @invariant()
    def what_is_told_is_in_order(self) -> None:
        """Begun before it ends, once; nobody hears of an end who was not told of a beginning."""
        for kind, news in self.world.said[self.looked :]:
            incident, notice = news.incident, news.notice
            if kind == "incident.opened":
                assert incident.id not in self.begun
                self.begun.add(incident.id)
            assert incident.id in self.begun
            assert incident.id not in self.ended
            if incident.state == "resolved":
                self.ended.add(incident.id)
            if notice is not None and notice.kind == "over":
                assert incident.id in self.told
                assert set(notice.to) <= {"team", "ops"}
            elif notice is not None:
                assert not incident.inhibited_by
                assert not incident.silenced_by
                self.told.add(incident.id)
        self.looked = len(self.world.said)

    @invariant()
    def the_table_is_what_is_remembered(self) -> None:
        """A process that reads the table knows what this one knows."""
        mine = self.world.core.memory
        self.world.restart()
        other = self.world.core.memory
        assert (other.meta, other.wrongs, other.ongoing) == (mine.meta, mine.wrongs, mine.ongoing)
        assert (other.groups, other.silences, other.by_group) == (mine.groups, mine.silences, mine.by_group)
        assert {group: set(keys) for group, keys in other.apart.items()} == {
            group: set(keys) for group, keys in mine.apart.items()
        }

    def teardown(self) -> None:
        """Once nothing is wrong any more, everything ends."""
        world = self.world
        for dataset in DATASETS:
            for kind, data in CLEAR:
                world.happens(kind, dataset, **data)
        for provider in PROVIDERS:
            world.happens("breaker.closed", provider)
        for kind in ("network.back", "host.relieved", "service.recovered"):
            world.happens(kind, "network" if kind == "network.back" else "cpu")
        if world.core.memory.meta.probe_at is not None:
            world.core.explaining.probed(None, world.now)
        world.passes(3 * 86400.0, step=1700.0)
        self.what_is_told_is_in_order()
        assert not world.core.memory.ongoing
        assert not world.core.memory.wrongs
        assert self.begun == self.ended


class TestNights(Nights.TestCase):  # type: ignore[name-defined,misc]  # made by hypothesis
    settings = settings(max_examples=few(40), stateful_step_count=40, deadline=None)


@pytest.mark.prove
class TestManyNights(Nights.TestCase):  # type: ignore[name-defined,misc]  # likewise
    settings = settings(max_examples=500, stateful_step_count=80, deadline=None)
