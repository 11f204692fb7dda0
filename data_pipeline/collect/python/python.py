"""Collect what a function of the user's own returns or yields."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from data_pipeline.collect import placeholders
from data_pipeline.collect.collector import CollectRequest
from data_pipeline.dataset import Collected, Provenance
from data_pipeline.errors import CollectError, ProviderRefused, ProviderUnavailable
from data_pipeline.user_function import call, check_function, find, told_of

if TYPE_CHECKING:
    from data_pipeline.row_spool import RowSpool

__all__ = ["Options", "PythonCollector"]

MEMORY = 16 * 2**20
"""Bytes of rows that are held; more wait in a file."""


class Options(BaseModel):
    """`collect: {kind: python, …}`.

    Attributes:
        function: `module:name`, from the folders of `code`. It must exist when the configuration is read, but it is
            imported only when it is called.
        params: Given to it by name; placeholders in texts are filled in.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["python"] = "python"
    function: str = Field(min_length=1)
    params: dict[str, Any] = {}

    @field_validator("function")
    @classmethod
    def _exists(cls, function: str) -> str:
        return check_function(function)

    @field_validator("params")
    @classmethod
    def _templates(cls, params: dict[str, Any]) -> dict[str, Any]:
        for value in params.values():
            if isinstance(value, str):
                placeholders.check(value)
        return params


class PythonCollector:
    """Calls the function with `params`, and by name with what it has a place for of `cursor`, `partition`, `now`.

    Its dicts, lists of dicts, pandas frames, Arrow tables or batches, or the items of a dlt resource are the rows, in
    order. A thread cannot be interrupted: the deadline is looked at between items, so a function that never yields
    may overrun it.
    """

    Options: ClassVar[type] = Options

    def provider_of(self, options: Any, dataset: str) -> str:
        return str(options.function).partition(":")[0]

    def collect(self, request: CollectRequest) -> Collected:
        """See `Collector.collect`. Rows that came before a failure are kept: `partial`, with a note."""
        from utils.resilience.errors import RejectedError

        started = request.clock.monotonic()
        reading = _Reading(request)
        try:
            request.call(request.provider, reading)
        except (CollectError, RejectedError) as error:
            if not reading.rows:
                reading.drop()
                raise
            reading.notes.append(f"the {reading.rows:,} rows before the failure are kept: {error}")
        except BaseException:
            reading.drop()
            raise
        spool = reading.spool
        assert spool is not None, "it was called"
        provenance = Provenance(
            provider=request.provider,
            collected_at=request.clock.now(),
            content_sha256=spool.sha256,
            attempts=max(1, reading.calls),
            latency_s=max(0.0, request.clock.monotonic() - started),
            size=spool.nbytes,
            partial=bool(reading.notes),
            source=request.options.function,
            notes=tuple(reading.notes),
        )
        return Collected(provenance, rows=spool.batches, close=spool.drop)

    def close(self) -> None:
        """Nothing is kept open."""


@dataclass(slots=True)
class _Reading:
    """Calls the function and keeps its rows; called again, it begins anew."""

    request: CollectRequest
    calls: int = 0
    notes: list[str] = field(default_factory=list)
    spool: "RowSpool | None" = None

    @property
    def rows(self) -> int:
        return 0 if self.spool is None else self.spool.rows

    def drop(self) -> None:
        if self.spool is not None:
            self.spool.drop()

    def __call__(self) -> None:
        from data_pipeline.row_spool import RowSpool
        from data_pipeline.user_output import to_standard_error

        self.calls += 1
        self.drop()
        spool = self.spool = RowSpool(MEMORY, folder=self.request.folder, hashed=True)
        try:
            with to_standard_error():
                for batch in self._batches():
                    spool.append(batch)
        finally:
            spool.finish()

    def _batches(self) -> Iterator[Any]:
        from data_pipeline.collect.python.calling import UserRows
        from utils.resilience.deadline import check

        function = self.request.options.function
        theirs = UserRows(function, self._failed, self._refused)
        return theirs.of(
            lambda: call(find(function), self._params(), self._offered()), lambda: check(self.request.provider)
        )

    def _params(self) -> dict[str, Any]:
        values = self.request.values
        return {
            name: placeholders.render(value, values) if isinstance(value, str) else value
            for name, value in self.request.options.params.items()
        }

    def _offered(self) -> dict[str, Any]:
        request = self.request
        now: datetime = request.now.astimezone(UTC)
        return {"cursor": request.cursor, "partition": request.partition, "now": now}

    def _failed(self, error: BaseException) -> CollectError:
        told = f"{self.request.dataset}: {told_of(self.request.options.function, error)}"
        if getattr(error, "transient", isinstance(error, TimeoutError | ConnectionError)):
            after = getattr(error, "retry_after", None)
            after = float(after) if isinstance(after, int | float) else None
            return ProviderUnavailable(told, provider=self.request.provider, retry_after=after)
        hint = "mend it there; an error with an attribute `transient = True`, or a TimeoutError, is tried again"
        return ProviderRefused(told, hint=hint, provider=self.request.provider)

    def _refused(self, message: str) -> ProviderRefused:
        return ProviderRefused(f"{self.request.dataset}: {message}", provider=self.request.provider)
