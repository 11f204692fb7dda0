"""Our own network as the log knows it: what changes is told there, and what was told last is where we begin."""

from collections.abc import Callable, Sequence

from utils.clock import Clock
from utils.events import Event, EventStore, NewEvent
from utils.network import Address, OwnNetwork

__all__ = ["last_told", "was_away", "watched"]

SUBJECT = "network"


def watched(canaries: Sequence[Address], log: Callable[[], EventStore], clock: Clock) -> OwnNetwork:
    """The network that these canaries tell of; its changes stand in the log, which is opened when it is needed."""
    names = [f"{host}:{port}" for host, port in canaries]

    def tell(away: bool) -> None:
        if away != was_away(log()):  # else another process was quicker
            kind = "network.away" if away else "network.back"
            log().submit([NewEvent(kind, SUBJECT, {"canaries": names}, source="resilience")])

    return OwnNetwork(canaries, was_away=lambda: was_away(log()), listener=tell, clock=clock)


def was_away(events: EventStore) -> bool:
    """Whether the network was away when the log was told of it last."""
    told = last_told(events)
    return told is not None and told.type == "network.away"


def last_told(events: EventStore, *, until: str | None = None) -> Event | None:
    """`network.away` or `network.back`, whichever came last (before `until`, RFC 3339); None: it was never away."""
    found = [
        event
        for kind in ("network.away", "network.back")  # one by one, as the log's index has them
        for event in events.read(type=kind, until=until, limit=1, newest_first=True)
    ]
    return max(found, key=lambda event: event.seq, default=None)
