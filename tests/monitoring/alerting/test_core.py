"""What becomes an incident, what belongs to it, and when it is over."""

from dataclasses import replace
from typing import Any

import pytest

from monitoring.alerting.condition import compiled
from monitoring.alerting.core import Core
from monitoring.alerting.explaining import Finding
from monitoring.alerting.rules import Clear, Rule
from monitoring.alerting.setup import Setup
from monitoring.alerting.shipped import SHIPPED
from tests.monitoring.alerting.incidents_world import Names, World

DEGRADED: dict[str, Any] = {"origin": "last_good", "accepted": False}


def with_rule(*rules: Rule) -> World:
    return World(Setup(Names(), rules=rules, channels=("team",)))


def test_twelve_datasets_of_a_dead_provider_are_one_incident_that_lists_them():
    """One beginning and one end, though twelve fail and twelve come back."""
    world = World()
    names = [f"ecb.d{number:02}" for number in range(12)]
    for name in names:
        world.happens("dataset.failed", name, error={"type": "ProviderUnavailable"})
    world.passes(5)
    assert world.told() == [("begun", "ecb", "team")]
    assert world.incident("ecb").datasets == tuple(names)

    for name in names:
        world.passes(60)
        assert world.active() == {"ecb"}
        world.happens("dataset.collected", name)
    assert world.told() == [("begun", "ecb", "team"), ("over", "ecb", "team")]
    assert world.active() == set()


def test_copies_that_are_served_join_the_incident_of_their_provider_and_open_none():
    """A stale delivery within its promise wakes nobody; with an open breaker it is listed, also when it came first."""
    world = World()
    world.happens("dataset.degraded", "ecb.a", **DEGRADED)
    world.passes(600)
    assert world.said == []

    world.happens("breaker.opened", "ecb", reason="5 of 5 failed")
    world.happens("dataset.degraded", "ecb.b", **DEGRADED)
    world.passes(5)
    assert world.incident("ecb").datasets == ("ecb.a", "ecb.b")
    assert world.incident("ecb").rules == ("breaker_open", "dataset_degraded")


def test_an_incident_is_over_when_every_dataset_was_collected_again_though_the_breaker_still_tries():
    """The breaker closes after three good calls; nobody waits for them."""
    world = World()
    world.happens("breaker.opened", "ecb", reason="")
    world.happens("dataset.degraded", "ecb.a", **DEGRADED)
    world.passes(5)
    world.happens("dataset.collected", "ecb.a")
    assert world.told() == [("begun", "ecb", "team"), ("over", "ecb", "team")]


def test_a_breaker_that_somebody_opened_by_hand_is_no_incident():
    """He knows."""
    world = World()
    world.happens("breaker.opened", "ecb", reason="maintenance", actor="ann")
    assert world.active() == set()


def test_what_is_made_of_a_dataset_that_failed_belongs_to_its_incident():
    """The cause is where it begins."""
    world = World(Setup(Names({"local.derived": ("ecb.a",)}), channels=("team",)))
    world.happens("dataset.failed", "ecb.a")
    world.happens("promise.broken", "local.derived")
    assert world.active() == {"ecb"}
    world.passes(5)
    assert world.incident("ecb").datasets == ("ecb.a", "local.derived")


def test_worse_is_told_once_and_the_rest_is_only_listed():
    """A second dataset that fails changes the list; a promise that breaks is told."""
    world = World()
    world.happens("dataset.failed", "ecb.a")
    world.passes(5)
    world.happens("dataset.failed", "ecb.b")
    world.passes(60, step=5)
    assert world.incident("ecb").datasets == ("ecb.a", "ecb.b")
    world.happens("promise.broken", "ecb.a")
    world.passes(60, step=5)
    assert world.told() == [("begun", "ecb", "team"), ("worse", "ecb", "team")]
    assert world.incident("ecb").severity == "critical"


