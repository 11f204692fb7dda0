"""The engine on a log: each event counts once, whatever is killed and whoever else is at work."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from monitoring.alerting.acting import NoSuchIncident, acknowledge, end_silence, resolve, silence
from monitoring.alerting.condition import compiled
from monitoring.alerting.engine import NAME, IncidentEngine
from monitoring.alerting.explaining import Finding
from monitoring.alerting.incident import Incident, IncidentNews
from monitoring.alerting.rules import Clear, Rule
from monitoring.alerting.setup import Setup
from monitoring.alerting.shipped import SHIPPED
from monitoring.alerting.silence import Matcher
from monitoring.alerting.views import Incidents, IncidentViews
from operations.kept import MIGRATIONS
from tests.databases import opened_at
from tests.monitoring.alerting.incidents_world import Names
from utils.clock import ManualClock
from utils.database import StateError
from utils.events import EventStore, NewEvent
from utils.events.cursors import Cursors

LATE = Rule(name="late", when="orders.late", severity="error", clears=(Clear("orders.came"),))


class Installation:
    """A log with its view, and engines that follow it."""

    def __init__(self, address: str) -> None:
        self.clock = ManualClock()
        self.database = opened_at(address, MIGRATIONS)
        self.log = EventStore(self.database, projections=[IncidentViews()], clock=self.clock)
        self.found: Finding | None = None
        self.asked: list[Sequence[str]] = []
        self.engines: list[IncidentEngine] = []
        self.engine = self.another()
        self.incidents = Incidents(self.database)

    def another(self, rules: tuple[Rule, ...] = (*SHIPPED, LATE)) -> IncidentEngine:
        """As another process has it; on this clock."""

        def probe(providers: Sequence[str]) -> Finding | None:
            self.asked.append(providers)
            return self.found

        made = IncidentEngine(
            self.log,
            Cursors(self.log, clock=self.clock),
            lambda: Setup(Names(), rules=rules, channels=("team",)),
            probe=probe,
            clock=self.clock,
        )
        self.engines.append(made)
        return made

    def killed(self) -> None:
        """The process at work is gone; another takes over."""
        self.clock.advance(20)  # it is taken for dead
        self.engine = self.another()

    def happens(self, kind: str, *subjects: str, **data: Any) -> None:
        if kind == "dataset.failed":
            data = {"error": {"type": "ProviderUnavailable"}, **data}
        self.log.append([NewEvent(kind, subject, data) for subject in subjects])

    def told(self) -> list[tuple[str, str]]:
        news = [IncidentNews.from_json(event.data) for event in self.log.read(type="incident.*", limit=10_000)]
        return [(one.notice.kind, one.incident.about) for one in news if one.notice is not None]

    def opened(self) -> list[str]:
        return [event.data["incident"]["about"] for event in self.log.read(type="incident.opened", limit=10_000)]

    def close(self) -> None:
        for engine in self.engines:
            engine.close()
        self.log.close()
        self.database.close()


@pytest.fixture
def here(address: str) -> Iterator[Installation]:
    made = Installation(address)
    yield made
    made.close()


@pytest.fixture
def small(tmp_path: Any) -> Iterator[Installation]:
    made = Installation(str(tmp_path / "log.db"))
    yield made
    made.close()


def test_what_happens_is_an_incident_in_the_view_and_its_end_too(here: Installation):
    """From the log to the list, on each database; the view rebuilt is the view that lived."""
    here.happens("dataset.failed", "ecb.a", "ecb.b", error={"type": "X", "message": "ä 🌩"})
    here.happens("dataset.failed", "tcmb.a")
    assert here.engine.step() == pytest.approx(5.0)
    here.clock.advance(5)
    here.engine.step()
    here.happens("dataset.collected", "tcmb.a")
    here.engine.step()
    (ecb,) = here.incidents.active()
    assert (ecb.about, ecb.datasets, ecb.to, ecb.state) == ("ecb", ("ecb.a", "ecb.b"), ("team",), "open")
    assert here.told() == [("begun", "ecb"), ("begun", "tcmb"), ("over", "tcmb")]
    assert {one.about for one in here.incidents.recent()} == {"ecb", "tcmb"}
    assert [one.id for one in here.incidents.find(ecb.id[:4])] == [ecb.id]
    assert here.incidents.find("zz") == []
    assert [one.about for one in here.incidents.of_dataset("tcmb.a")] == ["tcmb"]
    assert [one.id for one in here.incidents.about("ecb")] == [ecb.id]
    lived = [here.database.query(f"SELECT * FROM {table} ORDER BY 1, 2") for table in IncidentViews.tables]
    here.log.rebuild()
    assert [here.database.query(f"SELECT * FROM {table} ORDER BY 1, 2") for table in IncidentViews.tables] == lived


def test_an_incident_comes_back_from_its_event_as_it_was(small: Installation):
    """All of it; and what a later release adds is passed over."""
    small.happens("dataset.failed", "ecb.a", rows=3)
    small.engine.step()
    (event,) = small.log.read(type="incident.opened")
    incident = IncidentNews.from_json(event.data).incident
    assert incident.to_json() == {**event.data["incident"], **_tuples(incident)}
    assert Incident.from_json({**incident.to_json(), "of_a_later_release": 1}) == incident


def _tuples(incident: Incident) -> dict[str, Any]:
    return {name: getattr(incident, name) for name in ("rules", "datasets", "to", "explains")}


def test_a_kill_between_two_commits_loses_nothing_and_repeats_nothing(here: Installation):
    """What is remembered, what is appended, and how far it was read are one commit."""
    for round_ in range(4):
        here.happens("dataset.failed", f"ecb.d{round_}")
        here.engine.step()
        here.killed()
    here.clock.advance(10)
    here.engine.step()
    assert here.opened() == ["ecb"]
    assert here.told() == [("begun", "ecb")]
    (ecb,) = here.incidents.active()
    assert ecb.datasets == ("ecb.d0", "ecb.d1", "ecb.d2", "ecb.d3")
    assert [cause.count for cause in ecb.causes] == [1, 1, 1, 1]


def test_a_commit_that_fails_changes_nothing_and_is_made_again(small: Installation, monkeypatch: pytest.MonkeyPatch):
    """A database that is away for a moment costs a moment."""
    small.happens("dataset.failed", "ecb.a")
    append = small.log.append
    monkeypatch.setattr(small.log, "append", _refusing(append))
    with pytest.raises(StateError, match="disk full"):
        small.engine.step()
    monkeypatch.setattr(small.log, "append", append)
    assert small.opened() == []
    small.engine.step()
    assert small.opened() == ["ecb"]


def _refusing(append: Any) -> Any:
    def refused(events: Any, **more: Any) -> Any:
        if events:
            raise StateError("disk full")
        return append(events, **more)

    return refused


def test_an_event_that_is_taken_again_changes_nothing(small: Installation):
    """A cursor that is behind what is remembered leads to nothing twice."""
    small.happens("dataset.failed", "ecb.a")
    small.engine.step()
    small.engine.close()
    small.database.query("SELECT 1")
    with small.database.transaction() as connection:
        connection.execute("UPDATE cursors SET seq = 0 WHERE name = ?", (NAME,))
    before = small.log.head()[0]
    small.engine = small.another()
    small.engine.step()
    assert small.log.head()[0] == before
    assert small.incidents.active()[0].causes[0].count == 1


def test_one_process_works_and_the_other_stands_by(small: Installation):
    """Until the first lets go."""
    small.happens("dataset.failed", "ecb.a")
    small.engine.step()
    other = small.another()
    small.happens("dataset.failed", "tcmb.a")
    assert other.step() == 1.0
    assert small.opened() == ["ecb"]
    small.engine.close()
    other.step()
    assert small.opened() == ["ecb", "tcmb"]


def test_who_acts_in_another_process_is_not_overwritten_by_the_one_at_work(here: Installation):
    """Each commit is refused when another came before it, and made anew."""
    here.happens("dataset.failed", "ecb.a")
    here.engine.step()
    (ecb,) = here.incidents.active()
    taken = acknowledge(here.another(), ecb.id[:5], by="ann", comment="on it")
    assert (taken.state, taken.acknowledged_by) == ("acknowledged", "ann")
    here.happens("dataset.failed", "ecb.b")
    here.clock.advance(10)
    here.engine.step()
    here.clock.advance(10)
    here.engine.step()
    (ecb,) = here.incidents.active()
    assert (ecb.acknowledged_by, ecb.comment, ecb.datasets) == ("ann", "on it", ("ecb.a", "ecb.b"))
    (event,) = here.log.read(type="incident.acknowledged")
    assert event.data["actor"] == "ann"


def test_who_is_overtaken_between_reading_and_writing_does_it_again(small: Installation):
    """Two acknowledgements at the same moment: the second sees the first."""
    small.happens("dataset.failed", "ecb.a")
    small.engine.step()
    other, calls = small.another(), []

    def act(core: Any, at: float) -> None:
        (ongoing,) = core.memory.ongoing.values()
        calls.append(ongoing.acknowledged_by)
        if len(calls) == 1:
            acknowledge(other, ongoing.id, by="ben")
        core.acts.acknowledge(ongoing, "ann", None, "")

    small.engine.change(act)
    assert calls == [None, "ben"]
    assert small.incidents.active()[0].acknowledged_by == "ann"


def test_a_silence_and_its_end_are_in_the_view_and_the_log(here: Installation):
    """Added, listed, taken back; what it kept quiet is told then."""
    until = here.clock.now().replace(year=2027)
    made = silence(here.another(), Matcher(about="ecb"), until=until, by="ann", reason="works")
    assert [one.reason for one in here.incidents.silences()] == ["works"]
    here.happens("dataset.failed", "ecb.a")
    here.engine.step()
    here.clock.advance(60)
    here.engine.step()
    assert here.told() == []
    ended = end_silence(here.another(), made.id[:6], by="ben")
    assert ended.ended_by == "ben"
    here.engine.step()
    assert here.told() == [("begun", "ecb")]
    assert here.incidents.silences() == []
    assert [one.ended_by for one in here.incidents.silences(ended=True)] == ["ben"]


def test_somebody_declares_an_incident_over_and_what_is_still_wrong_begins_anew(small: Installation):
    """With his name in the log."""
    small.happens("dataset.failed", "ecb.a")
    small.engine.step()
    small.clock.advance(5)
    small.engine.step()
    over = resolve(small.another(), small.incidents.active()[0].id, by="ann")
    assert over.state == "resolved"
    assert small.log.read(type="incident.resolved")[0].data["actor"] == "ann"
    small.happens("dataset.failed", "ecb.a")
    small.engine.step()
    assert [one.about for one in small.incidents.active()] == ["ecb"]
    assert small.opened() == ["ecb", "ecb"]


def test_an_id_that_is_none_says_which_there_are(small: Installation):
    """With the incidents that last; and a time that is past is refused."""
    with pytest.raises(NoSuchIncident) as none:
        acknowledge(small.another(), "abc", by="ann")
    assert none.value.hint == "There is none."
    small.happens("dataset.failed", "ecb.a")
    small.engine.step()
    with pytest.raises(NoSuchIncident, match="no incident that lasts `zzz`") as other:
        resolve(small.another(), "zzz", by="ann")
    assert small.incidents.active()[0].id in other.value.hint
    with pytest.raises(ValueError, match="is past"):
        acknowledge(small.another(), small.incidents.active()[0].id, by="ann", until=small.clock.now())
    later = small.clock.now().replace(year=2028)
    with pytest.raises(ValueError, match="before it begins"):
        silence(small.another(), Matcher(), since=later, until=later.replace(year=2027), by="ann")


def test_three_providers_have_us_looked_at_once_and_it_is_us(small: Installation):
    """Those that are asked over the internet are named; what is found is looked at again until it is over."""
    small.found = Finding("network", "no gateway")
    small.happens("dataset.failed", "ecb.a", "tcmb.a", "fed.a", "local.a")
    small.engine.step()
    assert small.asked == [["ecb", "tcmb", "fed"]]
    small.clock.advance(20)
    small.engine.step()
    assert set(small.told()) == {("begun", "our network"), ("begun", "local")}
    small.found = None
    small.clock.advance(20)
    small.engine.step()
    assert small.told()[-1] == ("over", "our network")


def test_a_look_at_ourselves_that_fails_is_told_in_the_log_file_and_the_rest_goes_on(
    small: Installation, monkeypatch: pytest.MonkeyPatch
):
    """Then it is not us, as far as we know."""

    def broken(_: Any) -> Finding | None:
        raise OSError("no such device")

    monkeypatch.setattr(small.engine, "_probe", broken)
    small.happens("dataset.failed", "ecb.a", "tcmb.a", "fed.a")
    small.engine.step()
    assert {one.about for one in small.incidents.active()} == {"ecb", "tcmb", "fed", "3 providers"}


@pytest.mark.parametrize("jump", [-7200.0, 86400.0], ids=["back", "forward"])
def test_a_clock_that_was_set_is_an_event_and_nothing_fires(small: Installation, jump: float):
    """Measured against the time that went by."""
    small.happens("dataset.failed", "ecb.a")
    small.engine.step()
    small.clock.set_forward(jump)
    small.clock.advance(1)
    small.engine.step()
    assert small.told() == []
    (event,) = small.log.read(type="clock.jumped")
    assert event.data["by_s"] == jump
    small.clock.advance(5)
    small.engine.step()
    assert ("begun", "ecb") in small.told()


def test_a_clock_that_was_set_back_while_nobody_ran_stops_nothing(small: Installation):
    """The time that is remembered would be in the future for hours."""
    small.happens("dataset.failed", "ecb.a")
    small.engine.step()
    small.engine.close()
    small.clock.set_back(86400)
    small.engine = small.another()
    small.engine.step()
    small.clock.advance(6)
    small.engine.step()
    assert ("begun", "ecb") in small.told()


def test_an_installation_that_had_no_incidents_is_told_what_is_wrong_now_and_not_what_was(small: Installation):
    """The first look goes back a day; what ended is not told."""
    small.happens("dataset.failed", "fed.a")
    small.clock.advance(2 * 86400)
    small.happens("dataset.failed", "ecb.a", "tcmb.a")
    small.clock.advance(600)
    small.happens("dataset.collected", "tcmb.a")
    small.clock.advance(600)
    small.engine.step(hurry=True)
    assert small.told() == [("begun", "ecb")]


def test_a_step_in_a_hurry_tells_at_once(small: Installation):
    """As at the end of a run that nobody follows."""
    small.engine.step()
    small.happens("dataset.failed", "ecb.a")
    small.engine.step(hurry=True)
    assert small.told() == [("begun", "ecb")]


def test_deliveries_without_trouble_are_not_even_read(small: Installation, monkeypatch: pytest.MonkeyPatch):
    """Nothing of theirs may change anything: the log's own list of types says so."""
    small.engine.step()
    small.happens("dataset.collected", *(f"ecb.d{number}" for number in range(50)))
    head = small.log.head()[0]
    with monkeypatch.context() as patched:
        patched.setattr(small.log, "read", None)
        small.engine.step()
    assert small.log.head()[0] == head
    small.engine.close()
    assert small.database.query("SELECT seq FROM cursors WHERE name = ?", (NAME,)) == [(head,)]


