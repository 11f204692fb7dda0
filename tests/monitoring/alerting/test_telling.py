"""Who is told, and when: channels, hours, repetitions, escalations, acknowledgements, silences."""

from datetime import UTC, datetime
from typing import Any

import pytest

from monitoring.alerting.hours import Hours
from monitoring.alerting.incident import Severity
from monitoring.alerting.rules import Clear, Escalation, Rule
from monitoring.alerting.setup import Setup
from monitoring.alerting.silence import Matcher
from tests.monitoring.alerting.incidents_world import START, Names, World
from utils.calendars import Calendar

OFFICE = Hours(9 * 3600, 17 * 3600, UTC, Calendar(frozenset(range(5))))


def rule(when: str = "dataset.failed", severity: Severity = "error", **more: Any) -> Rule:
    return Rule(name=more.pop("name", when), when=when, severity=severity, clears=(Clear("dataset.collected"),), **more)


def world_of(*rules: Rule) -> World:
    return World(Setup(Names(), rules=rules, channels=("team", "ops"), hours={"office": OFFICE}))


def seconds_until(text: str) -> float:
    return datetime.fromisoformat(text).timestamp() - START.timestamp()


def test_a_rule_that_names_nobody_tells_every_channel_and_one_that_does_only_these():
    """Each is told the end of what it was told the beginning of."""
    world = world_of(rule(to=("ops",)), rule("promise.broken", "critical"))
    world.happens("dataset.failed", "ecb.a")
    world.passes(5)
    world.happens("promise.broken", "tcmb.a")
    world.passes(5)
    assert world.told() == [("begun", "ecb", "ops"), ("begun", "tcmb", "team", "ops")]
    world.happens("dataset.collected", "ecb.a")
    assert world.told()[-1] == ("over", "ecb", "ops")


def test_a_rule_that_joins_tells_its_own_channels_the_beginning():
    """They have not heard of it; the others are not told again."""
    world = world_of(rule(to=("ops",)), rule("batch.held", "error", to=("team",)))
    world.happens("dataset.failed", "ecb.a")
    world.passes(5)
    world.happens("batch.held", "ecb.a")
    world.passes(5)
    assert world.told() == [("begun", "ecb", "ops"), ("begun", "ecb", "team")]


def test_that_a_channel_takes_nothing_is_told_on_the_others():
    """It would hear of its own silence when that is over."""
    world = World(Setup(Names(), channels=("team", "ops")))
    world.happens("alert.failed", "team", error="connection refused")
    world.passes(5)
    world.happens("alert.sent", "team")
    assert world.told() == [("begun", "team", "ops"), ("over", "team", "ops")]


def test_without_channels_somebody_is_told_all_the_same():
    """The file, and whoever looks on."""
    world = World(Setup(Names()))
    world.happens("dataset.failed", "ecb.a")
    world.passes(5)
    world.happens("dataset.collected", "ecb.a")
    assert world.told() == [("begun", "ecb"), ("over", "ecb")]


def test_a_warning_outside_of_hours_waits_until_they_begin():
    """At three at night nobody is told; at nine, if it is still wrong."""
    world = world_of(rule(severity="warning", hours="office"))
    world.happens("dataset.failed", "ecb.a")
    world.happens("dataset.failed", "tcmb.a")
    world.passes(5 * 3600, step=600)
    world.happens("dataset.collected", "tcmb.a")
    world.passes(seconds_until("2026-03-02T08:59:00Z") - 5 * 3600, step=60)
    assert world.told() == []
    assert world.active() == {"ecb"}
    world.passes(61)
    assert world.told() == [("begun", "ecb", "team", "ops")]


def test_what_is_critical_is_told_at_any_hour():
    """That is what it means."""
    world = world_of(rule(severity="critical", hours="office"))
    world.happens("dataset.failed", "ecb.a")
    world.passes(5)
    assert world.told() == [("begun", "ecb", "team", "ops")]


