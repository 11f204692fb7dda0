"""What has to go to a sink, and what came of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from data_pipeline.store.views import Version

__all__ = ["Attempt", "Pending"]


@dataclass(frozen=True, slots=True)
class Pending:
    """One version that has to go to one sink.

    Attributes:
        superseded: Older versions that need not go any more.
        not_before: The sink asked for patience until then.
    """

    sink: str
    options: Any
    version: Version
    superseded: tuple[str, ...] = ()
    first: bool = False
    attempts: int = 0
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of handing a version to a sink.

    Attributes:
        error: None: it is there.
        final: It was refused for good, and is not sent again.
        not_before: When it is tried again at the earliest; None: at the next run.
    """

    dataset: str
    sink: str
    kind: str
    version: str
    attempts: int
    rows: int | None = None
    error: str | None = None
    hint: str = ""
    transient: bool = False
    final: bool = False
    not_before: datetime | None = None

    @property
    def state(self) -> Literal["published", "waiting", "refused"]:
        return "published" if self.error is None else "refused" if self.final else "waiting"

    @property
    def words(self) -> str:
        """One sentence for people."""
        target = f"{self.kind} sink {self.sink}"
        if self.error is None:
            return f"{self.dataset}: {self.rows or 0:,} rows went to {target}"
        if self.final:
            return f"{self.dataset}: {target} refused the version: {self.error}; it is not sent again, later ones are"
        after = "" if self.not_before is None else f" after {self.not_before:%H:%M:%S} UTC"
        return f"{self.dataset}: version waits for {target}: {self.error}; tried again at the next run{after}"

    def to_json(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset,
            "sink": self.sink,
            "kind": self.kind,
            "version": self.version,
            "state": self.state,
            "rows": self.rows,
            "attempts": self.attempts,
            "error": None
            if self.error is None
            else {"message": self.error, "hint": self.hint, "transient": self.transient},
        }
