"""What the user declares under `parse:` and `columns:`. Imports no Arrow: reading a configuration must stay quick."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

Format = Literal["auto", "csv", "json", "jsonl", "xml", "excel", "parquet", "arrow", "prometheus"]
ColumnType = Literal["string", "integer", "float", "decimal", "boolean", "date", "timestamp"]

EPOCHS = ("epoch_s", "epoch_ms", "epoch_us", "epoch_ns")
DAY_COUNTS = ("excel", "julian")
"""Formats of numbers that count days: since 1899-12-30, and since noon of 4713-11-24 BC."""


def is_text_encoding(name: str) -> bool:
    """Whether Python knows it as an encoding of text (base64 is a codec too)."""
    try:
        b"a".decode(name)
    except UnicodeError:
        return True  # known, only one byte is too few for it
    except (LookupError, ValueError):
        return False
    return True


def _texts(value: Any) -> Any:
    """One text or a list of texts; numbers such as -999 in YAML are meant as text cells."""
    values = value if isinstance(value, list | tuple | set) else [value]
    return tuple("" if item is None else str(item) for item in values)


Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]


class Melt(BaseModel):
    """Wide to long: every column but those of `id` becomes rows of two columns, its name and its value."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Texts
    name: str = Field("name", min_length=1)
    value: str = Field("value", min_length=1)

    @model_validator(mode="after")
    def _names_differ(self) -> "Melt":
        names = [*self.id, self.name, self.value]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"the long table would have the column `{name}` twice; give `name` or `value` another")
        return self


