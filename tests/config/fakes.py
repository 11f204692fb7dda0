"""Small kinds for tests of the configuration alone: what a collector, a parser and a rule tell it, and no more."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field


class FileOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["file"] = "file"
    path: str = Field(min_length=1)


class HttpOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["http"] = "http"
    url: str
    params: dict[str, str | int] = {}
    headers: dict[str, str] = {}


class SimulatedOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["simulated"] = "simulated"
    rows: int = Field(default=100, ge=0)
    failure_rate: float = 0.0
    seed: int = 0


class NamelessOptions(BaseModel):
    """Of a user's own collector: it does not repeat its kind."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int = 1


class FileCollector:
    Options: ClassVar[type] = FileOptions


class HttpCollector:
    Options: ClassVar[type] = HttpOptions


class SimulatedCollector:
    Options: ClassVar[type] = SimulatedOptions


class OwnCollector:
    Options: ClassVar[type] = NamelessOptions


class NoOptions:
    """A class that is no collector."""


class ParseOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["auto", "csv", "json"] = "auto"
    records: str | None = None
    skip_rows: int = 0


class ColumnOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["string", "integer", "float"] | None = None
    source: str | None = Field(default=None, alias="from")


@dataclass(frozen=True, slots=True)
class Rule:
    id: str


def parse_rule(entry: Mapping[str, Any]) -> list[Rule]:
    known = ("not_null", "unique", "range", "row_count")
    kind = next(iter(entry), "")
    if kind not in known:
        raise ValueError(f"unknown rule `{kind}`")
    argument = entry[kind]
    columns = argument if isinstance(argument, list) else [argument]
    return [Rule(f"{kind}({column})") for column in columns]
