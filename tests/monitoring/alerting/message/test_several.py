"""The end of providers that went down together: nothing is wrong in any of them by then, and it is told."""

from monitoring.alerting.message.compose import compose
from monitoring.alerting.situation import DatasetStanding
from tests.monitoring.alerting.incidents_world import World
from tests.monitoring.alerting.message.night import House, at


def test_the_end_of_several_providers_is_told():
    """Its causes were those of incidents that are over; what is left is when it began, and whom it concerned."""
    world, house = World(), House(zone="UTC")
    names = ["ecb.a", "fed.a", "tcmb.a"]
    for name in names:
        house.standings[name] = DatasetStanding(name, name.partition(".")[0], "succeeded", "provider")
        world.happens("dataset.failed", name, error={"type": "ProviderUnavailable", "message": "answered 503"})
    world.core.explaining.probed(None, world.now)
    world.passes(600)
    for name in names:
        world.happens("dataset.collected", name)
    over = world.incident("3 providers")
    assert (over.state, over.causes) == ("resolved", ())
    message = compose(over, "resolved", house, at("2026-03-02T03:10:00Z"))
    assert message.title == "Over: the providers answer again since 03:10: nothing is left to do"
