"""The contract of a parser: bytes as sent in, typed record batches out."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from data_pipeline.dataset import Payload

if TYPE_CHECKING:
    from utils.arrow import pa


@dataclass(frozen=True, slots=True)
class ParseRequest:
    """How to read one payload.

    Attributes:
        options: The validated `parse:` block (`ParseOptions`).
        columns: The validated `columns:` block: new name -> `ColumnOptions` (from, type, format, ...).
        zone: Time zone of naive times, with `ambiguous` and `nonexistent` as in the configuration contract.
    """

    dataset: str
    payload: Payload
    options: Any
    columns: dict[str, Any] = field(default_factory=dict)
    zone: str = "UTC"
    ambiguous: str = "infer"
    nonexistent: str = "shift"


@dataclass(slots=True)
class Parsed:
    """Rows of one payload. The schema is final before the first batch is asked for.

    `notes` say what a reader of the report should know: renamed columns, dropped footer, guessed encoding.
    """

    schema: "pa.Schema"
    batches: Iterator["pa.RecordBatch"]
    notes: list[str] = field(default_factory=list)
    document: Any = None
    """The decoded document of formats that have one (JSON), for `data_time: "$.path"`."""


class Parser(Protocol):
    """Reads one format. A plain function: no state between payloads.

    Raises:
        PayloadUnreadable: with dataset, what was expected, what came instead (first bytes), which option to look at.
    """

    def __call__(self, request: ParseRequest, /) -> Parsed: ...
