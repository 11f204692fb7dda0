"""`row_count`: how many rows there are, of those that the rule looks at."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from data_pipeline.validate.kernels.gathered import Found, Gather

if TYPE_CHECKING:
    from data_pipeline.validate.rules import Rule
    from utils.arrow import pa

__all__ = ["Counted", "counted"]


class Counted(NamedTuple):
    """Rows so far."""

    rows: int

    def merge(self, other: "Counted") -> "Counted":
        return Counted(self.rows + other.rows)

    def found(self, rule: "Rule", now: datetime) -> Found:
        least, most = rule.params["min"], rule.params["max"]
        if least is not None and self.rows < least:
            return Found(1, 1, f"{self.rows} rows, at least {least} expected")
        if most is not None and self.rows > most:
            return Found(1, 1, f"{self.rows} rows, at most {most} expected")
        return Found(0, 1)

    def to_bytes(self) -> bytes:
        return json.dumps(self.rows).encode()

    @classmethod
    def from_bytes(cls, found: bytes) -> "Counted":
        return cls(json.loads(found))


def counted(_rule: "Rule", _columns: "Mapping[str, tuple[int, pa.DataType]]") -> Gather:
    """Gathers the number of rows."""
    return lambda chunk: Counted(chunk.rows)