class ParseOptions(BaseModel):
    """How the bytes of a dataset become rows.

    Attributes:
        format: `auto` looks at the content first, then at name and media type.
        encoding: A codec name, or `auto`: byte order mark, the provider's charset, UTF-8, then Windows-1252.
        skip_rows: Lines dropped at the top, blank ones included.
        header_row: The header's line among what is left, counted from 1; 0: there is none (`column_1`, ...).
        na_values: Text cells that mean "no value", besides the empty one.
        decimal, thousands: Signs inside numbers of text cells.
        records: JMESPath to the rows of a JSON document; a single object found there is one row, or holds columns.
            XPath in XML.
        flatten: Nested objects become columns `a.b`; otherwise they stay JSON text. Lists always stay JSON text.
        footer_rows: Rows dropped at the end, blank ones included. stop_at_blank: the first blank row ends the table.
        repeated_header: A row whose first cell equals the header's begins a new table; tables are stacked by name.
        namespaces: Prefix -> URI, for the XPath in `records`. attributes: those of an XML element become columns too.
        sheet: Name or number (from 1) of an Excel sheet; "*": all, with a column `_sheet`.
        transpose: Columns become rows, before names are read.
        drop_where: Rows for which this expression holds are left out (the grammar of `compare`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Format = "auto"
    encoding: str = "auto"
    skip_rows: int = Field(0, ge=0)
    header_row: int = Field(1, ge=0)
    delimiter: str = "auto"
    quote: str | None = '"'
    comment: str | None = None
    na_values: Texts = ()
    decimal: Literal[".", ","] = "."
    thousands: str | None = None
    records: str | None = None
    flatten: bool = True

    footer_rows: int = Field(0, ge=0)
    stop_at_blank: bool = False
    repeated_header: bool = False
    namespaces: dict[str, str] = Field(default_factory=dict)
    attributes: bool = True
    sheet: Annotated[int, Field(ge=1)] | str = 1
    transpose: bool = False
    melt: Melt | None = None
    drop_where: str | None = None

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str) -> str:
        if value != "auto" and not is_text_encoding(value):
            raise ValueError(f"unknown encoding `{value}`; say for example utf-8, cp1252, iso-8859-9")
        return value

    @field_validator("delimiter")
    @classmethod
    def _one_delimiter(cls, value: str) -> str:
        if value != "auto" and not (len(value) == 1 and value.isascii() and value not in '\r\n"'):
            raise ValueError('must be one ASCII character ("\\t" for a tab) or `auto`')
        return value

    @field_validator("quote")
    @classmethod
    def _one_quote(cls, value: str | None) -> str | None:
        if value and not (len(value) == 1 and value.isascii() and value not in "\r\n"):
            raise ValueError("must be one ASCII character, or empty for none")
        return value or None

    @field_validator("comment")
    @classmethod
    def _some_comment(cls, value: str | None) -> str | None:
        if value and ("\n" in value or "\r" in value):
            raise ValueError("must not hold a line break")
        return value or None

    @field_validator("drop_where")
    @classmethod
    def _valid_expression(cls, value: str | None) -> str | None:
        if value:
            from utils.expression.grammar import parse_expression

            parse_expression(value)
            parse_expression(f"not ({value})")  # as it is judged; a little longer
        return value or None

    @model_validator(mode="after")
    def _valid_path(self) -> "ParseOptions":
        if self.records:
            from data_pipeline.parse.records import check_records

            check_records(self.records, self.format)
        return self

    @model_validator(mode="after")
    def _signs_differ(self) -> "ParseOptions":
        if self.thousands is not None and len(self.thousands) != 1:
            raise ValueError("thousands must be one character, for example ',' or ' '")
        if self.thousands == self.decimal:
            raise ValueError(f"thousands and decimal are both `{self.decimal}`")
        if self.thousands is not None and (self.thousands.isalnum() or self.thousands in "+-"):
            raise ValueError("thousands must not be a letter, a digit or a sign")
        if self.quote is not None and self.quote == self.delimiter:
            raise ValueError(f"quote and delimiter are both `{self.quote}`")
        return self


class ColumnOptions(BaseModel):
    """What one column is called, where it comes from, and what it holds. The short form `name: float` names the type.

    Attributes:
        source: `from` in the configuration: the column's name as sent; default: the new name itself. In XML also an
            XPath from the record (`../@time`).
        aliases: Other names the provider used or will use; the first one present counts.
        type: Without one, the type is inferred as for columns that are not listed.
        format: For `date` and `timestamp`: strptime directives, `epoch_s` (also `_ms _us _ns`), `excel` or `julian`;
            default: ISO 8601.
        scale: What every number is multiplied with, for example 0.01 for cents.
        unit: Of the values, for people.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    source: str | None = Field(None, alias="from")
    aliases: Texts = ()
    type: ColumnType | None = None
    format: str | None = None
    scale: Decimal | None = None
    unit: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"type": value} if isinstance(value, str) else value

    @field_validator("scale", mode="before")
    @classmethod
    def _as_written(cls, value: Any) -> Any:
        # Decimal(0.01) would be 0.01000000000000000020816...; the shortest text is what the user wrote.
        return str(value) if isinstance(value, float) else value

    @model_validator(mode="after")
    def _fits_together(self) -> "ColumnOptions":
        if self.format is not None:
            if self.type not in {"date", "timestamp"}:
                raise ValueError("format needs `type: date` or `type: timestamp`")
            check_time_format(self.format)
        if self.scale is not None:
            if self.type not in {"integer", "float", "decimal"}:
                raise ValueError("scale needs `type: integer`, `float` or `decimal`")
            if not self.scale.is_finite():
                raise ValueError("scale must be a finite number")
            if self.type == "integer" and self.scale != self.scale.to_integral_value():
                raise ValueError("scale of an integer column must be whole; use `type: decimal`")
        return self


def check_time_format(text: str) -> None:
    """Raises ValueError when `text` says no way to read a time that was written so."""
    if text in EPOCHS:
        return
    if text in DAY_COUNTS:
        return
    if "%" not in text:
        raise ValueError(
            f"format `{text}` has no directive; say for example %d.%m.%Y, or {', '.join((*EPOCHS, *DAY_COUNTS))}"
        )
    try:
        datetime.strptime(datetime(2000, 12, 31, 23, 59, 58, tzinfo=UTC).strftime(text), text)  # noqa: DTZ007 - a trial
    except (ValueError, re.error) as error:  # the latter: a directive is there twice
        raise ValueError(f"format `{text}` cannot be read back: {error}") from error
