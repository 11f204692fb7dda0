"""How a backfill stands, as commands and the API tell it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from data_pipeline.publish.attempt import Attempt

__all__ = ["Result"]


@dataclass(frozen=True, slots=True)
class Result:
    """How far a backfill came, and what became of its pieces.

    Attributes:
        id: "" where nothing had to be collected.
        status: `succeeded` (all pieces are there), `degraded` (some), `failed` (none), `cancelled`; `running`:
            somebody works on it; `interrupted`: nobody does, and `backfills resume` goes on with it.
        collected, held, failed, waiting: How many pieces.
        rows: Rows that were collected.
        paused_until: When it goes on, if it waits for the provider, and the reason why.
        pieces: Those that are held or failed: key, state, the held version, the run, the reason.
        publications: What went to sinks.
    """

    id: str
    dataset: str
    status: str
    started_at: str
    finished_at: str | None
    total: int
    collected: int
    held: int
    failed: int
    waiting: int
    rows: int
    paused_until: str | None = None
    reason: str = ""
    actor: str = ""
    pieces: tuple[dict[str, Any], ...] = ()
    publications: "tuple[Attempt, ...]" = ()

    def to_json(self) -> dict[str, Any]:
        found = {name: getattr(self, name) for name in self.__slots__ if name not in {"id", "pieces", "publications"}}
        return {
            "backfill": self.id or None,
            **found,
            "partitions": list(self.pieces),
            "publications": [attempt.to_json() for attempt in self.publications],
        }
