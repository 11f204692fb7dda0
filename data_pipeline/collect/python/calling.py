"""Run a user's function that makes rows: what it raises becomes an error of the line, told with its place."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from data_pipeline.errors import PipelineError
from data_pipeline.user_function import Mismatch
from utils.resilience.cancellation import Cancelled

if TYPE_CHECKING:
    from utils.arrow import pa

__all__ = ["UserRows"]


@dataclass(frozen=True, slots=True)
class UserRows:
    """The rows of one function.

    Attributes:
        function: `module:name`.
        failed: Makes an error of the line of what the user's code raised.
        refused: Makes one of what it gave, or does not take.
    """

    function: str
    failed: Callable[[BaseException], PipelineError]
    refused: Callable[[str], PipelineError]

    def of(self, start: Callable[[], Any], between: Callable[[], None]) -> "Iterator[pa.RecordBatch]":
        """What `start`, which calls the function, returns or yields: dicts, frames, tables; in order.

        Args:
            between: Called between items, for a deadline to be seen.

        Raises:
            PipelineError: it failed, or what came is not rows.
        """
        from data_pipeline.collect.python.columns import TooManyColumns
        from data_pipeline.collect.python.rows import NotRows, batches_of, items_of

        stream: Any = None
        try:
            result = self._theirs(start)
            stream = iter(self._theirs(lambda: items_of(result)))
            yield from batches_of(self._items(stream), between)
        except (NotRows, TooManyColumns, Mismatch) as error:
            raise self.refused(f"{self.function}: {error}") from error
        finally:
            if hasattr(stream, "close"):
                self._theirs(stream.close)

    def _theirs(self, step: Callable[[], Any]) -> Any:
        """Run a step of the user's code."""
        from data_pipeline.collect.python.rows import NotRows

        try:
            return step()
        except (PipelineError, NotRows, Mismatch, KeyboardInterrupt, Cancelled):
            raise
        except BaseException as error:  # also SystemExit, and what asyncio raises when it is cancelled
            raise self.failed(error) from error

    def _items(self, stream: Iterator[Any]) -> Iterator[Any]:
        """The same as `_theirs` around every step, but ten times quicker."""
        try:
            yield from stream
        except (GeneratorExit, KeyboardInterrupt, Cancelled):
            raise
        except BaseException as error:
            raise error if isinstance(error, PipelineError) else self.failed(error) from error
