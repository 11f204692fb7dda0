"""A user's plug-ins, loaded so that their events go to this installation's log."""

from collections.abc import Callable, Sequence
from typing import Any

from utils.events import EventStore, NewEvent
from utils.plugins import Plugins
from utils.plugins import load as load_modules

RESERVED = frozenset(
    {
        *("action", "alert", "anomaly", "batch", "breaker", "cache", "config", "dataset", "feedback", "healing"),
        *("host", "incident", "log", "maintenance", "network", "objective", "plugin", "promise", "provider", "publish"),
        *("quality", "quarantine", "rows", "run", "schedule", "schema", "service", "state", "token", "transaction"),
        "version",
    }
)
"""First segments of the program's own event types: nobody else's events may be taken for them."""


def load(modules: Sequence[str], events: Callable[[], EventStore]) -> Plugins:
    """Import the modules. `events` is asked when the first event is appended, not before."""

    def append(kind: str, subject: str, data: dict[str, Any], plugin: str) -> None:
        events().append([NewEvent(kind, subject, data, source=f"plugin:{plugin}")])

    return load_modules(modules, append, reserved=RESERVED)
