"""Several pieces of a table as one batch, and which of its rows belong to which piece."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from data_pipeline.batch import Batch

if TYPE_CHECKING:
    from data_pipeline.validate.engine import Validation
    from utils.arrow import pa

__all__ = ["good_rows", "together"]


def together(batches: Sequence[tuple[str, Batch]]) -> tuple[Batch, tuple[tuple[str, int], ...]]:
    """The rows of several pieces as one batch, and how many each of them has."""
    pieces = tuple((key, batch.rows) for key, batch in batches)
    if len(batches) == 1:
        batch = batches[0][1]
        return batch.with_provenance(replace(batch.provenance, pieces=pieces)), pieces
    parts = [batch for _, batch in batches]
    schema = _common(parts)
    provenances = [batch.provenance for batch in parts]
    digest = hashlib.sha256("".join(found.content_sha256 for found in provenances).encode())
    moments = [found.data_time for found in provenances if found.data_time is not None]
    all_known = all(found.origins for found in provenances)
    provenance = replace(
        provenances[-1],
        content_sha256=digest.hexdigest(),
        data_time=max(moments, default=None),
        attempts=max(found.attempts for found in provenances),
        latency_s=sum(found.latency_s for found in provenances),
        size=sum(found.size for found in provenances),
        partial=any(found.partial for found in provenances),
        validators=(),
        notes=tuple(dict.fromkeys(note for found in provenances for note in found.notes)),
        files=tuple(file for found in provenances for file in found.files),
        origins=tuple(origin for found in provenances for origin in found.origins) if all_known else (),
        pieces=pieces,
    )

    def rows() -> "Iterator[pa.RecordBatch]":
        from data_pipeline.store.widening import fitted

        for part in parts:
            for batch in part.batches():
                yield fitted(batch, schema)

    whole = Batch(
        schema,
        rows,
        rows=sum(part.rows for part in parts),
        nbytes=sum(part.nbytes for part in parts),
        provenance=provenance,
        memory_limit=parts[0].memory_limit,
    )
    return whole, pieces


def good_rows(pieces: tuple[tuple[str, int], ...], validation: "Validation") -> tuple[tuple[str, int], ...]:
    """How many rows of each piece are good. A record batch belongs to one piece."""
    marks = iter(validation.marks)
    found = []
    for key, rows in pieces:
        good, left = 0, rows
        while left > 0:
            mark = next(marks)
            left -= mark.rows
            good += mark.rows - (mark.bad.true_count if mark.bad is not None else 0)
        found.append((key, good))
    return tuple(found)


def _common(parts: Sequence[Batch]) -> "pa.Schema":
    """One schema for all; text where a value would not fit into the wider type."""
    from data_pipeline.store.widening import as_type, unified
    from utils.arrow import pa

    schema = parts[0].schema.remove_metadata()
    for part in parts[1:]:
        schema = unified(schema, part.schema)
    for at, field in enumerate(schema):
        for part in parts:
            if field.name in part.schema.names and part.schema.field(field.name).type != field.type:
                try:
                    for batch in part.batches():
                        as_type(batch.column(field.name), field.type)
                except pa.ArrowInvalid:
                    schema = schema.set(at, pa.field(field.name, pa.string()))
                    break
    return schema
