"""Publish into a table of a database: merged by key, appended, or replaced; each version once, whatever is killed."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from data_pipeline.errors import PublishError
from data_pipeline.publish.sink import Published, PublishRequest
from data_pipeline.sql_database import checked_url, explain, is_sqlite, name_of, open_engine, sqlite_path

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["Options", "SqlSink"]

LOCK_TIMEOUT = "30s"
"""How long we wait in PostgreSQL for somebody who holds the table."""


class Options(BaseModel):
    """`{kind: sql, url, table, mode}`.

    Attributes:
        url: An SQLAlchemy address; a relative SQLite path starts at the configuration file that names it.
        table: Its name, or `schema.table`; it is made when it is missing.
        mode: `merge`: rows are found by the dataset's key, updated or inserted. `append`: what each version added.
            `replace`: the whole table.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["sql"] = "sql"
    url: Annotated[str, AfterValidator(checked_url)]
    table: str = Field(min_length=1, pattern=r"^[^\x00.]+(\.[^\x00.]+)?$")
    mode: Literal["merge", "append", "replace"] = "replace"


_Options = Options  # inside the class below the name means its attribute


class SqlSink:
    """Writes the rows and the note that they are there in one transaction: no version arrives twice or by half."""

    Options: ClassVar[type] = Options

    def name_of(self, options: Any) -> str:
        """`host/database.table`; of SQLite `file.table`."""
        return f"{name_of(options.url)}.{options.table}"

    def server_of(self, options: Any) -> str:
        return "" if is_sqlite(options.url) else name_of(options.url).partition("/")[0]

    def wants_every(self, options: Any) -> bool:
        return bool(options.mode == "append")

    revocable: ClassVar[bool] = False

    def publish(self, request: PublishRequest) -> Published:
        """See `Sink.publish`."""
        return self._published(request, rehearsal=False)

    def prepare(self, request: PublishRequest) -> Published:
        """All of it in a transaction that is rolled back: server, rights, room, types and keys are as they must be."""
        return self._published(request, rehearsal=True)

    def put(self, request: PublishRequest) -> None:
        self.publish(request)

    def take_back(self, request: PublishRequest) -> None:
        """Nothing: other programs may have read the rows, or changed them, the moment they were committed."""

    def clear(self, request: PublishRequest) -> None:
        """Nothing was laid aside."""

    def _published(self, request: PublishRequest, *, rehearsal: bool) -> Published:
        from sqlalchemy.exc import SQLAlchemyError

        options: _Options = request.options
        if options.mode == "merge" and not request.key:
            raise PublishError(
                "`mode: merge` needs the dataset's `key`", hint="say what makes a row one row: `key: [id]`"
            )
        engine = None
        try:
            if is_sqlite(options.url):
                sqlite_path(options.url, request.base).parent.mkdir(parents=True, exist_ok=True)
            engine = open_engine(
                options.url, base=request.base, connect_timeout=request.connect_timeout, read_only=False
            )
            with engine.connect() as connection, connection.begin() as transaction:
                published = _publish(connection, request, options)
                if rehearsal:
                    transaction.rollback()
                return published
        except (SQLAlchemyError, ModuleNotFoundError, OSError) as error:
            raise _told(error, options) from error
        except Exception as error:
            if not hasattr(error, "sqlstate"):  # what psycopg raises while rows are copied
                raise
            raise _told(error, options) from error
        finally:
            if engine is not None:
                engine.dispose()


def _publish(connection: "Connection", request: PublishRequest, options: _Options) -> Published:
    from data_pipeline.publish.sql_table import prepare
    from data_pipeline.publish.sql_write import write

    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    done = _recorded(connection, request, options)
    if done is not None:
        return Published(done, repeated=True)
    rows = request.added if options.mode == "append" else request.table
    target = prepare(connection, options.table, rows.schema, request.key, merge=options.mode == "merge")
    count = write(connection, target, rows.batches(), schema=rows.schema, mode=options.mode, key=request.key)
    _record(connection, request, options, count)
    return Published(count)


def _told(error: Exception, options: _Options) -> PublishError:
    if isinstance(error, OSError):
        return PublishError(str(error.strerror or error), hint="check the path in `url`", transient=False)
    found = explain(error, options.url)
    return PublishError(found.words, hint=found.hint, transient=found.transient, away=found.away and found.transient)


def _table() -> Any:
    """The record of what arrived; in the target's own database, so that it commits with the rows or not at all."""
    import sqlalchemy as sa

    return sa.Table(
        "_orchestrator_published",
        sa.MetaData(),
        sa.Column("dataset", sa.String(64), primary_key=True),
        sa.Column("sink_table", sa.String(200), primary_key=True),
        sa.Column("version", sa.String(64), primary_key=True),
        sa.Column("published_at", sa.String(40), nullable=False),
        sa.Column("row_count", sa.BigInteger, nullable=False),
    )


def _recorded(connection: "Connection", request: PublishRequest, options: _Options) -> int | None:
    """How many rows this version brought when it arrived; None: it did not."""
    import sqlalchemy as sa

    table = _table()
    table.create(connection, checkfirst=True)
    return connection.scalar(
        sa.select(table.c.row_count).where(
            table.c.dataset == request.dataset,
            table.c.sink_table == options.table,
            table.c.version == request.version,
        )
    )


def _record(connection: "Connection", request: PublishRequest, options: _Options, rows: int) -> None:
    """Another process that brings the same version at the same time runs into the primary key, and rolls back."""
    connection.execute(
        _table()
        .insert()
        .values(
            dataset=request.dataset,
            sink_table=options.table,
            version=request.version,
            published_at=request.now.isoformat(),
            row_count=rows,
        )
    )
