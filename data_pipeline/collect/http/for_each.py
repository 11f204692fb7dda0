"""One collection for each value of another dataset's column."""

import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from data_pipeline.collect.collector import CollectRequest
from data_pipeline.collect.http.targets import Target, target
from data_pipeline.collect.placeholders import KNOWN
from data_pipeline.errors import ProviderRefused

__all__ = ["MOST", "ForEach", "values_of"]

MOST = 10_000
"""Values of one collection."""

_WORD = re.compile(r"[A-Za-z_]\w*")


class ForEach(BaseModel):
    """`for_each: {dataset: stations, column: id, into: params.station}`.

    Attributes:
        into: A place such as `params.id`, `body.query.id`, `headers.X-Id`; or a word: then `{word}` is a placeholder.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset: str = Field(min_length=1)
    column: str = Field(min_length=1)
    into: str = Field(min_length=1)

    @field_validator("into")
    @classmethod
    def _a_place_or_a_word(cls, into: str) -> str:
        if "." in into:
            target(into)
        elif not _WORD.fullmatch(into) or into in KNOWN:
            raise ValueError(
                f"`into: {into}` is neither a place (params.id, body.id, headers.X-Id) nor a word for a placeholder"
            )
        return into

    @property
    def word(self) -> str:
        """The name of the placeholder; "" when `into` is a place."""
        return "" if "." in self.into else self.into

    @property
    def place(self) -> Target | None:
        return target(self.into) if "." in self.into else None

    @property
    def name(self) -> str:
        """What the value is called: the last word of `into`."""
        return self.into.rpartition(".")[2]


def values_of(each: ForEach, request: CollectRequest) -> list[Any]:
    """The distinct values, in order, without nulls.

    Raises:
        ProviderRefused: there is no such table or column, or it has more than 10,000 values.
    """
    try:
        return list(_distinct(each, request))
    except LookupError as error:
        raise ProviderRefused(
            f"{request.dataset}: for_each: {error.args[0] if error.args else error}",
            hint=f"{each.dataset} must have been delivered before, with a column {each.column}; check `for_each`",
            provider=request.provider,
        ) from error


def _distinct(each: ForEach, request: CollectRequest) -> Iterator[Any]:
    seen: set[Any] = set()
    for value in request.column_of(each.dataset, each.column):
        if value is None or value in seen:
            continue
        seen.add(value)
        if len(seen) > MOST:
            raise ProviderRefused(
                f"{request.dataset}: for_each: {each.dataset}.{each.column} has more than {MOST:,} values",
                hint="take a dataset with fewer values, or ask the provider for many at once",
                provider=request.provider,
            )
        yield value
