"""Collect the rows of a query: read-only, streamed from a cursor on the server, with bound parameters."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from config.durations import Duration
from data_pipeline.collect.collector import CollectRequest
from data_pipeline.collect.sql import query as sql_query
from data_pipeline.dataset import Collected, Provenance
from data_pipeline.errors import CollectError, ProviderRefused, ProviderUnavailable
from data_pipeline.sql_database import checked_url, explain, host_of, name_of, open_engine

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from data_pipeline.row_spool import RowSpool

__all__ = ["Options", "SqlCollector"]

MEMORY = 8 * 2**20
"""Bytes of rows that are held; more wait in a file."""

Scalar = str | int | float | bool | None


class Options(BaseModel):
    """`collect: {kind: sql, …}`.

    Attributes:
        url: An SQLAlchemy address; a relative SQLite path starts at the configuration file that names it.
        query: One SELECT. `{cursor}`, `{now}`, `{partition.start}` … and `:name` are bound, never spliced in.
        params: Values of `:name`; they may hold placeholders. A list is for `IN :name`.
        batch_rows: Rows fetched at a time.
        statement_timeout: Seconds that one statement may take in the database; 0: no limit but the deadline.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["sql"] = "sql"
    url: Annotated[str, AfterValidator(checked_url)]
    query: str = Field(min_length=1)
    params: dict[str, Scalar | list[Scalar]] = Field(default_factory=dict)
    batch_rows: int = Field(default=50_000, ge=1, le=1_000_000)
    statement_timeout: Duration = 60.0

    @model_validator(mode="after")
    def _query_and_params(self) -> "Options":
        sql_query.check(self.query, self.params)
        return self


_Options = Options  # inside the class below the name means its attribute


class SqlCollector:
    """Brings the rows of a query. All of them or none: half a result would pass for a whole one.

    Naive times of the database are the dataset's own (`zone`): the session runs in that zone, so that a cursor is
    compared with them rightly.
    """

    Options: ClassVar[type] = Options

    def __init__(self) -> None:
        self._engines: dict[tuple[str, str], Engine] = {}

    def provider_of(self, options: Any, dataset: str) -> str:
        """Host, port and database; of SQLite the file's name."""
        return name_of(options.url)

    def collect(self, request: CollectRequest) -> Collected:
        """See `Collector.collect`. The query is one request, from its start to its last row."""
        options: _Options = request.options
        started = request.clock.monotonic()
        try:
            query = sql_query.bind(options.query, options.params, request.values)
        except ValueError as error:
            raise ProviderRefused(f"{request.dataset}: {error}", hint=getattr(error, "hint", "")) from error
        calls = 0

        def ask() -> _Taken:
            nonlocal calls
            calls += 1
            return self._ask(request, query)

        taken = request.call(request.provider, ask)
        provenance = Provenance(
            provider=request.provider,
            collected_at=request.clock.now(),
            content_sha256=taken.spool.sha256,
            attempts=max(1, calls),
            latency_s=max(0.0, request.clock.monotonic() - started),
            size=taken.spool.nbytes,
            source=name_of(options.url),
            notes=taken.notes,
        )
        return Collected(provenance, rows=taken.spool.batches, close=taken.spool.drop)

    def close(self) -> None:
        engines, self._engines = self._engines, {}
        for engine in engines.values():
            engine.dispose()

    def _ask(self, request: CollectRequest, query: sql_query.BoundQuery) -> "_Taken":
        from data_pipeline.collect.sql.session import answer
        from data_pipeline.row_spool import RowSpool

        options: _Options = request.options
        spool = RowSpool(MEMORY, folder=request.folder, hashed=True)
        try:
            engine = self._engine(request)
            notes = answer(engine, query, request, spool.append)
            spool.finish()
            return _Taken(spool, notes)
        except OSError as error:
            spool.drop()
            raise CollectError(
                f"{request.dataset}: the rows cannot be kept in {request.folder}: {error.strerror or error}",
                hint="free some disk space, or check the permissions of that folder",
                provider=request.provider,
            ) from error
        except BaseException as error:
            spool.drop()
            if not isinstance(error, Exception) or not _of_a_database(error):
                raise
            found = explain(error, options.url)
            if found.timed_out:
                words = f"the query took longer than statement_timeout ({options.statement_timeout:g} s)"
                hint = "ask for less at a time, add an index, or raise `statement_timeout`"
                raise ProviderUnavailable(
                    f"{request.dataset}: {words}", hint=hint, provider=request.provider
                ) from error
            words = f"{request.dataset}: {name_of(options.url)}: {found.words}"
            if not found.transient:
                raise ProviderRefused(words, hint=found.hint, provider=request.provider) from error
            raise ProviderUnavailable(
                words,
                hint=found.hint,
                provider=request.provider,
                unreached=host_of(options.url) if found.away else "",
            ) from error

    def _engine(self, request: CollectRequest) -> "Engine":
        url = request.options.url
        found = self._engines.get((url, str(request.base)))
        if found is None:
            made = open_engine(url, base=request.base, connect_timeout=request.connect_timeout, read_only=True)
            found = self._engines.setdefault((url, str(request.base)), made)
        return found


@dataclass(frozen=True, slots=True)
class _Taken:
    spool: "RowSpool"
    notes: tuple[str, ...]


def _of_a_database(error: Exception) -> bool:
    """Whether an error is one that `explain` knows: of SQLAlchemy, or a driver that is not installed."""
    from sqlalchemy.exc import SQLAlchemyError

    return isinstance(error, SQLAlchemyError | ModuleNotFoundError)
