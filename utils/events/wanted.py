"""Which events a reader wants, asked of the table in SQL (`finding`) and of a sealed segment in Arrow's words."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Condition", "Wanted"]

Condition = tuple[str, str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Events after a position and before another (0: to the end).

    `type` may end in `*`: every type that begins so. `since` and `until` (exclusive) are RFC 3339 as the log has it.
    """

    after: int = 0
    before: int = 0
    type: str | None = None
    source: str | None = None
    subject: str | None = None
    since: str | None = None
    until: str | None = None

    def within(self, after: int, before: int) -> Self:
        """The same, of the events between two positions only."""
        ends = [end for end in (self.before, before) if end]
        return replace(self, after=max(self.after, after), before=min(ends, default=0))

    def takes_type(self, type: str) -> bool:
        """Whether events of this type are wanted."""
        wanted = self.type
        return wanted is None or (type.startswith(wanted[:-1]) if wanted.endswith("*") else type == wanted)

    def types(self) -> tuple[str, str]:
        """The first type that a `type` with `*` takes, and the first after those that it takes."""
        start = (self.type or "*")[:-1]
        return start, start[:-1] + chr(ord(start[-1]) + 1) if start else "\U0010ffff"

    def link(self) -> tuple[str, str] | None:
        """Whose links lead along all that is wanted: `subject`, `source` or `type`, and its name."""
        if self.subject is not None:
            return "subject", self.subject
        if self.source is not None:
            return "source", self.source
        if self.type is not None and not self.type.endswith("*"):
            return "type", self.type
        return None

    def may_be_among(self, bounds: Mapping[str, tuple[Any, Any]]) -> bool:
        """Whether a row that is wanted may be among rows whose columns lie between these bounds."""
        for column, operator, value in self.conditions():
            if column in bounds:
                least, most = bounds[column]
                if operator in ("=", ">", ">=") and (most <= value if operator == ">" else most < value):
                    return False
                if operator in ("=", "<") and (least >= value if operator == "<" else least > value):
                    return False
        return True

    def chosen(self, table: "pa.Table") -> "pa.Table":
        """The wanted rows among these."""
        from utils.arrow import compute

        compared = {"=": compute.equal, ">": compute.greater, ">=": compute.greater_equal, "<": compute.less}
        masks = (compared[operator](table[column], value) for column, operator, value in self.conditions())
        return table.filter(reduce(compute.and_, masks))

    def conditions(self) -> list[Condition]:
        """Column, operator and value of each; the position is the first."""
        found: list[Condition] = [("seq", ">", self.after)]
        if self.before:
            found.append(("seq", "<", self.before))
        for column, value in (("source", self.source), ("subject", self.subject)):
            if value is not None:
                found.append((column, "=", value))
        if self.type is not None and self.type.endswith("*"):
            first, end = self.types()
            found += [("type", ">=", first), ("type", "<", end)]
        elif self.type is not None:
            found.append(("type", "=", self.type))
        if self.since is not None:
            found.append(("time", ">=", self.since))
        if self.until is not None:
            found.append(("time", "<", self.until))
        return found
