"""Incidents when clocks are set, and when the configuration has a dataset, a rule or a channel no more."""

from dataclasses import replace

import pytest

from monitoring.alerting.core import Core
from monitoring.alerting.rules import Clear, Rule
from monitoring.alerting.shipped import SHIPPED
from tests.monitoring.alerting.incidents_world import Names, World, with_rule


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
