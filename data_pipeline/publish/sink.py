"""The contract of a sink, and what it is given."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from data_pipeline.store.views import Version
    from utils.arrow import pa

__all__ = ["PublishRequest", "Published", "Rows", "Sink"]


@dataclass(frozen=True, slots=True)
class Rows:
    """A schema and a stream of record batches that starts again each time it is called."""

    schema: "pa.Schema"
    batches: "Callable[[], Iterator[pa.RecordBatch]]"


@dataclass(frozen=True, slots=True)
class PublishRequest:
    """One version of a dataset for one sink.

    Attributes:
        version: Its name; the same version may come twice, when nobody could say whether it arrived.
        moment: When it was accepted, aware UTC; placeholders use it, so that a later try goes to the same place.
        now: When it goes out, aware UTC.
        options: The sink's own validated options.
        table: All rows that readers see with this version.
        added: The rows that this version added to the ones before; for the first version that goes out, all.
        key: What makes a row one row.
        base: Where relative paths of the options start.
        connect_timeout: Seconds until a connection must stand.
        about: What the log says of the version; None: there is no log.
        attempt: How often this is tried, with this time.
    """

    dataset: str
    version: str
    moment: datetime
    now: datetime
    options: Any
    table: Rows
    added: Rows
    key: tuple[str, ...] = ()
    base: Path = Path()
    connect_timeout: float = 5.0
    about: "Version | None" = None
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Published:
    """What went out. `repeated`: the target had this version already, and nothing was done."""

    rows: int
    repeated: bool = False


class Sink(Protocol):
    """One kind of target. Publishing the same version twice is as good as once.

    It keeps nothing but connections: `close()`, if it has one, is called when all that was pending has been tried.
    """

    Options: ClassVar[type]
    """A pydantic model of the keys this kind takes, unknown keys refused."""

    def name_of(self, options: Any) -> str:
        """The target's stable name, without who asks: `warehouse.example.org/shop.orders`."""
        ...

    def server_of(self, options: Any) -> str:
        """Whose being away keeps other sinks from working too; "": nobody's."""
        ...

    def wants_every(self, options: Any) -> bool:
        """Whether each version must go out, in order; else the newest is enough."""
        ...

    def publish(self, request: PublishRequest) -> Published:
        """Put the version there: wholly, or not at all.

        Raises:
            PublishError: it is not there; `transient` tells whether it may work later.
        """
        ...

    # Of a version that goes to several sinks together or to none. Each call is as good once as twice.

    revocable: ClassVar[bool]
    """Whether `take_back` gives readers what they had before `put`; else `put` is for good."""

    def prepare(self, request: PublishRequest) -> Published:
        """Do all that may fail, so that `put` will work; readers see nothing of it. Raises as `publish`."""
        ...

    def put(self, request: PublishRequest) -> None:
        """Let readers see what was prepared. Raises as `publish`."""
        ...

    def take_back(self, request: PublishRequest) -> None:
        """Give readers what they had before `put`, if that was done. Raises as `publish`."""
        ...

    def clear(self, request: PublishRequest) -> None:
        """Nothing is left of what `prepare` laid aside; nobody will take it back any more. Raises as `publish`."""
        ...
