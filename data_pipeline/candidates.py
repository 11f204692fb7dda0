"""A candidate that somebody accepts becomes a version, or a part of the table, as it would have done in its own run."""

import shutil
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from config.datasets import DatasetSettings
from data_pipeline.asking import keeps_a_table, newest_piece, stood
from data_pipeline.entering import Entering, change_of
from data_pipeline.errors import BatchNotDelivered, PipelineError, StoreError
from data_pipeline.incremental import Cursor, moved, reached
from data_pipeline.store.parts import SMALL, Parts
from data_pipeline.store.results import Results
from data_pipeline.store.views import Version
from data_pipeline.store.written import Written
from utils.storage import Storage, StorageError, Stored

if TYPE_CHECKING:
    from utils.arrow import pa

__all__ = ["Candidates", "entering_of"]


class Candidates:
    """Writes versions of batches that were collected earlier. Thread-safe."""

    def __init__(self, storage: Storage, results: Results) -> None:
        self._storage = storage
        self._results = results

    def enter(
        self,
        dataset: DatasetSettings,
        candidate: Version,
        base: Version | None,
        *,
        bad: str | None,
        late: bool,
    ) -> dict[str, Any]:
        """Write the version that a candidate becomes; gives what its event says of it.

        Args:
            base: What readers see now.
            bad: Where its quarantined rows are; None: it has none, or they are gone.
            late: Newer batches were accepted since. Their rows stay where they are newer, and nothing is deleted.

        Raises:
            PipelineError: the rows cannot become part of the table as it is kept now.
            StoreError: the disk is full or cannot be written, or the table is damaged.
        """
        mine = entering_of(dataset, candidate)
        if mine is not None and late:
            mine = replace(mine, complete=False, anew=False, full=False, replay=True)
        body = {name: value for name, value in candidate.body.items() if name not in _MADE_ANEW}
        try:
            if mine is None:
                written = self._alone(candidate)
            else:
                if base is not None and not mine.anew:
                    self._results.check(base)
                written = self._entered(dataset, candidate, base, mine, bad)
        except StorageError as error:
            raise StoreError(f"{dataset.name}: {error}", hint=error.hint) from error
        standing = self._standing(dataset, candidate, base, mine or Entering(complete=True))
        return {**body, **written.to_json(), **standing, "notes": [*body["notes"], *written.notes]}

    def _alone(self, candidate: Version) -> Written:
        stored = self._copied(candidate, f"datasets/{candidate.dataset}/{candidate.version}.parquet")
        return Written(stored, candidate.rows, size=stored.size)

    def _entered(
        self, dataset: DatasetSettings, candidate: Version, base: Version | None, mine: Entering, bad: str | None
    ) -> Written:
        columns = self._results.schema(candidate.path)
        reach = None if dataset.incremental is None else stood(dataset.incremental, base)[1]
        quarantined = candidate.body["report"]["quarantined"]
        change, notes = change_of(
            mine, dataset, columns, reach=reach, bad=(lambda: self._rows(bad)) if quarantined else None
        )
        stored = self._copied(candidate, f"tables/{candidate.dataset}/{candidate.version}.parquet")
        written = Written(stored, candidate.rows, size=stored.size)
        parts = Parts(self._storage, candidate.dataset, candidate.version)
        nbytes = self._results.nbytes(candidate.path)
        done = self._results.advance(written, columns, nbytes, change, base, parts)
        return replace(done, notes=(*notes, *done.notes))

    def _rows(self, path: str | None) -> "Iterable[pa.RecordBatch] | None":
        return None if path is None or not self._storage.exists(path) else self._results.batches(path)

    def _copied(self, candidate: Version, path: str) -> Stored:
        """The file under the name of an accepted one; the candidate's own stays until the log says so, too."""
        if candidate.size <= SMALL:
            return self._storage.put_bytes(path, self._storage.read_bytes(candidate.path), later=True)
        with self._storage.open(candidate.path) as source, self._storage.writer(path) as target:
            shutil.copyfileobj(source, target, 2**20)
        if target.stored is None:
            raise StoreError(f"{path} was not finished")  # the writer's block ended, so it was
        return target.stored

    def _standing(
        self, dataset: DatasetSettings, candidate: Version, base: Version | None, mine: Entering
    ) -> dict[str, Any]:
        """Where the next collection begins; what held the candidate may have kept the cursor from moving."""
        found: dict[str, Any] = {}
        if dataset.partition is not None:
            pieces = (newest_piece(dataset, base), candidate.body.get("partition"))
            found["partition"] = max((key for key in pieces if key is not None), default=None)
        if dataset.incremental is not None:
            cursor, reach = self._cursors(dataset, candidate, base, mine)
            found["cursor"] = cursor and cursor.to_json()
            found["reach"] = reach and reach.to_json()
        return {name: value for name, value in found.items() if value is not None}

    def _cursors(
        self, dataset: DatasetSettings, candidate: Version, base: Version | None, mine: Entering
    ) -> tuple[Cursor | None, Cursor | None]:
        assert dataset.incremental is not None
        settings = dataset.incremental.model_copy(update={"nulls": "keep"})  # they were looked at
        stored, known = stood(settings, base)
        partial = bool(candidate.body.get("partial"))
        before = None if mine.full and not partial else stored
        schema = self._results.schema(candidate.path)
        cursor, objection = moved(before, settings, self._results.batches(candidate.path), schema)
        if objection is not None:
            # Another kind of values than until now: the cursor begins with them.
            cursor, objection = moved(None, settings, self._results.batches(candidate.path), schema)
        if objection is not None:
            raise BatchNotDelivered(f"{dataset.name}: {objection.reason}", hint="look at `incremental.cursor`")
        return reached(cursor, None if mine.anew else known, stored, partial=partial)


_MADE_ANEW = frozenset({"entering", "cursor", "reach", "partition"})
"""What the event of a candidate says that is found out anew when it is accepted."""


def entering_of(dataset: DatasetSettings, candidate: Version) -> Entering | None:
    """How a candidate enters the table of its dataset; None: it takes the place of the version before.

    Raises:
        PipelineError: the table is kept in another way than when the batch came.
    """
    if not keeps_a_table(dataset):
        return None
    told = candidate.body.get("entering")
    if told is not None:
        mine = Entering.from_json(told)
        if (mine.pieces is None) == (dataset.partition is None):
            return mine
    elif dataset.partition is None:
        # Held by an earlier release, or before the dataset kept a table: nobody knows whether it is all there is.
        return Entering()
    elif len(pieces := candidate.body.get("pieces", ())) == 1:
        return Entering(pieces=((pieces[0], candidate.rows),))
    raise PipelineError(
        f"{dataset.name}: version {candidate.version} does not say which rows belong to which piece of the table",
        hint=f"collect it again: `run {dataset.name}`",
    )