def test_an_event_that_cannot_be_taken_is_told_and_passed_over(small: Installation, monkeypatch: pytest.MonkeyPatch):
    """What else is wrong is told all the same."""
    small.engine.step()
    core = small.engine.look(lambda core: core)
    take = core.take

    def odd(event: Any, now: float) -> None:
        if event.subject == "odd.a":
            raise KeyError("odd")
        take(event, now)

    monkeypatch.setattr(core, "take", odd)
    small.happens("dataset.failed", "odd.a", "ecb.a")
    small.engine.step(hurry=True)
    assert small.told() == [("begun", "ecb")]


def test_a_field_that_no_event_has_is_told_once_in_the_log_file(small: Installation, monkeypatch: pytest.MonkeyPatch):
    """However many events come without it."""
    told: list[tuple[str, dict[str, Any]]] = []

    class Log:
        def warning(self, event: str, **more: Any) -> None:
            told.append((event, more))

    monkeypatch.setattr("monitoring.alerting.engine.get_logger", lambda _: Log())
    rule = Rule(name="big", when="orders.late", severity="error", condition=compiled("hours > 3"))
    engine = small.another(rules=(rule,))
    for _ in range(3):
        small.happens("orders.late", "order 7", days=2)
        engine.step()
    assert told == [("rule.unknown_field", {"rule": "big", "fields": ["hours"]})]


