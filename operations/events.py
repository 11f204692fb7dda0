"""The log: read it, follow it, prove it whole."""

import re
from collections.abc import Callable, Iterator

from integrated_system import IntegratedSystem
from operations.actor import Actor, UsageError, operation
from operations.moments import moment_of
from utils.events import Event, NewEvent, Verification, rfc3339
from utils.events.cursors import Parked, Standing


def recent(
    system: IntegratedSystem,
    *,
    type: str | None = None,
    source: str | None = None,
    subject: str | None = None,
    since: str | None = None,
    until: str | None = None,
    before: int = 0,
    limit: int = 50,
) -> list[Event]:
    """The newest matching events, oldest of them first. `since` and `until` (exclusive) are RFC 3339 times.

    Args:
        before: Only events before this position, to go on where a list ended; 0: to the end of the log.

    Raises:
        UsageError: a time that cannot be read.
    """
    since, until = _moment("since", since), _moment("until", until)
    found = system.events.read(
        before=before,
        type=type,
        source=source,
        subject=subject,
        since=since,
        until=until,
        limit=limit,
        newest_first=True,
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


def consumers(system: IntegratedSystem) -> list[Standing]:
    """How everybody stands who follows the log with a cursor, by name."""
    return system.cursors.standing()


def parked(system: IntegratedSystem) -> list[Parked]:
    """The events that consumers could not take and went on without."""
    return system.cursors.parked()


@operation("operator")
def retry(system: IntegratedSystem, actor: Actor, consumer: str, *, event: int | None = None) -> int:
    """Have a consumer try its parked events once more, or one of them; gives how many.

    Raises:
        UsageError: there is no consumer of that name, or nothing of this is parked.
    """
    _known(system, consumer)
    found = system.cursors.retry(consumer, event)
    if not found:
        what = "nothing is parked" if event is None else f"event {event} is not parked"
        raise UsageError(f"{consumer}: {what}", hint="`events consumers` lists what is")
    data = {"action": "events.retry", "event": event, "events": found, "actor": actor.name}
    system.events.append([NewEvent("action.invoked", consumer, data, source="events")])
    return found


@operation("operator")
def forget(system: IntegratedSystem, actor: Actor, consumer: str) -> None:
    """Remove the cursor of a consumer that will not come back, with what it parked.

    Raises:
        UsageError: there is no consumer of that name.
        StateError: a living process works on it.
    """
    _known(system, consumer)
    system.cursors.forget(consumer)
    data = {"action": "events.forget", "actor": actor.name}
    system.events.append([NewEvent("action.invoked", consumer, data, source="events")])


def _known(system: IntegratedSystem, consumer: str) -> None:
    names = [one.name for one in system.cursors.standing()]
    if consumer not in names:
        raise UsageError(f"{consumer!r} follows nothing", hint=f"known: {', '.join(names) or 'nobody yet'}")


def one(system: IntegratedSystem, seq: int) -> Event:
    """The event at a position.

    Raises:
        UsageError: there is none.
    """
    found = system.events.read(after=seq - 1, before=seq + 1, limit=1) if seq > 0 else []
    if not found:
        raise UsageError(f"there is no event {seq}", hint="`events` lists the newest", missing=True)
    return found[0]


def verify(
    system: IntegratedSystem, *, head: str | None = None, told: Callable[[int], object] | None = None
) -> Verification:
    """Recompute the hash chain; `head` is a `SEQ:HASH` that was kept elsewhere; `told` is given the position.

    Raises:
        UsageError: it is no head.
    """
    if head is not None and not re.fullmatch(r"[0-9]+:[0-9a-fA-F]{64}", head):
        raise UsageError(f"--head: {head!r} is no head of a log", hint="write SEQ:HASH as `events verify` prints it")
    return system.events.verify(head, told=told)


def _moment(name: str, text: str | None) -> str | None:
    """A time as it stands in the log, so that comparing text compares moments."""
    return None if text is None else rfc3339(moment_of(name, text))
