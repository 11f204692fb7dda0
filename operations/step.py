"""What one step of a maintenance did."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was done (or, in a dry run, would be): how many things went, and how many bytes."""

    name: str
    count: int = 0
    freed: int = 0
    detail: str = ""
    well: bool = True

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "count": self.count,
            "freed_bytes": self.freed,
            "detail": self.detail,
            "well": self.well,
        }
