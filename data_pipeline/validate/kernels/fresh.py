"""`fresh`: the newest time of a column, held against the run's moment."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from data_pipeline.validate.kernels.bounds import storage_of
from data_pipeline.validate.kernels.columns import CannotJudge, Chunk
from data_pipeline.validate.kernels.gathered import Found, Gather
from data_pipeline.validate.report import fresh_verdict, utc_text
from utils.ages import duration
from utils.arrow import compute, pa

if TYPE_CHECKING:
    from data_pipeline.validate.rules import Rule

__all__ = ["Newest", "days_off", "newest"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_max = compute.get_function("max")


class Newest(NamedTuple):
    """The newest moment so far, in microseconds since 1970; None: no row had one.

    `limit`: how old it may be, in seconds; None: as the rule says, which knows no days off.
    """

    us: int | None
    limit: float | None = None

    def merge(self, other: "Newest") -> "Newest":
        return other if self.us is None or (other.us is not None and other.us > self.us) else self

    def found(self, rule: "Rule", now: datetime) -> Found:
        limit = rule.params["within"] if self.limit is None else self.limit
        moment = None if self.us is None else _moment(self.us)
        failed, detail = fresh_verdict(rule.columns[0], moment, limit, now)
        detail += days_off(rule) if failed and self.limit is not None else ""
        return Found(failed, 1, detail, observed=None if moment is None else utc_text(moment), limit_s=limit)

    def to_bytes(self) -> bytes:
        return json.dumps(self.us if self.limit is None else self).encode()

    @classmethod
    def from_bytes(cls, found: bytes) -> "Newest":
        told = json.loads(found)
        return cls(*told) if isinstance(told, list) else cls(told)


_NONE = Newest(None)


def newest(rule: "Rule", columns: "Mapping[str, tuple[int, pa.DataType]]") -> Gather:
    """Gathers the newest time of a column.

    Raises:
        CannotJudge: the column holds no times.
    """
    at, type_ = columns[rule.columns[0]]
    if pa.types.is_null(type_):
        return lambda _: _NONE
    storage = storage_of(type_)
    if storage is None or not storage.is_time:
        raise CannotJudge(f"column `{rule.columns[0]}` is {type_}: it holds no times")
    per_unit = storage.per_unit
    within, calendar = rule.params["within"], rule.params.get("calendar")

    def gather(chunk: Chunk) -> Newest:
        array = chunk.arrays[at]
        if array.null_count == len(array):
            return _NONE
        us = int(_max.call([array]).value * 10**6 * per_unit.denominator // per_unit.numerator)
        return Newest(us, None if calendar is None else chunk.around.elapsed(_moment(us), within, calendar))

    return gather


def days_off(rule: "Rule") -> str:
    """Why more is allowed than the rule says."""
    allowed = duration(rule.params["within"], decimals=1)
    return f" ({allowed} without the days off of `{rule.params['calendar']}`)"


def _moment(microseconds: int) -> datetime:
    """The moment, kept inside the years that a datetime knows."""
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC) if microseconds > 0 else datetime.min.replace(tzinfo=UTC)
