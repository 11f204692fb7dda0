"""What a rule may know beside the rows of the batch: other datasets, the version before, days off."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from utils.arrow import pa

__all__ = ["NOTHING_AROUND", "Surroundings"]


class Surroundings(Protocol):
    """Of one batch. Everything is about accepted versions: what is held is nobody's reference."""

    def values_of(self, dataset: str, column: str) -> "pa.Array":
        """The different values of a column of another dataset's table, without null.

        Raises:
            CannotJudge: there is no such dataset or column, or nothing was delivered of it yet.
        """
        ...

    def before(self, columns: Sequence[str]) -> "Iterator[pa.RecordBatch] | None":
        """These columns of the version that readers see now; None: there is none, or it lacks one of them."""
        ...

    def unchanged_since(self) -> datetime | None:
        """Since when the dataset's content is the very content of this batch; None: it is news."""
        ...

    def elapsed(self, since: datetime, within: float, calendar: str) -> float:
        """Seconds that may go by since a moment until `within` seconds of them, those of days off left out, have.

        Raises:
            CannotJudge: there is no such calendar, or its holidays cannot be read.
        """
        ...


class _Nothing:
    """A batch by itself: a file that is looked at, a test."""

    def values_of(self, dataset: str, column: str) -> "pa.Array":
        from data_pipeline.validate.kernels.columns import CannotJudge

        raise CannotJudge(f"there is no dataset `{dataset}` to look `{column}` up in")

    def before(self, columns: Sequence[str]) -> "Iterator[pa.RecordBatch] | None":
        return None

    def unchanged_since(self) -> datetime | None:
        return None

    def elapsed(self, since: datetime, within: float, calendar: str) -> float:
        from data_pipeline.validate.kernels.columns import CannotJudge

        raise CannotJudge(f"there is no calendar `{calendar}`")


NOTHING_AROUND: Surroundings = _Nothing()
