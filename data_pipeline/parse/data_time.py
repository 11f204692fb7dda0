"""The moment the data itself speaks of, as the dataset's `data_time` says where to find it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from data_pipeline.parse.options import check_time_format
from data_pipeline.parse.records import check_path, search
from data_pipeline.python_values import values_of

if TYPE_CHECKING:
    import pyarrow as pa

    from data_pipeline.batch import Batch
    from data_pipeline.dataset import Provenance
    from data_pipeline.parse.times import Zone

_COMPRESSED = (".gz", ".zst", ".bz2")
_FILENAME = re.compile(r"filename\s+(['\"]?)(?P<pattern>.+?)\1\s*")


@dataclass(frozen=True, slots=True)
class DataTime:
    """A parsed `data_time`: a column's newest value, a path into the JSON document, the provider's Last-Modified, or
    strptime directives in the payload's name."""

    kind: Literal["column", "path", "last_modified", "filename"]
    argument: str = ""


def parse_data_time(text: str) -> DataTime:
    """Reads the setting.

    Raises:
        ValueError: the path is no path, or the file name has no directive or one that cannot be read.
    """
    if text == "last_modified":
        return DataTime("last_modified")
    if text.startswith("$"):
        path = text.removeprefix("$").removeprefix(".")
        if not path:
            raise ValueError("`$` alone names the whole document; say for example `$.metadata.generated`")
        check_path(path)
        return DataTime("path", path)
    match = _FILENAME.fullmatch(text)
    if match:
        pattern = match["pattern"]
        if "%" not in pattern:
            raise ValueError(f"filename `{pattern}` has no directive such as %Y%m%d")
        check_time_format(pattern)
        return DataTime("filename", pattern)
    return DataTime("column", text)


def find_data_time(
    wanted: DataTime,
    batch: "Batch",
    *,
    provenance: "Provenance",
    names: Iterable[str] = (),
    documents: Iterable[Any] = (),
    zone: "Zone",
) -> tuple[datetime | None, str]:
    """The newest moment in UTC and an empty note, or `None` and a note that says what is missing."""
    if wanted.kind == "last_modified":
        return provenance.last_modified, "" if provenance.last_modified else "data_time: no Last-Modified was sent"
    if wanted.kind == "column":
        return _newest_in(batch, wanted.argument, zone)
    if wanted.kind == "filename":
        # The date of a nightly archive stands in the name of the archive, not in those of its members.
        sent = [*names, *(file.path for file in provenance.files)]
        moments = [_from_name(name, wanted.argument, zone) for name in sent]
        missing = f"data_time: no file name fits `{wanted.argument}`"
    else:
        moments = [_from_document(document, wanted.argument, zone) for document in documents]
        missing = f"data_time: `$.{wanted.argument}` finds no time in the document"
    found = [moment for moment in moments if moment is not None]
    return (max(found), "") if found else (None, missing)


def of_good_rows(batch: "Batch", good: Iterable["pa.RecordBatch"], setting: str | None, zone: "Zone") -> "Batch":
    """The batch with the age of what is delivered: a quarantined row does not tell how old the others are."""
    wanted = parse_data_time(setting) if setting else None
    if wanted is None or wanted.kind != "column" or batch.provenance.data_time is None:
        return batch
    moment, missing = _newest_in(batch, wanted.argument, zone, good)
    notes = (*batch.provenance.notes, missing) if missing else batch.provenance.notes
    return batch.with_provenance(replace(batch.provenance, data_time=moment, notes=notes))


def _newest_in(
    batch: "Batch", name: str, zone: "Zone", parts: Iterable["pa.RecordBatch"] | None = None
) -> tuple[datetime | None, str]:
    from data_pipeline.parse.times import start_of
    from utils.arrow import compute, pa

    if name not in batch.schema.names:
        return None, f"data_time: there is no column `{name}`"
    kind = batch.schema.field(name).type
    if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        if pa.types.is_null(kind) or not batch.rows:
            return None, f"data_time: column `{name}` has no value"
        return None, f"data_time: column `{name}` is {kind}, not a time; declare `type: timestamp` in `columns`"
    newest: Any = None
    for part in batch.batches() if parts is None else parts:
        top = compute.max(part.column(name))
        if kind == pa.timestamp("ns", "UTC"):
            top = top.cast(pa.timestamp("us", "UTC"), safe=False)
        (value,) = values_of(pa.repeat(top, 1))
        if isinstance(value, str):
            return None, f"data_time: the newest time of column `{name}` is {value}, a year that no clock tells"
        if value is not None and (newest is None or value > newest):
            newest = value
    if newest is None:
        return None, f"data_time: column `{name}` has no value"
    if isinstance(newest, date) and not isinstance(newest, datetime):
        return start_of(newest, zone), ""
    from data_pipeline.parse.times import aware

    return aware(newest, zone), ""


def _from_name(name: str, pattern: str, zone: "Zone") -> datetime | None:
    from data_pipeline.parse.times import aware

    file = PurePosixPath(name)
    for written in (file.name, file.stem) if file.suffix in _COMPRESSED else (file.name,):
        try:
            return aware(datetime.strptime(written, pattern), zone)  # noqa: DTZ007 - made aware
        except ValueError:
            continue
    return None


def _from_document(document: Any, path: str, zone: "Zone") -> datetime | None:
    from data_pipeline.parse.times import moment

    try:
        return moment(search(path)(document), zone)
    except (ValueError, RecursionError):
        return None
