"""What becomes an incident, what belongs to it, and when it is over."""

from typing import Any

import pytest

from monitoring.alerting.condition import compiled
from monitoring.alerting.rules import Clear, Rule
from monitoring.alerting.setup import Setup
from tests.monitoring.alerting.incidents_world import DEGRADED, Names, World, with_rule


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
