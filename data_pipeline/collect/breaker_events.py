"""What the log says when a provider's circuit breaker moves."""

from utils.events import EventStore, NewEvent
from utils.resilience.exchange import Transition

_KIND = {"open": "breaker.opened", "half_open": "breaker.half_opened", "closed": "breaker.closed"}


def note_breaker(events: EventStore, moved: Transition) -> None:
    """Append it, without waiting. `open_until`: epoch seconds; null when it is not open, or a person holds it open."""
    until = moved.open_until if moved.after == "open" and not moved.held else None
    data = {"before": moved.before, "reason": moved.reason, "open_until": until, "held": moved.held}
    events.submit([NewEvent(_KIND[moved.after], moved.name, data, source="resilience")])
