"""Columns whose values all stand in the key of another dataset."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from data_pipeline.suggest.candidate import Candidate, is_text

if TYPE_CHECKING:
    from utils.arrow import pa

__all__ = ["Neighbour", "references"]

FEWEST_VALUES = 5


class Neighbour(NamedTuple):
    """A column of another dataset that recognises its rows; the different values of it."""

    dataset: str
    column: str
    values: "pa.Array"


def references(table: "pa.Table", neighbours: Iterable[Neighbour]) -> Iterator[Candidate]:
    """`references` where every value of a column stands in another dataset's key.

    Small whole numbers stand in every key by chance: of numbers the names must speak of each other too.
    """
    from utils.arrow import compute, pa

    for neighbour in neighbours:
        kind = neighbour.values.type
        for field in table.schema:
            text = is_text(field.type) and is_text(kind)
            if not text and not (pa.types.is_integer(field.type) and pa.types.is_integer(kind)):
                continue
            if not text and not _speaks_of(field.name, neighbour):
                continue
            values = compute.unique(table.column(field.name).drop_null())
            if len(values) < FEWEST_VALUES or len(values) > len(neighbour.values):
                continue
            if compute.all(compute.is_in(values, value_set=neighbour.values.cast(values.type))).as_py():
                rule = {"column": field.name, "dataset": neighbour.dataset, "key": neighbour.column}
                yield Candidate({"references": rule}, f"its {len(values):,} values all stand there")


def _speaks_of(name: str, neighbour: Neighbour) -> bool:
    """Whether a column is called as the other's key is, or after the other dataset (`customer_id`, `customers`)."""
    mine, stem = name.lower(), neighbour.dataset.lower().removesuffix("s")
    return mine == neighbour.column.lower() or mine.replace("-", "_").startswith(stem)
