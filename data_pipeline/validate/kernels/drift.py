"""`drift`: whether the values of a column are spread as those of the version before.

`psi` is the Population Stability Index, the sum of `(now - before) * ln(now / before)` over the shares of ten bins of
the version before (Siddiqi, "Credit Risk Scorecards", 2006). A bin without a value counts as half a value, and as a
share of 0.0001, as is usual, where that is more. `ks` is the statistic of Kolmogorov and Smirnov, the largest
difference of the two distribution functions: exact where the version before has at most 500 different numbers, else at
a thousand of its quantiles and at most 0.001 too small.

Few values differ by chance alone. A batch is said to have drifted when it exceeds the rule's limit and what chance
exceeds about once in a thousand batches: `psi / (1/n + 1/m)` of n and m values follows about a chi-square distribution
with one degree of freedom less than there are bins (Yurdakul and Naranjo, "Statistical properties of the population
stability index", Journal of Risk Model Validation 14, 2020), and `ks` has Smirnov's (1948).
"""

import json
import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from data_pipeline.validate.kernels.bins import Bins, bins_of, kind_between, prepared
from data_pipeline.validate.kernels.columns import CannotJudge, Chunk, column_type, loader_of
from data_pipeline.validate.kernels.gathered import Found, Gather
from data_pipeline.validate.kernels.where import selected_by
from utils.arrow import pa
from utils.expression.grammar import columns_of, parse_expression

if TYPE_CHECKING:
    from data_pipeline.validate.rules import Rule

__all__ = ["Drifted", "drift"]

_BINS = {"psi": 10, "ks": 1000}
_NOTHING = 1e-4
_CHANCE = 0.001
_NORMAL = 3.090232306167813
"""The quantile of the normal distribution that `_CHANCE` lies above."""


class Drifted(NamedTuple):
    """Values in the bins of the version before.

    Attributes:
        before: None: there is no version before, or it has no value there.
        now: Values of the batch in each bin.
    """

    before: Bins | None
    now: tuple[int, ...] = ()

    def merge(self, other: "Drifted") -> "Drifted":
        """Raises `ValueError` when the parts were held against different versions."""
        if self.before != other.before:
            raise ValueError("parts that were held against different versions cannot be merged")
        return Drifted(self.before, tuple(map(sum, zip(self.now, other.now, strict=True))))

    def found(self, rule: "Rule", now: datetime) -> Found:
        if self.before is None:
            return Found(0, 0, "there is no version before with a value to hold it against")
        if not (values := sum(self.now)):
            return Found(0, 0, "no row has a value")
        measure, most = rule.params["measure"], rule.params["most"]
        size = 1 / values + 1 / sum(self.before.counts)
        far, chance = _MEASURES[measure](self.before.counts, self.now, size)
        if far <= most:
            return Found(0, 1)
        if far <= chance:
            return Found(0, 1, f"{measure} {far:.3g}, but so few values differ by up to {chance:.3g} by chance")
        return Found(1, 1, f"{measure} {far:.3g} against the version before, {most:g} allowed")

    def to_bytes(self) -> bytes:
        return json.dumps([self.before, self.now]).encode()

    @classmethod
    def from_bytes(cls, found: bytes) -> "Drifted":
        before, now = json.loads(found)
        if before is not None:
            kind, edges, counts = before
            before = Bins(kind, tuple(edges), tuple(counts))
        return cls(before, tuple(now))


_NONE = Drifted(None)


def drift(rule: "Rule", columns: "Mapping[str, tuple[int, pa.DataType]]") -> Gather:
    """Gathers the values in the bins of the version before, which is read when the first chunk comes.

    Raises:
        CannotJudge: the column holds what has no such distribution.
    """
    at, now = columns[rule.columns[0]]
    if kind_between(now, now) == "text" and rule.params["measure"] == "ks":
        raise CannotJudge(f"column `{rule.columns[0]}` is {now}: `ks` needs an order of its values; take `psi`")

    def gather(chunk: Chunk) -> Drifted:
        key = ("drift", rule.fingerprint)
        if key not in chunk.kept:
            chunk.kept[key] = _before(rule, now, chunk)
        before = chunk.kept[key]
        return _NONE if before is None else Drifted(before, before.placed(prepared(chunk.arrays[at], before.kind)))

    return gather


def _before(rule: "Rule", now: "pa.DataType", chunk: Chunk) -> Bins | None:
    column = rule.columns[0]
    names = list(dict.fromkeys((column, *(columns_of(parse_expression(rule.where)) if rule.where else ()))))
    batches = chunk.around.before(names)
    first = next(batches, None) if batches is not None else None
    if first is None:
        return None
    was = first.schema.field(column).type
    try:
        kind = kind_between(was, now)
        again = partial(_values, rule, names, chunk, kind)
        return bins_of(again, kind, _BINS[rule.params["measure"]])
    except CannotJudge as error:
        raise CannotJudge(f"column `{column}`: {error}") from error


def _values(rule: "Rule", names: list[str], chunk: Chunk, kind: str) -> "Iterator[pa.Array]":
    """The values of the version before that the rule looks at."""
    selected = None
    for batch in chunk.around.before(names) or ():
        arrays = [column if (load := loader_of(column.type)) is None else load(column) for column in batch.columns]
        values = arrays[0]
        if rule.where:
            if selected is None:
                types = {name: (at, column_type(batch.schema.field(at).type)) for at, name in enumerate(names)}
                selected = selected_by(rule, types)
            rows = selected(Chunk(arrays, batch.num_rows, {}, chunk.now_us, chunk.around))
            values = values if rows is None else values.filter(rows)
        yield prepared(values, kind)


def _psi(before: tuple[int, ...], now: tuple[int, ...], size: float) -> tuple[float, float]:
    parts = []
    for was, is_ in zip(before, now, strict=True):
        if was or is_:
            expected, found = _share(was, sum(before)), _share(is_, sum(now))
            parts.append((found - expected) * math.log(found / expected))
    freedom = max(1, len(parts) - 1)
    spread = 2 / (9 * freedom)  # Wilson and Hilferty's approximation of the chi-square distribution, 1931
    return math.fsum(parts), size * freedom * (1 - spread + _NORMAL * math.sqrt(spread)) ** 3


def _share(count: int, total: int) -> float:
    return count / total if count else max(_NOTHING, 0.5 / total)


def _ks(before: tuple[int, ...], now: tuple[int, ...], size: float) -> tuple[float, float]:
    far, was, is_ = 0.0, 0, 0
    for expected, found in zip(before, now, strict=True):
        was, is_ = was + expected, is_ + found
        far = max(far, abs(was / sum(before) - is_ / sum(now)))
    return far, math.sqrt(-math.log(_CHANCE / 2) / 2 * size)


_MEASURES = {"psi": _psi, "ks": _ks}
