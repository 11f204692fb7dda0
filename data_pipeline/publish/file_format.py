"""How a published table becomes a file: its name filled in, its format told by the suffix, its rows written."""

import gzip
from pathlib import PurePosixPath
from typing import IO, cast

from config.errors import Fault
from data_pipeline.collect import placeholders
from data_pipeline.collect.placeholders import Values
from data_pipeline.export import Format, write_rows
from data_pipeline.publish.sink import PublishRequest

__all__ = ["check_placeholders", "checked_name", "filled", "format_of", "names_each", "write_table"]

_OWN = ("dataset", "version")
_ALLOWED = {*_OWN, "now", "run_date"}
_FORMATS: dict[str, Format] = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".arrow": "arrow",
    ".feather": "arrow",
}
_PACKABLE = {"csv", "json", "jsonl"}


def checked_name(template: str) -> str:
    """The template of a name itself, so that it serves as a validator.

    Raises:
        ValueError: an unknown placeholder, or a suffix that names no format.
    """
    check_placeholders(template, "A published file may be named")
    if "\0" in template:
        raise Fault("a path cannot hold a null character")
    format_of(template)
    return template


def check_placeholders(template: str, what: str) -> None:
    """See that only what is known of a version is asked for. Raises a Fault otherwise; `what` begins its hint."""
    placeholders.check(template, also=_OWN)
    unknown = placeholders.named(template) - _ALLOWED
    if unknown:
        raise Fault(
            f"`{{{unknown.pop()}}}` has no meaning here",
            hint=f"{what} by {{dataset}}, {{version}}, {{run_date}} and {{now}}.",
        )


def names_each(template: str) -> bool:
    """Whether the name is another one for each version: it has the version or its time in it."""
    return bool(placeholders.named(template) & {"version", "run_date", "now"})


def filled(template: str, request: PublishRequest) -> str:
    """The name for one version; its moment is that of the version, so that a later try goes to the same place."""
    named = {"dataset": request.dataset, "version": request.version}
    return placeholders.render(template, Values(request.moment, named=named))


def format_of(name: str) -> tuple[Format, bool]:
    """The format that a name's suffix means, and whether it is to be packed.

    Raises:
        ValueError: it means none.
    """
    path = PurePosixPath(name.lower())
    packed = path.suffix == ".gz"
    kind = _FORMATS.get(PurePosixPath(path.stem).suffix if packed else path.suffix)
    if kind is None:
        raise Fault(
            f"the suffix of `{PurePosixPath(name).name}` names no format",
            hint=f"Known are {', '.join(_FORMATS)}, and .csv.gz, .json.gz, .jsonl.gz.",
        )
    if packed and kind not in _PACKABLE:
        raise Fault(f"a {kind} file is packed inside already", hint="Leave `.gz` away.")
    return kind, packed


def write_table(name: str, file: IO[bytes], request: PublishRequest) -> int:
    """Write all rows of the version into an open file, in the format that `name` means; gives their number."""
    kind, packed = format_of(name)
    schema, batches = request.table.schema, request.table.batches()
    if not packed:
        return write_rows(schema, batches, kind, file, arrow_file=True)
    # Neither name nor time inside: equal rows are equal bytes.
    with gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as stream:
        return write_rows(schema, batches, kind, cast("IO[bytes]", stream))
