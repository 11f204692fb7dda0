"""Read model of what each provider's protection counted, summed over all runs of all processes.

Projected from the event log like all views; emptying the table and replaying the log gives the same rows.
"""

from collections.abc import Collection, Iterable, Sequence

from utils.database import Database, Statement
from utils.events import Event

__all__ = ["SCHEMA", "ProviderCounters", "counted"]

SCHEMA = """
CREATE TABLE provider_counters (
    provider TEXT NOT NULL, counter TEXT NOT NULL, total REAL NOT NULL, PRIMARY KEY (provider, counter)) WITHOUT ROWID
"""

_ADD = """
INSERT INTO provider_counters VALUES (?, ?, ?)
ON CONFLICT (provider, counter) DO UPDATE SET total = provider_counters.total + excluded.total
"""


class ProviderCounters:
    """The projection: a run that finished tells what was counted since the one before."""

    name = "provider_counters"
    tables: Sequence[str] = ("provider_counters",)
    types: Collection[str] = frozenset(("run.finished",))

    def apply(self, event: Event) -> Iterable[Statement]:
        if event.type != "run.finished":
            return ()
        providers = event.data.get("providers", {})
        return [
            (_ADD, (provider, counter, amount))
            for provider, counts in providers.items()
            for counter, amount in counts.items()
        ]


def counted(database: Database) -> dict[str, dict[str, float]]:
    """The sums by provider and counter."""
    found: dict[str, dict[str, float]] = {}
    for provider, counter, total in database.query("SELECT provider, counter, total FROM provider_counters"):
        found.setdefault(provider, {})[counter] = total
    return found