def test_a_promise_at_risk_that_breaks_stays_one_incident():
    """Broken takes the place of at risk; kept ends both."""
    world = World()
    world.happens("promise.at_risk", "ecb.a", until="2026-03-02T09:00:00Z")
    world.passes(5)
    world.happens("promise.broken", "ecb.a")
    world.passes(5)
    causes = {cause.rule: cause.over for cause in world.incident("ecb").causes}
    assert causes["promise_broken"] is None
    assert causes["promise_at_risk"] is not None
    world.happens("promise.kept", "ecb.a")
    assert [told[0] for told in world.told()] == ["begun", "worse", "over"]


def test_what_ends_before_it_was_told_is_told_to_nobody():
    """A failure of two seconds is in the list, and no message."""
    world = World()
    world.happens("dataset.failed", "ecb.a")
    world.passes(2)
    world.happens("dataset.collected", "ecb.a")
    world.passes(60)
    assert [kind for kind, _ in world.said] == ["incident.opened", "incident.resolved"]
    assert world.told() == []


@pytest.mark.parametrize(("lasts", "told"), [(50.0, []), (70.0, [("begun", "ecb", "team")])], ids=["shorter", "longer"])
def test_for_waits_until_it_has_lasted(lasts: float, told: list[tuple[str, ...]]):
    """What is over before is nothing."""
    world = with_rule(
        Rule(name="r", when="dataset.failed", severity="error", clears=(Clear("dataset.collected"),), for_s=60)
    )
    world.happens("dataset.failed", "ecb.a")
    world.passes(lasts, step=5)
    if lasts < 60:
        world.happens("dataset.collected", "ecb.a")
    world.passes(60, step=5)
    assert world.told() == told


def test_only_the_third_failure_in_a_row_counts():
    """A success between begins anew."""
    world = with_rule(
        Rule(name="r", when="dataset.failed", severity="error", clears=(Clear("dataset.collected"),), consecutive=3)
    )
    for kind in ("dataset.failed", "dataset.failed", "dataset.collected", "dataset.failed", "dataset.failed"):
        world.happens(kind, "ecb.a")
    assert world.active() == set()
    world.happens("dataset.failed", "ecb.a")
    assert world.active() == {"ecb"}


def test_a_figure_that_wavers_between_two_thresholds_changes_nothing():
    """Raised below 90, over from 95 on: 91 is neither."""
    world = with_rule(
        Rule(
            name="low",
            when="quality.scored",
            severity="warning",
            condition=compiled("score < 90"),
            clears=(Clear.read("quality.scored if score >= 95"),),
        )
    )
    for score, active in ((92, False), (89, True), (91, True), (94.9, True), (95, False), (91, False)):
        world.happens("quality.scored", "ecb.a", score=score)
        assert (world.active() == {"ecb"}) is active, score


def test_a_condition_without_an_end_ends_when_it_is_false():
    """`if rows < 10`: the next batch tells."""
    world = with_rule(Rule(name="few", when="quality.scored", severity="warning", condition=compiled("rows < 10")))
    world.happens("quality.scored", "ecb.a", rows=3)
    assert world.active() == {"ecb"}
    world.happens("quality.scored", "ecb.a", rows=None)
    assert world.active() == {"ecb"}  # unknown is not false
    world.happens("quality.scored", "ecb.a", rows=30)
    assert world.active() == set()


def test_what_nothing_ends_is_over_after_an_hour_without_it():
    """A type of a plug-in has no counterpart."""
    world = with_rule(Rule(name="late", when="orders.late", severity="warning"))
    world.happens("orders.late", "order 7")
    world.passes(3000, step=60)
    world.happens("orders.late", "order 7")
    world.passes(3500, step=60)
    assert world.active() == {"order 7"}
    world.passes(200, step=60)
    assert world.told() == [("begun", "order 7", "team"), ("over", "order 7", "team")]


def test_a_run_that_failed_is_over_after_an_hour_as_it_never_runs_again():
    """A condition on what is told once would never be false."""
    world = with_rule(Rule(name="r", when="run.finished", severity="error", condition=compiled("status = 'failed'")))
    world.happens("run.finished", "run 7", status="failed")
    world.happens("run.finished", "run 8", status="succeeded")
    assert world.active() == {"run 7"}
    world.passes(3700, step=100)
    assert world.active() == set()