def test_a_warning_that_waits_is_told_at_once_when_it_becomes_critical():
    """And nobody is told at nine what he heard at four."""
    world = world_of(rule(severity="warning", hours="office"), rule("promise.broken", "critical"))
    world.happens("dataset.failed", "ecb.a")
    world.passes(3600, step=60)
    world.happens("promise.broken", "ecb.a")
    world.passes(5)
    world.passes(8 * 3600, step=600)
    assert world.told() == [("begun", "ecb", "team", "ops")]


def test_of_two_rules_the_one_with_hours_tells_its_channels_when_they_begin():
    """Night shift at once, the office in the morning."""
    world = world_of(rule(to=("ops",)), rule("batch.held", "error", to=("team",), hours="office"))
    world.happens("dataset.failed", "ecb.a")
    world.happens("batch.held", "ecb.a")
    world.passes(5)
    assert world.told() == [("begun", "ecb", "ops")]
    world.passes(6 * 3600, step=600)
    assert world.told() == [("begun", "ecb", "ops"), ("begun", "ecb", "team")]


def test_it_is_told_again_while_it_lasts_as_often_as_the_rule_says():
    """Not by default."""
    world = world_of(rule(repeat_s=4 * 3600.0))
    world.happens("dataset.failed", "ecb.a")
    world.passes(9 * 3600, step=300)
    assert [told[0] for told in world.told()] == ["begun", "again", "again"]
    world.happens("dataset.collected", "ecb.a")
    world.passes(9 * 3600, step=300)
    assert [told[0] for told in world.told()] == ["begun", "again", "again", "over"]


def test_when_nobody_acknowledges_others_are_told_step_by_step():
    """After half an hour, after two hours; then they are told the end, too."""
    world = world_of(
        rule(to=("team",), escalate=Escalation(1800.0, ("ops",))),
        rule("promise.broken", "error", to=("team",), escalate=Escalation(7200.0, ("boss",))),
    )
    world.happens("dataset.failed", "ecb.a")
    world.happens("promise.broken", "ecb.a")
    world.passes(1790, step=10)
    assert world.told() == [("begun", "ecb", "team")]
    world.passes(6000, step=10)
    assert world.told()[1:] == [("escalated", "ecb", "ops"), ("escalated", "ecb", "boss")]
    assert world.incident("ecb").step == 2
    world.happens("dataset.collected", "ecb.a")
    assert world.told()[-1] == ("over", "ecb", "team", "ops", "boss")


def acknowledged(world: World, until: float | None) -> None:
    (ongoing,) = world.core.memory.ongoing.values()
    world.core.acts.acknowledge(ongoing, "ann", None if until is None else world.now + until, "on it")
    world.write()


def test_an_acknowledgement_stops_repetition_and_escalation():
    """Somebody sees to it; the end is told."""
    world = world_of(rule(to=("team",), repeat_s=3600.0, escalate=Escalation(1800.0, ("ops",))))
    world.happens("dataset.failed", "ecb.a")
    world.passes(5)
    acknowledged(world, None)
    assert world.incident("ecb").state == "acknowledged"
    world.passes(86400, step=600)
    world.happens("dataset.collected", "ecb.a")
    assert world.told() == [("begun", "ecb", "team"), ("over", "ecb", "team")]


def test_an_acknowledgement_that_runs_out_brings_it_back():
    """Still wrong after two hours: told again, and escalated if nobody takes it anew."""
    world = world_of(rule(to=("team",), escalate=Escalation(1800.0, ("ops",))))
    world.happens("dataset.failed", "ecb.a")
    world.passes(5)
    acknowledged(world, 7200.0)
    world.passes(7100, step=100)
    assert len(world.told()) == 1
    world.passes(200, step=100)
    assert world.told()[1:] == [("again", "ecb", "team")]
    assert world.incident("ecb").state == "open"
    assert "incident.unacknowledged" in [kind for kind, _ in world.said]
    world.passes(2000, step=100)
    assert world.told()[2:] == [("escalated", "ecb", "ops")]


