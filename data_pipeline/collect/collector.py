"""The contract of a collector, and what it is given."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from data_pipeline.collect.cassette import Recorder
from data_pipeline.collect.placeholders import Partition, Values
from data_pipeline.dataset import Collected, FileSeen
from utils.clock import SYSTEM_CLOCK, Clock

T = TypeVar("T")


class Call(Protocol):
    """Makes one request (a page, a query, a file) of one provider through its breaker, limits and retries."""

    def __call__(self, provider: str, request: Callable[[], T], /) -> T: ...


class TokenStore(Protocol):
    """Access and refresh tokens that outlive a process and are shared by all of one state directory."""

    def load(self, name: str) -> dict[str, Any] | None:
        """What was saved last under a name; None: nothing."""
        ...

    def save(self, name: str, token: Mapping[str, Any]) -> None:
        """Replace it."""
        ...

    def lock(self, name: str) -> AbstractContextManager[Any]:
        """Held by one thread of one process at a time: a rotating refresh token may be used once only."""
        ...


def _no_files() -> Mapping[str, FileSeen]:
    return {}


def _no_table(dataset: str, _column: str, /) -> Iterator[Any]:
    raise LookupError(f"dataset `{dataset}` cannot be read here")


@dataclass(frozen=True, slots=True)
class InputTable:
    """The delivered table of another dataset.

    Attributes:
        as_of: The moment it speaks of: its data time, else when it was collected.
        rows: A `Batch`.
    """

    dataset: str
    version: str
    as_of: datetime
    rows: Any


def _no_input(dataset: str) -> InputTable:
    raise LookupError(f"dataset `{dataset}` cannot be read here")


@dataclass(frozen=True, slots=True)
class CollectRequest:
    """What a collector needs to know about this one collection.

    Attributes:
        options: The validated `collect:` block of the dataset, an instance of the collector's own `Options`.
        provider: The provider's name; its own settings (auth, headers, proxy, tls) stand in `settings`.
        call: Makes each single request resilient; count attempts with the returned figures, not inside.
        last_resort: The same without retries, and one at a time through an open circuit too: for who has nobody else to
            ask. None: there is no such way.
        validators: ETag and Last-Modified of the copy we have; empty: ask unconditionally.
        number: How many runs this dataset had before; the simulated collector draws failures from it.
        now: The run's moment, aware UTC; placeholders such as `{now:%Y%m%d}` use it.
        folder: Where temporary files may be written.
        base: Where relative paths of the options start: the folder of the configuration file that names them.
        cursor: Where an incremental collection starts: the newest value stored, less `lag`, or `initial`; None: from
            the beginning. 0 and "" are cursors.
        cursor_format: How `{cursor}` is written when it names no format of its own.
        partition: The partition that is asked for, if the dataset has partitions.
        full: Take everything: no cursor, and files that were read before are read again.
        only_new: The table accumulates (append, merge): files that were read before are left out. False: the batch is
            the table, so all files belong into it.
        ledger: The files that went into accepted batches of this dataset, by path.
        column_of: The distinct values of a column of another dataset's delivered table, in order of appearance.
        table_of: The delivered table of another dataset.
        tokens: Where access tokens are kept; None: in memory only.
        memory_limit: Bytes that may be held at once (`app.memory_limit`).
        recorder: Takes down every exchange with the provider; None: nobody does.
        records: Where the rows of an answer are (`parse.records`), so that an empty page is known; "": not said.
        zone: Of naive times, the dataset's own.
    """

    dataset: str
    options: Any
    provider: str
    call: Call
    now: datetime
    folder: Path
    last_resort: Call | None = None
    base: Path = Path()
    settings: Any = None
    validators: Mapping[str, str] = field(default_factory=dict)
    number: int = 0
    cursor: Any = None
    cursor_format: str = "iso"
    partition: Partition | None = None
    full: bool = False
    only_new: bool = False
    ledger: Callable[[], Mapping[str, FileSeen]] = _no_files
    column_of: Callable[[str, str], Iterator[Any]] = _no_table
    table_of: Callable[[str], InputTable] = _no_input
    tokens: TokenStore | None = None
    memory_limit: int = 10**9
    recorder: Recorder | None = None
    records: str = ""
    zone: str = "UTC"
    connect_timeout: float = 5.0
    read_timeout: float = 30.0
    clock: Clock = SYSTEM_CLOCK

    @property
    def values(self) -> Values:
        """What placeholders are filled with."""
        return Values(self.now, self.cursor, self.cursor_format, self.partition)


class Collector(Protocol):
    """One kind of source. Stateless but for its connections; one instance serves many datasets and threads."""

    Options: ClassVar[type]
    """A pydantic model of the keys this kind takes, unknown keys refused."""

    def provider_of(self, options: Any, dataset: str) -> str:
        """The provider's name when the dataset names none: host and port, `file`, `host`, the dataset itself."""
        ...

    def collect(self, request: CollectRequest) -> Collected:
        """Bring the payloads or rows.

        Raises:
            CollectError: nothing usable came; `transient` tells whether another try makes sense.
        """
        ...

    def close(self) -> None:
        """Give back connections."""
        ...