def test_a_schema_that_changed_is_over_with_a_later_run_not_with_its_own():
    """The delivery that the change was told of ends a moment later."""
    world = World()
    world.happens("schema.drifted", "ecb.a", run_id="r1", column="amount", change="changed")
    world.happens("dataset.collected", "ecb.a", run_id="r1")
    assert world.active() == {"ecb"}
    world.happens("dataset.collected", "ecb.a", run_id="r2")
    assert world.active() == set()


def test_two_objectives_of_a_dataset_are_two_causes():
    """One that ends leaves the other."""
    world = World()
    for objective in ("fresh", "quality"):
        world.happens("objective.burning", "ecb.a", objective=objective, state="burning", pace="fast")
    world.happens("objective.burning", "ecb.a", objective="fresh", state="ended")
    assert world.active() == {"ecb"}
    world.happens("objective.burning", "ecb.a", objective="quality", state="ended")
    assert world.active() == set()


@pytest.mark.parametrize(
    ("group_by", "active"),
    [("provider", {"ecb"}), ("dataset", {"ecb.a", "ecb.b"}), ("rule", {"r"})],
    ids=["by provider", "by dataset", "by rule"],
)
def test_grouping_is_the_rules(group_by: Any, active: set[str]):
    """One incident a provider, a dataset, or a rule."""
    world = with_rule(
        Rule(name="r", when="dataset.failed", severity="error", group_by=group_by, clears=(Clear("dataset.collected"),))
    )
    world.happens("dataset.failed", "ecb.a")
    world.happens("dataset.failed", "ecb.b")
    assert world.active() == active


def test_anomalies_alone_go_into_one_digest_a_day_and_page_nobody():
    """At eight in the morning, all of them, once; then they are forgotten."""
    world = World()
    world.happens("anomaly.detected", "ecb.a", metric="rows", reason="too few")
    world.happens("anomaly.detected", "tcmb.a", metric="rows", reason="too many")
    world.passes(4.9 * 3600, step=600)
    assert world.told() == []
    world.passes(3600, step=600)
    assert world.told() == [("digest", "2026-03-02", "team")]
    digest = world.incident("2026-03-02")
    assert (digest.state, digest.datasets) == ("resolved", ("ecb.a", "tcmb.a"))
    world.passes(2 * 86400, step=3600)
    assert len(world.told()) == 1


def test_an_anomaly_of_a_provider_in_trouble_is_listed_there():
    """Then it is a clue, and no line of the digest; and it does not keep the incident open."""
    world = World()
    world.happens("anomaly.detected", "ecb.a", metric="rows")
    world.happens("dataset.failed", "ecb.b")
    world.passes(5)
    assert world.incident("ecb").datasets == ("ecb.a", "ecb.b")
    world.happens("dataset.collected", "ecb.b")
    world.passes(86400, step=3600)
    assert world.told() == [("begun", "ecb", "team"), ("over", "ecb", "team")]


def test_what_comes_and_goes_is_told_as_flapping_once():
    """Three times it is told in full, the fourth time that it comes and goes; half an hour of quiet ends it."""
    world = World()
    for _ in range(8):
        world.happens("dataset.failed", "ecb.a")
        world.passes(60, step=5)
        world.happens("dataset.collected", "ecb.a")
        world.passes(60, step=5)
    kinds = [told[0] for told in world.told()]
    assert kinds == ["begun", "over"] * 3 + ["flapping"]
    assert "incident.flapping" in [kind for kind, _ in world.said]
    world.passes(1800, step=60)
    assert [told[0] for told in world.told()][7:] == ["over"]
    world.passes(86400, step=3600)
    world.happens("dataset.failed", "ecb.a")
    world.passes(5)
    assert world.told()[-1][0] == "begun"


