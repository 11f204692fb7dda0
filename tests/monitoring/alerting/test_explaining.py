"""What explains what: providers that are down together, our network, our disk, our clock."""

from typing import Any

import pytest

from monitoring.alerting.explaining import Finding
from tests.monitoring.alerting.incidents_world import DEGRADED, World


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
