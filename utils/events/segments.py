"""Sealed parts of the log: Parquet files in the storage with all ten columns, and the table that knows them.

A segment holds the events `first` to `last`. Its first `prev_hash` and its last `hash` stand in the table, its file's
SHA-256 in the table and in the log (`log.sealed`), so that what was sealed proves itself and joins what came after.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from typing import TYPE_CHECKING, Any, BinaryIO

import orjson

from utils.database import Connection, StateError, Statement
from utils.events.wanted import Wanted
from utils.storage import BlobNotFound, Storage, StorageError, Stored

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile, RowGroupMetaData

__all__ = ["FOLDER", "NAMED_SCHEMA", "SCHEMA", "Segment", "SegmentFault", "SegmentFiles", "listed"]

FOLDER = "events/"

SCHEMA = """
CREATE TABLE segments (
    first INTEGER PRIMARY KEY, last INTEGER NOT NULL, prev_hash TEXT NOT NULL, hash TEXT NOT NULL, path TEXT NOT NULL,
    sha256 TEXT NOT NULL, size INTEGER NOT NULL, earliest TEXT NOT NULL, latest TEXT NOT NULL, types TEXT NOT NULL,
    sources TEXT NOT NULL, sealed_at TEXT NOT NULL);
CREATE TABLE sealed_subjects (subject TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID
"""
# The table of names knows the version of every subject, also when all its events were sealed.
NAMED_SCHEMA = """
INSERT INTO names SELECT 'subject', subject, 0, version FROM sealed_subjects WHERE true ON CONFLICT DO NOTHING;
DROP TABLE sealed_subjects
"""

_HINT = "bring it back from a backup of the storage; `events verify` says what else is not as it was"
_FILE: dict[str, Any] = {"compression": "zstd", "write_page_checksum": True}
_READ: dict[str, Any] = {"page_checksum_verification": True}
_ROWS_AT_ONCE = 1000


class SegmentFault(StateError):
    """A segment is missing, or not as it was sealed."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A sealed part of the log, as its row in table `segments` tells it.

    `size` in bytes; `earliest` and `latest` are the times of its events, `sealed_at` when they were sealed; RFC 3339.
    `types` and `sources` are those of its events, sorted, as JSON.
    """

    first: int
    last: int
    prev_hash: str
    hash: str
    path: str
    sha256: str
    size: int
    earliest: str
    latest: str
    types: str
    sources: str
    sealed_at: str

    @property
    def events(self) -> int:
        return self.last - self.first + 1

    def may_hold(self, wanted: Wanted) -> bool:
        """Whether an event that is wanted may be in it, as far as position, time, type and source tell."""
        return not (
            self.last <= wanted.after
            or (wanted.before and self.first >= wanted.before)
            or (wanted.since is not None and self.latest < wanted.since)
            or (wanted.until is not None and self.earliest >= wanted.until)
            or (wanted.source is not None and wanted.source not in orjson.loads(self.sources))
            or not any(map(wanted.takes_type, orjson.loads(self.types)))
        )

    def inserted(self) -> Statement:
        """The statement that makes it known."""
        marks = ", ".join("?" * len(fields(self)))
        return f"INSERT INTO segments VALUES ({marks})", astuple(self)  # noqa: S608 - marks only

    def told(self) -> dict[str, Any]:
        """What the log says of it (`log.sealed`)."""
        about = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "sealed_at"}
        lists = {name: orjson.loads(about[name]) for name in ("types", "sources")}
        return {**about, **lists, "rows": self.events}


def listed(connection: Connection, *, after: int = 0) -> list[Segment]:
    """The segments that hold an event after a position, oldest first."""
    found = connection.execute("SELECT * FROM segments WHERE last > ? ORDER BY first", (after,)).fetchall()
    return [Segment(*row) for row in found]


class SegmentFiles:
    """Reads and writes the files of segments.

    Raises (all that read):
        SegmentFault: the file is missing or damaged; it is named.
    """

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    def write(self, path: str, pages: Iterable[Sequence[Sequence[Any]]], about: dict[str, str]) -> Stored:
        """Write pages of rows, one row group each, and what stands `about` them in the file.

        The file is flushed to the device: what it holds is about to be deleted elsewhere.
        """
        from pyarrow import parquet

        from utils.arrow import pa

        schema = _schema().with_metadata(about)
        with self.storage.writer(path, durable=True) as file, parquet.ParquetWriter(file, schema, **_FILE) as writer:
            for page in pages:
                columns = [
                    pa.array(column, field.type) for column, field in zip(zip(*page, strict=True), schema, strict=True)
                ]
                writer.write_table(pa.Table.from_arrays(columns, schema=schema))
        assert file.stored is not None  # it is whole: the block ended
        return file.stored

    def rows(self, segment: Segment, *, after: int = 0) -> Iterator[list[tuple[Any, ...]]]:
        """The rows after a position, in order, some thousand at a time."""
        from pyarrow import parquet

        reached = max(after, segment.first - 1)
        with self._opened(segment) as file, parquet.ParquetFile(file, **_READ) as parts:
            _check(segment, parts)
            for batch in parts.iter_batches(_ROWS_AT_ONCE):
                page = _rows(batch)
                if page and page[-1][0] > reached:
                    yield [row for row in page if row[0] > reached]
                    reached = page[-1][0]
        if reached < segment.last:
            raise SegmentFault(f"{segment.path}: ends at event {reached}, not at {segment.last}", hint=_HINT)

    def found(self, segment: Segment, wanted: Wanted, limit: int, *, newest_first: bool) -> list[tuple[Any, ...]]:
        """The wanted rows, at most so many, in order. Row groups whose bounds say that they hold none are not read."""
        from pyarrow import parquet

        found: list[tuple[Any, ...]] = []
        with self._opened(segment) as file, parquet.ParquetFile(file, **_READ) as parts:
            _check(segment, parts)
            groups = range(parts.num_row_groups)
            for number in reversed(groups) if newest_first else groups:
                if wanted.may_be_among(_bounds(parts.metadata.row_group(number))):
                    rows = _rows(wanted.chosen(parts.read_row_group(number, use_threads=False)))
                    found += reversed(rows) if newest_first else rows
                    if len(found) >= limit:
                        break
        return found[:limit]

    def about(self, path: str) -> dict[str, str]:
        """What was written `about` the rows of a file; nothing when it is none of ours."""
        import pyarrow as pa
        from pyarrow import parquet

        try:
            with self.storage.open(path) as file:
                return _about(parquet.read_schema(file))
        except (pa.ArrowException, OSError, StorageError):
            return {}

    def is_as_sealed(self, segment: Segment) -> str:
        """What is wrong with the file as a whole; "" when it is byte for byte what was sealed."""
        try:
            same = self.storage.verify(segment.path, segment.sha256)
        except BlobNotFound:
            return f"{segment.path} is missing (events {segment.first} to {segment.last})"
        except StorageError as error:
            return f"{segment.path} cannot be read ({error.message})"
        return "" if same else f"{segment.path} was changed: its SHA-256 is not the one in the log"

    @contextmanager
    def _opened(self, segment: Segment) -> Iterator[BinaryIO]:
        import pyarrow as pa

        try:
            with self.storage.open(segment.path) as file:
                yield file
        except BlobNotFound as error:
            raise SegmentFault(
                f"{segment.path}: is missing; events {segment.first} to {segment.last} are in it", hint=_HINT
            ) from error
        except StorageError as error:
            told = f"{segment.path}: {error.message}"
            raise SegmentFault(told, hint=error.hint, transient=error.transient) from error
        except (pa.ArrowException, OSError, ValueError) as error:
            raise SegmentFault(f"{segment.path}: is damaged ({error})", hint=_HINT) from error


def _schema() -> "pa.Schema":
    from utils.arrow import pa

    names = ("seq", "id", "time", "source", "type", "subject", "data", "version", "prev_hash", "hash")
    numbers = ("seq", "version")
    return pa.schema([pa.field(name, pa.int64() if name in numbers else pa.string(), False) for name in names])


def _about(schema: "pa.Schema") -> dict[str, str]:
    return {key.decode(): value.decode() for key, value in (schema.metadata or {}).items()}


def _bounds(group: "RowGroupMetaData") -> dict[str, tuple[Any, Any]]:
    """The least and the greatest value of each column, as far as they were written."""
    columns = [group.column(number) for number in range(group.num_columns)]
    known = [(column.path_in_schema, column.statistics) for column in columns]
    return {name: (about.min, about.max) for name, about in known if about is not None and about.has_min_max}


def _check(segment: Segment, parts: "ParquetFile") -> None:
    """Raises `SegmentFault` when the file is whole, but another one than was sealed."""
    about = _about(parts.schema_arrow)
    if (about.get("first"), about.get("last"), about.get("hash")) != (
        str(segment.first),
        str(segment.last),
        segment.hash,
    ):
        raise SegmentFault(f"{segment.path}: does not hold events {segment.first} to {segment.last}", hint=_HINT)


def _rows(table: "pa.Table | pa.RecordBatch") -> list[tuple[Any, ...]]:
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))