def test_a_dataset_that_fails_every_other_hour_is_told_as_flapping_too_and_once():
    """Half an hour after it was collected it is not well: it fails again an hour later."""
    world = World()
    for _ in range(10):
        world.happens("dataset.failed", "ecb.a")
        world.passes(3600, step=60)
        world.happens("dataset.collected", "ecb.a")
        world.passes(3600, step=60)
    assert [told[0] for told in world.told()] == ["begun", "over"] * 3 + ["flapping"]
    world.passes(4 * 3600, step=60)
    assert world.told()[-1][0] == "over"


@pytest.mark.parametrize(
    ("kind", "subject", "data", "rule", "severity", "clear"),
    [
        ("host.overloaded", "cpu", {"percent": 95.0, "limit": 90.0}, "resource_critical", "critical", "host.relieved"),
        ("host.disk_filling", "disk", {"hours_left": 20.0}, "disk_filling", "error", "host.disk_relieved"),
        ("disk.shed", "disk", {"dry_run": False}, "disk_shed", "error", "protector.relieved"),
        (
            "protector.acted",
            "memory",
            {"action": "kill", "dry_run": False},
            "process_ended",
            "error",
            "protector.relieved",
        ),
        ("service.slow", "shop", {"response_s": 6.2}, "response_slow", "warning", "service.recovered"),
        ("service.unavailable", "shop", {"kind": "http"}, "server_down", "critical", "service.recovered"),
        ("service.unavailable", "shop", {"kind": "slow_start"}, "server_slow", "error", "service.started"),
        ("service.unavailable", "shop", {"kind": "permission"}, "permission_error", "error", "service.started"),
        ("alert.failed", "team", {}, "channel_failing", "error", "alert.sent"),
        ("protector.gave_up", "memory", {"why": "too often"}, "protector_gave_up", "error", "protector.relieved"),
        ("healing.gave_up", "memory", {"tried": []}, "healing_gave_up", "error", "healing.recovered"),
        ("version.damaged", "ecb.a", {"version": "v1"}, "version_damaged", "error", "version.restored"),
    ],
    ids=[
        *("CPU", "disk full within a day", "disk shed", "process ended"),
        *("slow response", "unavailable", "slow start", "no permission"),
        *("a channel fails", "nothing more can be ended", "nothing helped", "a damaged version"),
    ],
)
def test_what_is_shipped_calls_for_the_host_services_and_ourselves(
    kind: str, subject: str, data: dict[str, Any], rule: str, severity: str, clear: str
):
    """The triggers, each with its severity and its end."""
    world = World()
    world.happens(kind, subject, **data)
    ((_, news),) = world.said
    assert (news.incident.rules, news.incident.severity) == ((rule,), severity)
    world.happens(clear, subject)
    assert world.active() == set()


def test_a_damaged_version_is_over_once_a_later_run_has_brought_another() -> None:
    """Not by the run that found it: that the disk spoils files is told, though readers have rows again at once."""
    world = World()
    world.happens("version.damaged", "ecb.a", version="v1", run_id="r2")
    world.happens("dataset.collected", "ecb.a", run_id="r2")
    still = world.active()
    world.happens("dataset.collected", "ecb.a", run_id="r3")

    assert still != set()
    assert world.active() == set()


# --- what explains what -------------------------------------------------------------------------------


def three_down(world: World) -> None:
    for provider in ("ecb", "tcmb", "fed"):
        world.happens("dataset.failed", f"{provider}.a")
        world.passes(1)


def probed(world: World, found: Finding | None) -> None:
    world.core.explaining.probed(found, world.now)
    world.write()


def test_two_providers_are_two_incidents_and_a_third_is_a_reason_to_look_at_ourselves():
    """Within five minutes, that is."""
    world = World()
    world.happens("dataset.failed", "ecb.a")
    world.happens("dataset.failed", "tcmb.a")
    world.passes(310, step=10)
    world.happens("dataset.failed", "fed.a")
    assert world.core.memory.meta.probe_at is None
    assert world.active() == {"ecb", "tcmb", "fed"}
    world.happens("dataset.failed", "boe.a")
    assert world.core.memory.meta.probe_at is None
    world.happens("dataset.failed", "local.a")
    assert world.core.memory.meta.probe_at is not None


