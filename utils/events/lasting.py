"""Whether something that an event began goes on, as the log tells it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from utils.events import EventStore

__all__ = ["lasts"]


def lasts(events: "EventStore", subject: str, begins: str, *ends: str) -> bool:
    """Whether the newest event of type `begins` about a subject was followed by none of the types `ends`.

    Raises:
        StateError: the log cannot be read.
    """
    found = events.read(subject=subject, type=begins, newest_first=True, limit=1)
    return bool(found) and not any(events.read(subject=subject, type=one, after=found[0].seq, limit=1) for one in ends)
