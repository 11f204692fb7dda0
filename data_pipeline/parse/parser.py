"""The contract of a parser: bytes as sent in, record batches of columns as sent out."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from data_pipeline.dataset import Payload
from data_pipeline.parse.options import ColumnOptions, ParseOptions

if TYPE_CHECKING:
    from utils.arrow import pa

MAX_SIZE = 10**10
"""Bytes a payload may hold once decompressed."""

MEMORY_LIMIT = 10**9


@dataclass(frozen=True, slots=True)
class ParseRequest:
    """How to read one payload.

    Attributes:
        options: The validated `parse:` block.
        columns: The validated `columns:` block: new name -> options. A parser only reads from it what it must know
            early (that decimals are wanted); names and types are given later, by `columns.py`.
        max_size: Bytes the payload may hold once decompressed.
        memory_limit: Bytes that formats which must be read as a whole (JSON) may take, about.
    """

    dataset: str
    payload: Payload
    options: ParseOptions = field(default_factory=ParseOptions)
    columns: dict[str, ColumnOptions] = field(default_factory=dict)
    max_size: int = MAX_SIZE
    memory_limit: int = MEMORY_LIMIT


@dataclass(slots=True)
class Parsed:
    """Columns of one payload as sent.

    At least one batch comes, perhaps without rows, so that the names are known. Schemas may differ from batch to
    batch (a JSON field that turns from integer to text); `columns.py` settles one type a column over all payloads.
    `notes` say what a reader of the report should know; they are complete when the batches are used up.
    """

    batches: Iterator["pa.RecordBatch"]
    notes: list[str] = field(default_factory=list)
    text: bool = False
    """All cells are text as in CSV, so the types of columns that are not declared are inferred from it."""

    document: Any = None
    """The decoded document of formats that have one (JSON), for `data_time: "$.path"`."""


class Parser(Protocol):
    """Reads one format. A plain function: no state between payloads.

    Raises:
        PayloadUnreadable: with dataset, what was expected, what came instead (first bytes), which option to look at;
            from the call or from the batches.
    """

    def __call__(self, request: ParseRequest, /) -> Parsed: ...
