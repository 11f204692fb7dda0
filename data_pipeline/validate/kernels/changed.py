"""`changed`: how long the provider has been sending the same content."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from data_pipeline.validate.kernels.bounds import microseconds
from data_pipeline.validate.kernels.columns import Chunk
from data_pipeline.validate.kernels.fresh import days_off
from data_pipeline.validate.kernels.gathered import Found, Gather
from data_pipeline.validate.report import changed_verdict, utc_text

if TYPE_CHECKING:
    from data_pipeline.validate.rules import Rule
    from utils.arrow import pa

__all__ = ["Changed", "changed"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Changed(NamedTuple):
    """Since when the content is the same, in microseconds since 1970; None: it is news. The parts of a batch agree.

    `limit`: how long it may be, in seconds; None: as the rule says, which knows no days off.
    """

    us: int | None
    limit: float | None = None

    def merge(self, other: "Changed") -> "Changed":
        if self.us is None or other.us is None:
            return self if self.us is None else other
        return other if other.us > self.us else self

    def found(self, rule: "Rule", now: datetime) -> Found:
        limit = rule.params["within"] if self.limit is None else self.limit
        since = now if self.us is None else _EPOCH + timedelta(microseconds=self.us)
        failed, detail = changed_verdict(since, limit, now)
        detail += days_off(rule) if failed and self.limit is not None else ""
        return Found(failed, 1, detail, observed=utc_text(since), limit_s=limit)

    def to_bytes(self) -> bytes:
        return json.dumps(self.us if self.limit is None else self).encode()

    @classmethod
    def from_bytes(cls, found: bytes) -> "Changed":
        told = json.loads(found)
        return cls(*told) if isinstance(told, list) else cls(told)


def changed(rule: "Rule", _columns: "Mapping[str, tuple[int, pa.DataType]]") -> Gather:
    """Asks the surroundings of the batch; its rows say nothing of it."""
    within, calendar = rule.params["within"], rule.params.get("calendar")

    def gather(chunk: Chunk) -> Changed:
        since = chunk.around.unchanged_since()
        if since is None:
            return Changed(None)
        limit = None if calendar is None else chunk.around.elapsed(since, within, calendar)
        return Changed(microseconds(since), limit)

    return gather
