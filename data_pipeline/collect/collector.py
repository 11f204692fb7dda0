"""The contract of a collector, and what it is given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from data_pipeline.dataset import Collected
from utils.clock import SYSTEM_CLOCK, Clock

T = TypeVar("T")


class Call(Protocol):
    """Makes one request (a page, a query, a file) of one provider through its breaker, limits and retries."""

    def __call__(self, provider: str, request: Callable[[], T], /) -> T: ...


@dataclass(frozen=True, slots=True)
class CollectRequest:
    """What a collector needs to know about this one collection.

    Attributes:
        options: The validated `collect:` block of the dataset, an instance of the collector's own `Options`.
        provider: The provider's name; its own settings (auth, headers, proxy, tls) stand in `settings`.
        call: Makes each single request resilient; count attempts with the returned figures, not inside.
        validators: ETag and Last-Modified of the copy we have; empty: ask unconditionally.
        number: How many runs this dataset had before; the simulated collector draws failures from it.
        now: The run's moment, aware UTC; placeholders such as `{now:%Y%m%d}` use it.
        folder: Where temporary files may be written.
        base: Where relative paths of the options start: the folder of the configuration file that names them.
    """

    dataset: str
    options: Any
    provider: str
    call: Call
    now: datetime
    folder: Path
    base: Path = Path()
    settings: Any = None
    validators: Mapping[str, str] = field(default_factory=dict)
    number: int = 0
    connect_timeout: float = 5.0
    read_timeout: float = 30.0
    clock: Clock = SYSTEM_CLOCK


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
