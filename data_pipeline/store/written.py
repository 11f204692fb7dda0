"""What was written of one batch."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from utils.storage import Stored

if TYPE_CHECKING:
    from utils.arrow import pa

__all__ = ["Written"]


@dataclass(frozen=True, slots=True)
class Written:
    """A batch's rows in storage, good and bad ones.

    Attributes:
        good: What the version's path names: its good rows, or the list of the table's files.
        rows: Good rows of the batch.
        table: The rows, if they are worth caching.
        bad: Its quarantined rows, if any.
        batch: Where the batch's own rows lie, if the version is a table.
        table_rows: Rows of the table with the batch in it; None: the version is the batch.
        size: Bytes of the version, all its files.
        added: Where the rows lie that the batch added to the table; "": it added none; None: all of the batch.
        notes: What a reader of the table should know.
        piece_rows: Good rows of each piece in the batch, in their order, if the table is in pieces.
    """

    good: Stored
    rows: int
    table: "pa.Table | None" = None
    bad: Stored | None = None
    quarantined: int = 0
    batch: str | None = None
    table_rows: int | None = None
    size: int = 0
    added: str | None = None
    notes: tuple[str, ...] = ()
    piece_rows: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Where the rows of the version are, and how many: a part of its event."""
        found = {"rows": self.rows, "size": self.size, "path": self.good.path, "sha256": self.good.sha256}
        if self.table_rows is not None:
            found |= {"table_rows": self.table_rows, "batch": self.batch}
            if self.added is not None:
                found["added"] = self.added
        if self.piece_rows:
            found["piece_rows"] = list(self.piece_rows)
        return found