THEIRS = {"error": {"type": "ProviderUnavailable"}}
OF_ROWS = ("rows.quarantined", {"rows": 3, "of": 20, "share": 0.15, "reasons": {}, "run_id": "r"})
HELD = ("dataset.failed", {"error": {"type": "BatchNotDelivered"}})


@pytest.mark.parametrize(("kind", "data"), [OF_ROWS, HELD], ids=["bad rows", "held batches"])
def test_providers_that_deliver_are_not_down_however_many_they_are(kind: str, data: dict[str, Any]):
    """Each is an incident of its own, and is told: nobody finds it behind "3 providers down"."""
    world = World()
    for provider in ("ecb", "tcmb", "fed"):
        world.happens(kind, f"{provider}.a", **data)
    assert world.core.memory.meta.probe_at is None
    for provider in ("boe", "local"):
        world.happens("dataset.failed", f"{provider}.a", **THEIRS)
    probed(world, None)
    world.passes(60, step=5)

    assert world.active() == {"ecb", "tcmb", "fed", "boe", "local"}
    assert {about for _, about, _ in world.told()} == world.active()


def test_one_that_goes_down_later_is_a_part_of_those_that_did():
    """Its incident was opened for bad rows, before."""
    world = World()
    kind, data = OF_ROWS
    world.happens(kind, "boe.a", **data)
    three_down(world)
    probed(world, None)
    (several,) = [one for one in world.core.memory.ongoing.values() if one.kind == "several"]
    assert several.about == "3 providers"

    world.happens("dataset.failed", "boe.a", **THEIRS)

    assert several.about == "4 providers"
    assert world.incident("boe").inhibited_by == several.id


def test_the_third_to_go_down_may_have_had_an_incident_before():
    """It counts from when it went down."""
    world = World()
    kind, data = OF_ROWS
    world.happens(kind, "boe.a", **data)
    world.passes(310, step=10)
    for provider in ("ecb", "tcmb", "boe"):
        world.happens("dataset.failed", f"{provider}.a", **THEIRS)

    assert world.core.memory.meta.probe_at is not None
    world.restart()
    probed(world, None)
    assert "3 providers" in world.active()


def test_when_it_is_us_there_is_one_incident_since_the_first_and_it_explains_the_others():
    """Nobody is told of the three; when our network is back its end is told."""
    world = World()
    three_down(world)
    probed(world, Finding("network", "no gateway"))
    world.passes(60, step=5)
    assert world.told() == [("begun", "our network", "team")]
    network = world.incident("our network")
    assert len(network.explains) == 3
    assert network.causes[0].since.startswith("2026-03-02T03:00:00")
    assert {world.incident(name).inhibited_by for name in ("ecb", "tcmb", "fed")} == {network.id}

    world.happens("dataset.failed", "boe.a")
    assert world.incident("boe").inhibited_by == network.id
    probed(world, None)
    assert world.told()[-1] == ("over", "our network", "team")
    for provider in ("ecb", "tcmb", "fed", "boe"):
        world.happens("dataset.collected", f"{provider}.a")
    assert world.active() == set()
    assert len(world.told()) == 2


def test_what_failed_because_our_network_was_away_is_listed_with_it_and_is_no_providers():
    """Also what is served from a copy meanwhile; each is over when it was collected again."""
    away = {"type": "NetworkAway", "message": "none of the canaries"}
    world = World()
    world.happens("dataset.degraded", "ecb.a", error=away, **DEGRADED)
    world.happens("network.away", "network")
    world.happens("dataset.failed", "tcmb.a", error=away)
    world.passes(5)
    assert world.incident("our network").datasets == ("ecb.a", "tcmb.a")
    world.happens("network.back", "network")
    world.happens("dataset.collected", "ecb.a")
    assert world.active() == {"our network"}
    world.happens("dataset.collected", "tcmb.a")
    assert world.told() == [("begun", "our network", "team"), ("over", "our network", "team")]