def test_a_rule_that_the_configuration_has_no_more_ends_what_it_began(small: Installation):
    """At the next start."""
    small.happens("orders.late", "order 7")
    small.engine.step(hurry=True)
    small.engine.close()
    small.engine = small.another(rules=SHIPPED)
    small.engine.step()
    assert small.told() == [("begun", "order 7"), ("over", "order 7")]


def test_what_ended_long_ago_leaves_the_view_with_the_runs_of_its_time(small: Installation):
    """The event of the maintenance says until when."""
    small.happens("dataset.failed", "ecb.a", "tcmb.a")
    small.engine.step(hurry=True)
    small.happens("dataset.collected", "ecb.a")
    small.engine.step(hurry=True)
    small.clock.advance(86400)
    before = small.clock.now().isoformat().replace("+00:00", ".000000Z")
    small.happens("maintenance.finished", "maintenance", runs_before=before)
    assert [one.about for one in small.incidents.recent()] == ["tcmb"]
    assert small.incidents.of_dataset("ecb.a") == []


def storm(small: Installation, events: int) -> None:
    """`events` of 40 providers within ten seconds."""
    small.engine.step()
    names = [f"p{number % 40}.d{number // 40 % 12}" for number in range(events)]
    for start in range(0, events, events // 10):
        small.happens(
            "dataset.failed",
            *names[start : start + events // 10],
            error={"type": "ProviderUnavailable", "message": "503"},
        )
        small.engine.step()
        small.clock.advance(1)
    small.clock.advance(20)
    small.engine.step()


def test_a_storm_over_forty_providers_is_one_incident_told_once_that_lists_them(small: Installation):
    """Each provider is in the list, and each dataset; people read one message."""
    storm(small, 1000)
    assert small.told() == [("begun", "40 providers")]
    active = small.incidents.active()
    assert {one.about for one in active} == {"40 providers", *(f"p{number}" for number in range(40))}
    assert sum(len(one.datasets) for one in active if one.kind == "provider") == 480
    assert len(small.incidents.recent(100)) == 41


@pytest.mark.prove
def test_a_storm_of_ten_thousand_events_writes_few_of_its_own(small: Installation):
    """Ten thousand come; of incidents the log is told some hundreds."""
    storm(small, 10_000)
    assert small.told() == [("begun", "40 providers")]
    assert len(small.log.read(type="incident.*", limit=10_000)) < 500
