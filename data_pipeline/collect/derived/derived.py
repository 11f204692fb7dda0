"""Make a dataset of others: a function of the user's own is given their tables and gives rows."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from data_pipeline.collect.collector import CollectRequest, InputTable
from data_pipeline.dataset import Collected, MadeFrom, Provenance
from data_pipeline.errors import MemoryLimitExceeded, PipelineError, TransformFailed
from data_pipeline.user_function import check_function, code_of, find, told_of

if TYPE_CHECKING:
    from data_pipeline.collect.derived.arguments import Arguments, Form
    from data_pipeline.row_spool import RowSpool

__all__ = ["PROVIDER", "DerivedCollector", "Options"]

PROVIDER = "derived"
"""What stands for a provider: nobody is asked, so it has no breaker, no limits, and nothing is tried twice."""

MEMORY = 16 * 2**20
"""Bytes of rows that are held; more wait in a file."""


class Options(BaseModel):
    """`transform: module:function` with `depends_on`.

    Attributes:
        function: From the folders of `code`. It must exist when the configuration is read; it is imported when it is
            called.
        inputs: The datasets whose tables it is given.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["derived"] = "derived"
    function: str = Field(min_length=1)
    inputs: tuple[str, ...] = ()

    @classmethod
    def of(cls, function: str) -> "Options":
        """Those of a function.

        Raises:
            Fault: there is no such function.
        """
        return cls(function=check_function(function))


class DerivedCollector:
    """Calls the function with the delivered tables of its inputs; what it returns or yields are the rows, in order.

    Rows that came before a failure are no result: it fails as a whole. A thread cannot be interrupted: the deadline is
    looked at between items, so a function that returns all at once may overrun it.
    """

    Options: ClassVar[type] = Options

    def provider_of(self, options: Any, dataset: str) -> str:
        return PROVIDER

    def collect(self, request: CollectRequest) -> Collected:
        """See `Collector.collect`.

        Raises:
            TransformFailed: the function failed, or what it gave is not rows.
            MemoryLimitExceeded: its inputs are larger than `app.memory_limit`.
        """
        from data_pipeline.row_spool import RowSpool

        options: Options = request.options
        started = request.clock.monotonic()
        code = code_of(options.function)
        spool = RowSpool(MEMORY, folder=request.folder, hashed=True)
        try:
            tables = [request.table_of(name) for name in options.inputs]
            self._fill(spool, request, tables)
        except BaseException:
            spool.finish()
            spool.drop()
            raise
        provenance = Provenance(
            provider=request.provider,
            collected_at=request.clock.now(),
            content_sha256=spool.sha256,
            data_time=min((table.as_of for table in tables), default=None),
            attempts=0,
            latency_s=max(0.0, request.clock.monotonic() - started),
            size=spool.nbytes,
            source=options.function,
            made_from=MadeFrom(tuple((table.dataset, table.version) for table in tables), code),
        )
        return Collected(provenance, rows=spool.batches, close=spool.drop)

    def close(self) -> None:
        """Nothing is kept open."""

    def _fill(self, spool: "RowSpool", request: CollectRequest, tables: Sequence[InputTable]) -> None:
        from data_pipeline.collect.derived.arguments import arguments
        from data_pipeline.collect.python.calling import UserRows
        from data_pipeline.user_output import to_standard_error
        from utils.resilience.deadline import check

        target: str = request.options.function

        def start() -> Any:
            now = request.now.astimezone(UTC)
            offered = {"now": now, "run_date": now.date(), "partition": request.partition}
            how = arguments(find(target), [table.dataset for table in tables], offered)
            return how.call(_in_form(request, tables, how))

        def failed(error: BaseException) -> PipelineError:
            from utils.logger import get_logger

            with suppress(Exception):  # their own error, whose text fails too
                get_logger("pipeline").error("transform.failed", dataset=request.dataset, function=target, exc=error)
            hint = "mend it there; logs/pipeline.log has the traceback"
            return TransformFailed(f"{request.dataset}: {told_of(target, error)}", hint=hint)

        def refused(words: str) -> PipelineError:
            hint = "it is given the tables of `depends_on`, and returns or yields frames, tables or dicts"
            return TransformFailed(f"{request.dataset}: {words}", hint=hint)

        theirs = UserRows(target, failed, refused)
        with to_standard_error():
            for batch in theirs.of(start, lambda: check(request.provider)):
                spool.append(batch)
        spool.finish()


def _in_form(request: CollectRequest, tables: Sequence[InputTable], how: "Arguments") -> Mapping[str, Any]:
    whole = {table.dataset: table.rows.nbytes for table in tables if how.forms[table.dataset] != "reader"}
    if (size := sum(whole.values())) > request.memory_limit:
        raise MemoryLimitExceeded(
            f"{request.dataset}: its inputs ({', '.join(whole)}) hold {size:,} bytes, more than app.memory_limit"
            f" ({request.memory_limit:,})",
            hint="annotate a parameter with `pyarrow.RecordBatchReader` to read it in parts, or raise app.memory_limit",
        )
    return {table.dataset: _MAKE[how.forms[table.dataset]](table.rows) for table in tables}


def _reader(rows: Any) -> Any:
    from utils.arrow import pa

    return pa.RecordBatchReader.from_batches(rows.schema, rows.batches())


_MAKE: "Mapping[Form, Callable[[Any], Any]]" = {
    "frame": lambda rows: rows.frame,
    "table": lambda rows: rows.table,
    "reader": _reader,
}