def test_a_provider_that_is_still_away_when_our_network_is_back_has_an_incident_of_its_own():
    """Then it is not our network any more."""
    world = World()
    world.happens("network.away", "network")
    world.happens("dataset.failed", "ecb.a", error={"type": "NetworkAway"})
    world.happens("network.back", "network")
    assert world.active() == {"our network"}
    world.happens("dataset.failed", "ecb.a", error={"type": "ProviderUnavailable"})
    assert world.active() == {"ecb"}
    world.happens("dataset.collected", "ecb.a")
    assert world.active() == set()


def test_our_network_does_not_explain_who_is_asked_over_none():
    """A provider on loopback is never excused by it."""
    world = World()
    world.happens("network.away", "network")
    world.happens("dataset.failed", "local.a")
    world.happens("dataset.failed", "ecb.a")
    world.passes(5)
    assert world.told() == [("begun", "our network", "team"), ("begun", "local", "team")]


def test_when_it_is_not_us_there_is_one_incident_of_them_all_until_the_last_is_back():
    """One beginning with all datasets, one end."""
    world = World()
    three_down(world)
    probed(world, None)
    world.passes(5)
    assert world.told() == [("begun", "3 providers", "team")]
    assert world.incident("3 providers").datasets == ("ecb.a", "fed.a", "tcmb.a")
    world.happens("dataset.collected", "ecb.a")
    world.happens("dataset.collected", "tcmb.a")
    assert world.active() == {"fed", "3 providers"}
    world.happens("dataset.collected", "fed.a")
    assert world.active() == set()
    assert world.told() == [("begun", "3 providers", "team"), ("over", "3 providers", "team")]
    assert world.incident("3 providers").datasets == ("ecb.a", "fed.a", "tcmb.a")


def test_what_gets_worse_below_makes_worse_what_explains_it():
    """A broken promise is not lost in what is explained."""
    world = World()
    three_down(world)
    probed(world, None)
    world.passes(5)
    world.happens("promise.broken", "ecb.a")
    world.passes(5)
    assert world.told() == [("begun", "3 providers", "team"), ("worse", "3 providers", "team")]


def test_what_is_still_wrong_after_what_explained_it_comes_back_when_it_is_seen_again():
    """Or after an hour: nothing is hidden for ever."""
    world = World()
    world.happens("network.away", "network")
    world.happens("dataset.failed", "ecb.a")
    world.happens("dataset.failed", "fed.a")
    world.passes(5)
    world.happens("network.back", "network")
    world.passes(60, step=5)
    assert [told[1] for told in world.told()] == ["our network", "our network"]
    world.happens("dataset.failed", "ecb.a")
    world.passes(5)
    assert world.told()[-1] == ("begun", "ecb", "team")
    world.passes(3600, step=60)
    assert world.told()[-1] == ("begun", "fed", "team")


def test_a_full_disk_explains_what_could_not_be_written_and_nothing_else():
    """A dataset whose provider is away is another matter."""
    world = World()
    world.happens("host.disk_filling", "disk", hours_left=0.2)
    world.happens("dataset.failed", "ecb.a", error={"type": "StoreError", "message": "no space left"})
    world.happens("dataset.failed", "tcmb.a", error={"type": "ProviderUnavailable", "message": "503"})
    world.passes(5)
    assert world.told() == [("begun", "host", "team"), ("begun", "tcmb", "team")]


def test_promises_that_break_because_our_clock_was_set_are_explained_by_that():
    """One message instead of one a provider."""
    world = World()
    world.happens("clock.jumped", "clock", by_s=86400.0)
    for provider in ("ecb", "tcmb", "fed", "boe"):
        world.happens("promise.broken", f"{provider}.a")
    world.passes(60, step=5)
    assert world.told() == [("begun", "our clock", "team")]
    assert world.incident("our clock").severity == "critical"


# --- time, and what the configuration has no more -------------------------------------------------------


