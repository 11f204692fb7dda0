"""Read model of what came of the lookups in the cache, summed over all runs of all processes.

Projected from the event log like all views; emptying the table and replaying the log gives the same rows.
"""

from collections.abc import Collection, Iterable, Sequence

from utils.database import Database, Statement
from utils.events import Event

__all__ = ["SCHEMA", "CacheCounters", "counted"]

SCHEMA = "CREATE TABLE cache_counters (counter TEXT PRIMARY KEY, total REAL NOT NULL) WITHOUT ROWID"

_ADD = """
INSERT INTO cache_counters VALUES (?, ?)
ON CONFLICT (counter) DO UPDATE SET total = cache_counters.total + excluded.total
"""


class CacheCounters:
    """The projection: a run that finished tells what was counted since the one before."""

    name = "cache_counters"
    tables: Sequence[str] = ("cache_counters",)
    types: Collection[str] = frozenset(("run.finished",))

    def apply(self, event: Event) -> Iterable[Statement]:
        if event.type != "run.finished":
            return ()
        return [(_ADD, (counter, amount)) for counter, amount in event.data.get("cache", {}).items()]


def counted(database: Database) -> dict[str, float]:
    """The sums: `hits misses stale_hits sets errors`."""
    return dict(database.query("SELECT counter, total FROM cache_counters"))
