"""What the user declares under `parse:` and `columns:`. Imports no Arrow: reading a configuration must stay quick."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

Format = Literal["auto", "csv", "json", "jsonl", "parquet", "arrow"]
ColumnType = Literal["string", "integer", "float", "decimal", "boolean", "date", "timestamp"]

FORMATS_TO_COME = ("xml", "excel", "prometheus")
TIME_FORMATS_TO_COME = ("excel", "julian")
EPOCHS = ("epoch_s", "epoch_ms")


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


def _to_come(default: Any) -> Any:
    """A key of the contract that is not built yet: its default is accepted, anything else refused."""

    def refuse(value: Any) -> Any:
        if value != default:
            raise ValueError("not supported yet; remove the key")
        return value

    return Annotated[Any, AfterValidator(refuse), Field(exclude=True)]


Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]


class ParseOptions(BaseModel):
    """How the bytes of a dataset become rows.

    Attributes:
        format: `auto` looks at the content first, then at name and media type.
        encoding: A codec name, or `auto`: byte order mark, the provider's charset, UTF-8, then Windows-1252.
        skip_rows: Lines dropped at the top, blank ones included.
        header_row: The header's line among what is left, counted from 1; 0: there is none (`column_1`, ...).
        na_values: Text cells that mean "no value", besides the empty one.
        decimal, thousands: Signs inside numbers of text cells.
        records: JMESPath to the rows of a JSON document; a single object found there is one row.
        flatten: Nested objects become columns `a.b`; otherwise they stay JSON text. Lists always stay JSON text.
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

    footer_rows: _to_come(0) = 0  # type: ignore[valid-type]  # an Annotated made by a function
    stop_at_blank: _to_come(default=False) = False  # type: ignore[valid-type]  # as above
    repeated_header: _to_come(default=False) = False  # type: ignore[valid-type]  # as above
    sheet: _to_come(1) = 1  # type: ignore[valid-type]  # as above
    namespaces: _to_come({}) = None  # type: ignore[valid-type]  # as above
    attributes: _to_come(default=True) = True  # type: ignore[valid-type]  # as above
    melt: _to_come(None) = None  # type: ignore[valid-type]  # as above
    drop_where: _to_come(None) = None  # type: ignore[valid-type]  # as above

    @field_validator("format", mode="before")
    @classmethod
    def _known_format(cls, value: Any) -> Any:
        if value in FORMATS_TO_COME:
            raise ValueError(f"`{value}` is not supported yet; supported: {', '.join(get_args(Format))}")
        return value

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

    @field_validator("records")
    @classmethod
    def _valid_path(cls, value: str | None) -> str | None:
        if value:
            from data_pipeline.parse.records import check_path

            check_path(value)
        return value or None

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
        source: `from` in the configuration: the column's name as sent; default: the new name itself.
        aliases: Other names the provider used or will use; the first one present counts.
        type: Without one, the type is inferred as for columns that are not listed.
        format: For `date` and `timestamp`: strptime directives, `epoch_s` or `epoch_ms`; default: ISO 8601.
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
            _check_time_format(self.format)
        if self.scale is not None:
            if self.type not in {"integer", "float", "decimal"}:
                raise ValueError("scale needs `type: integer`, `float` or `decimal`")
            if not self.scale.is_finite():
                raise ValueError("scale must be a finite number")
            if self.type == "integer" and self.scale != self.scale.to_integral_value():
                raise ValueError("scale of an integer column must be whole; use `type: decimal`")
        return self


def _check_time_format(text: str) -> None:
    if text in EPOCHS:
        return
    if text in TIME_FORMATS_TO_COME:
        raise ValueError(f"format `{text}` is not supported yet")
    if "%" not in text:
        raise ValueError(f"format `{text}` has no directive; say for example %d.%m.%Y, or {', '.join(EPOCHS)}")
    try:
        datetime.strptime(datetime(2000, 12, 31, 23, 59, 58).strftime(text), text)  # noqa: DTZ001, DTZ007 - a trial
    except ValueError as error:
        raise ValueError(f"format `{text}` cannot be read back: {error}") from error