@pytest.mark.parametrize("jump", [-7200.0, 86400.0], ids=["set back", "set forward"])
def test_a_clock_that_is_set_makes_nothing_fire_and_nothing_wait(jump: float):
    """What was measured goes on from there."""
    rule = Rule(
        name="r",
        when="dataset.failed",
        severity="error",
        clears=(Clear("dataset.collected"),),
        for_s=600,
        repeat_s=3600,
    )
    world = with_rule(rule)
    world.happens("dataset.failed", "ecb.a")
    world.passes(300)
    world.now += jump
    world.core.shift(jump)
    world.passes(200, step=20)
    assert world.told() == []
    world.passes(120, step=20)
    assert world.told() == [("begun", "ecb", "team")]
    world.now -= jump
    world.core.shift(-jump)
    world.passes(3500, step=100)
    assert len(world.told()) == 1
    world.passes(200, step=100)
    assert [told[0] for told in world.told()] == ["begun", "again"]


def test_events_of_a_host_whose_clock_is_ahead_or_behind_happen_now():
    """The engine's time never goes back, and never ahead of ours."""
    world = World()
    world.now += 7200
    early = world.now
    world.happens("dataset.failed", "ecb.a")
    world.now = early - 3600
    world.happens("dataset.failed", "tcmb.a")
    assert world.core.memory.meta.now == early
    assert world.core.memory.ongoing[world.incident("tcmb").id].opened == early


def test_a_dataset_or_rule_that_the_configuration_has_no_more_ends_its_part():
    """Nobody would ever collect it again."""
    world = World()
    world.happens("dataset.failed", "ecb.a")
    world.happens("dataset.failed", "tcmb.a")
    world.happens("promise.broken", "fed.a")
    names = Names()
    names.gone.add("ecb.a")
    rules = tuple(rule for rule in SHIPPED if rule.name != "promise_broken")
    world.core = Core(replace(world.setup, declared=names, rules=rules), world.core.memory)
    world.core.acts.tidy(world.now)
    world.write()
    assert world.active() == {"tcmb"}


@pytest.mark.parametrize(
    ("kind", "removed", "stays"),
    [("breaker.opened", "bnp", "ecb"), ("alert.failed", "old", "team")],
    ids=["a provider", "a channel"],
)
def test_what_the_configuration_names_no_more_is_wrong_no_more(kind: str, removed: str, stays: str):
    """No breaker closes and no message is sent where there is none: it would be wrong for ever."""
    world = World()
    world.happens(kind, removed)
    world.happens(kind, stays)
    world.core.acts.tidy(world.now)
    world.write()
    assert world.active() == {stays}


def test_a_field_that_an_event_does_not_have_is_told_and_the_rule_is_silent():
    """Unknown is not true."""
    world = with_rule(Rule(name="r", when="orders.late", severity="error", condition=compiled("hours > 3")))
    world.happens("orders.late", "order 7", days=2)
    assert world.active() == set()
    assert world.core.untold == {"r": ["hours"]}


def test_a_cause_keeps_what_messages_need_and_no_more():
    """Long texts are cut, big things are left out: an incident stays small."""
    world = World()
    data = {"reason": "x" * 2000, "error": {"type": "E", "nested": {"a": 1}}, "report": {str(n): n for n in range(99)}}
    world.happens("dataset.failed", "ecb.a", **data, failed_rules=[{"rule": "r", "failed": 3}] * 20)
    (cause,) = world.incident("ecb").causes
    assert len(cause.data["reason"]) == 500
    assert cause.data["error"] == {"type": "E"}
    assert "report" not in cause.data
    assert len(cause.data["failed_rules"]) == 5


def test_of_very_many_causes_a_hundred_are_listed_and_all_datasets():
    """An event of the log does not grow without bound."""
    world = World()
    for number in range(150):
        world.happens("dataset.failed", f"ecb.d{number:03}")
    world.passes(5)
    incident = world.incident("ecb")
    assert (len(incident.causes), len(incident.datasets)) == (100, 150)
