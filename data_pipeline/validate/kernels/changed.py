"""`changed`: how long the provider has been sending the same content."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from data_pipeline.validate.kernels.bounds import microseconds
from data_pipeline.validate.kernels.columns import Chunk
from data_pipeline.validate.kernels.gathered import Found, Gather
from data_pipeline.validate.report import changed_verdict, utc_text

if TYPE_CHECKING:
    from data_pipeline.validate.rules import Rule
    from utils.arrow import pa

__all__ = ["Changed", "changed"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Changed(NamedTuple):
    """Since when the content is the same, in microseconds since 1970; None: it is news. The parts of a batch agree."""

    us: int | None

    def merge(self, other: "Changed") -> "Changed":
        return self if self.us is None else other if other.us is None else Changed(max(self.us, other.us))

    def found(self, rule: "Rule", now: datetime) -> Found:
        limit = rule.params["within"]
        since = now if self.us is None else _EPOCH + timedelta(microseconds=self.us)
        failed, detail = changed_verdict(since, limit, now)
        return Found(failed, 1, detail, observed=utc_text(since), limit_s=limit)

    def to_bytes(self) -> bytes:
        return json.dumps(self.us).encode()

    @classmethod
    def from_bytes(cls, found: bytes) -> "Changed":
        return cls(json.loads(found))


def changed(_rule: "Rule", _columns: "Mapping[str, tuple[int, pa.DataType]]") -> Gather:
    """Asks the surroundings of the batch; its rows say nothing of it."""

    def gather(chunk: Chunk) -> Changed:
        since = chunk.around.unchanged_since()
        return Changed(None if since is None else microseconds(since))

    return gather
