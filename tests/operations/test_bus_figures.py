"""What the bus of a process announced stands in the metrics; where nobody listens, nothing does."""

from pathlib import Path
from typing import Any

from operations.metrics import as_json
from tests.integration.installation import Installation
from utils.events import NewEvent


def _broken(_: Any) -> None:
    raise ValueError("no")


def test_what_was_published_delivered_and_failed_is_a_metric(tmp_path: Path) -> None:
    """Of this process, once somebody subscribed."""
    installation = Installation(tmp_path)
    installation.configure()
    with installation.system() as system:
        assert not any(name.startswith("orchestrator_bus") for name in as_json(system))
        heard: list[str] = []
        system.bus.subscribe("thing.*", lambda event: heard.append(event.type))
        system.bus.subscribe("thing.*", _broken)
        system.events.append(
            [NewEvent("thing.happened", "a"), NewEvent("thing.ended", "a"), NewEvent("other.one", "a")]
        )
        assert system.bus.close()
        told = as_json(system)

    counted = {one["labels"]["outcome"]: one["value"] for one in told["orchestrator_bus_events_total"]["series"]}
    assert heard == ["thing.happened", "thing.ended"]
    assert counted == {"published": 2, "delivered": 2, "failed": 2, "dropped": 0}
    assert told["orchestrator_bus_waiting_events"]["series"][0]["value"] == 0
