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
) -> Iterator[Event]:
    """Events as they are committed, by any process, from now on."""
    return system.events.follow(after=system.events.head()[0], type=type, source=source)


def verify(system: IntegratedSystem, *, head: str | None = None) -> Verification:
    """Recompute the hash chain; `head` is a `SEQ:HASH` that was kept elsewhere."""
    return system.events.verify(head)
