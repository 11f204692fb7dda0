"""What came of one dataset's turn, and what is to be written with it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from data_pipeline.dataset import DatasetRun
from data_pipeline.errors import PipelineError, UpstreamBlocked
from utils.database import Statement
from utils.events import NewEvent

__all__ = ["CacheEntry", "Otherwise", "Outcome", "skipped"]

CacheEntry = tuple[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A dataset run and what is to be written with it: events and metric points together, then the cache.

    `otherwise`: what came of it if the version it speaks of does not reach the disk; None: it speaks of none.
    """

    result: DatasetRun
    events: tuple[NewEvent, ...]
    statements: tuple[Statement, ...] = ()
    cache: tuple[CacheEntry, ...] = ()
    otherwise: "Otherwise | None" = None


Otherwise = Callable[[PipelineError], Outcome]


def skipped(
    dataset: str, provider: str, run_id: str, reason: str, blocked: UpstreamBlocked | None = None, *, fence: int = 0
) -> Outcome:
    """A dataset whose turn did not come: already running elsewhere, or the run was interrupted before it.

    Args:
        blocked: What it needs is not there: its turn came, and could not be used.
        fence: Of its lease, where another process may have told what came of it; 0: none may.
    """
    error: dict[str, Any] | None = None
    if blocked is not None:
        error = {"type": type(blocked).__name__, "message": str(blocked), "hint": blocked.hint, "root": blocked.root}
        error["transient"] = blocked.transient
    result = DatasetRun(dataset=dataset, provider=provider, status="skipped", origin="none", reason=reason, error=error)
    data = {"run_id": run_id, **result.to_json()}
    if fence:
        data["fence"] = fence
    event = NewEvent("dataset.skipped", dataset, data, source="pipeline")
    return Outcome(result, (event,))
