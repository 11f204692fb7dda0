"""What the log says when a provider's circuit breaker moves."""

from utils.events import NewEvent
from utils.resilience.exchange import Transition

_KIND = {"open": "breaker.opened", "half_open": "breaker.half_opened", "closed": "breaker.closed"}


def breaker_event(transition: Transition) -> NewEvent:
    """`open_until`: epoch seconds; None when nobody knows, because it was opened by hand."""
    until = transition.open_until if transition.open_until < float("inf") else None
    data = {"before": transition.before, "reason": transition.reason, "open_until": until}
    return NewEvent(_KIND[transition.after], transition.name, data, source="resilience")
