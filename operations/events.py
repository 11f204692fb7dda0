"""The log: read it, follow it, prove it whole."""

from collections.abc import Iterator

from integrated_system import IntegratedSystem
from utils.events import Event, Verification


def recent(
    system: IntegratedSystem,
    *,
    type: str | None = None,
    source: str | None = None,
    subject: str | None = None,
    since: str | None = None,
    until: str | None = None,
    limit: int = 50,
) -> list[Event]:
    """The newest matching events, oldest of them first."""
    found = system.events.read(
        type=type, source=source, subject=subject, since=since, until=until, limit=limit, newest_first=True
    )
    return found[::-1]


def follow(
    system: IntegratedSystem,
    *,
    type: str | None = None,
    source: str | None = None,
    subject: str | None = None,
    since: str | None = None,
    limit: int = 50,
) -> Iterator[Event]:
    """The newest matching events, then new ones as they are committed, by any process, for ever; none is left out."""
    head = system.events.head()[0]
    found = recent(system, type=type, source=source, subject=subject, since=since, limit=limit)
    yield from found
    after = max(head, found[-1].seq) if found else head
    yield from system.events.follow(after=after, type=type, source=source, subject=subject)


def verify(system: IntegratedSystem, *, head: str | None = None) -> Verification:
    """Recompute the hash chain; `head` is a `SEQ:HASH` that was kept elsewhere."""
    return system.events.verify(head)