def test_what_is_worse_is_told_though_somebody_took_it():
    """He took something smaller."""
    world = world_of(rule(), rule("promise.broken", "critical"))
    world.happens("dataset.failed", "ecb.a")
    world.passes(5)
    acknowledged(world, None)
    world.happens("promise.broken", "ecb.a")
    world.passes(5)
    assert [told[0] for told in world.told()] == ["begun", "worse"]


def silenced(world: World, matcher: Matcher, since: float, until: float) -> None:
    world.core.acts.add_silence(matcher, world.now + since, world.now + until, "ann", "works")
    world.core.tick(world.now)
    world.write()


@pytest.mark.parametrize(
    "matcher",
    [Matcher(about="e*"), Matcher(dataset="ecb.*"), Matcher(rule="dataset.failed"), Matcher(severity="error")],
    ids=["by what it is about", "by dataset", "by rule", "by severity"],
)
def test_a_silence_keeps_quiet_what_it_matches_until_it_is_over(matcher: Matcher):
    """Then what is still wrong is told."""
    world = world_of(rule())
    silenced(world, matcher, 0, 3600)
    world.happens("dataset.failed", "ecb.a")
    assert world.incident("ecb").state == "silenced"
    world.passes(3500, step=100)
    assert world.told() == []
    world.passes(200, step=100)
    assert world.told() == [("begun", "ecb", "team", "ops")]
    assert [kind for kind, _ in world.silences] == ["silence.added", "silence.ended"]


def test_the_end_of_a_silence_does_not_call_who_took_it_again():
    """He was told, and sees to it: nothing is repeated to him."""
    world = world_of(rule(to=("team",)))
    world.happens("dataset.failed", "ecb.a")
    world.passes(5)
    acknowledged(world, None)
    silenced(world, Matcher(about="ecb"), 0, 600)
    world.passes(1200, step=10)
    assert [kind for kind, _ in world.silences] == ["silence.added", "silence.ended"]
    world.happens("dataset.collected", "ecb.a")
    assert world.told() == [("begun", "ecb", "team"), ("over", "ecb", "team")]


def test_a_silence_that_does_not_match_changes_nothing():
    """All that is given must hold."""
    world = world_of(rule())
    silenced(world, Matcher(about="ecb", severity="warning"), 0, 3600)
    world.happens("dataset.failed", "ecb.a")
    world.passes(5)
    assert world.told() == [("begun", "ecb", "team", "ops")]


def test_a_maintenance_window_begins_by_itself_and_quiets_what_is_open():
    """The end of what was told is told all the same."""
    world = world_of(rule(repeat_s=600.0))
    silenced(world, Matcher(), 300, 3600)
    world.happens("dataset.failed", "ecb.a")
    world.passes(100, step=5)
    assert world.told() == [("begun", "ecb", "team", "ops")]
    world.passes(3000, step=100)
    assert len(world.told()) == 1
    assert "incident.silenced" in [kind for kind, _ in world.said]
    world.happens("dataset.collected", "ecb.a")
    assert [told[0] for told in world.told()] == ["begun", "over"]


def test_when_one_of_two_silences_ends_the_other_holds():
    """Both said so."""
    world = world_of(rule())
    silenced(world, Matcher(about="ecb"), 0, 600)
    silenced(world, Matcher(dataset="ecb.a"), 0, 1200)
    world.happens("dataset.failed", "ecb.a")
    world.passes(700, step=100)
    assert world.told() == []
    world.passes(600, step=100)
    assert world.told() == [("begun", "ecb", "team", "ops")]


def test_in_a_hurry_nothing_is_gathered_for_but_hours_are_kept():
    """The end of a run that nobody follows."""
    world = world_of(rule(), rule("batch.held", "warning", hours="office"))
    world.happens("dataset.failed", "ecb.a")
    world.happens("batch.held", "tcmb.a")
    world.core.tick(world.now, hurry=True)
    world.write()
    assert world.told() == [("begun", "ecb", "team", "ops")]
