"""What happened: an append-only log with a gapless order and a hash chain, and the views projected from it."""

from utils.events.chain import GENESIS, Verification
from utils.events.event import Event, NewEvent, rfc3339, uuid7
from utils.events.projections import Projection
from utils.events.rows import FIRST_SCHEMA, LINKED_SCHEMA, SCHEMA
from utils.events.store import ConcurrencyError, EventStore

__all__ = [
    "FIRST_SCHEMA",
    "GENESIS",
    "LINKED_SCHEMA",
    "SCHEMA",
    "ConcurrencyError",
    "Event",
    "EventStore",
    "NewEvent",
    "Projection",
    "Verification",
    "rfc3339",
    "uuid7",
]
