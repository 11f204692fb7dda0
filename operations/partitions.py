"""The pieces of a table: which are there, which are missing, failed or held."""

from dataclasses import dataclass, replace
from typing import Any

from data_pipeline.asking import newest_piece
from data_pipeline.backfill_views import Backfills, Piece
from data_pipeline.partitions import fits
from data_pipeline.store.views import Version
from integrated_system import IntegratedSystem
from operations.backfill_plan import expected, in_pieces

__all__ = ["STATES", "Partitions", "partitions"]

STATES = ("collected", "held", "failed", "missing")


@dataclass(frozen=True, slots=True)
class Partitions:
    """The pieces of a dataset's table in their order: those that it should have, and any other that was ever tried.

    Attributes:
        counts: How many of each state, whichever are listed.
        pieces: Those that were asked for.
        newest: Up to where ordinary runs take the table for whole; they go on from there.
    """

    dataset: str
    newest: str | None
    counts: dict[str, int]
    pieces: tuple[Piece, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset,
            "newest": self.newest,
            "counts": self.counts,
            "partitions": [_told(piece) for piece in self.pieces],
        }


def partitions(system: IntegratedSystem, name: str, states: tuple[str, ...] = ()) -> Partitions:
    """How the pieces of a table stand. `states`: only these; (): all.

    Raises:
        ConfigError: no such dataset.
        UsageError: it is no table in pieces.
    """
    dataset = system.settings.dataset(name)
    in_pieces(dataset)
    known = Backfills(system.database).pieces(name)
    version = system.results.newest(system.views.current_of(name))
    rows = _rows(system, version)
    keys = [piece.key for piece in expected(system, dataset, list(known))]
    # What the table was in pieces of before it began anew is past; so long as it has their rows it is not.
    by = "" if dataset.partition is None or isinstance(dataset.partition.by, tuple) else dataset.partition.by
    listed = [*keys, *sorted(key for key in known.keys() - set(keys) if key in rows or (by and fits(key, by)))]
    if dataset.partition is not None and not isinstance(dataset.partition.by, tuple):
        listed.sort()
    pieces = [_with_rows(known[key], rows) if key in known else _missing(key) for key in listed]
    counts = {state: sum(piece.state == state for piece in pieces) for state in STATES}
    shown = tuple(piece for piece in pieces if not states or piece.state in states)
    return Partitions(name, newest_piece(dataset, version), counts, shown)


def _rows(system: IntegratedSystem, version: Version | None) -> dict[str, int]:
    """Rows of each piece as the table has them now: a replay from quarantine may have added some."""
    if version is None:
        return {}
    found: dict[str, int] = {}
    for part in system.results.manifest(version).parts:
        if part.partition is not None:
            found[part.partition] = found.get(part.partition, 0) + part.rows
    return found


def _with_rows(piece: Piece, rows: dict[str, int]) -> Piece:
    if piece.state == "held" or piece.key not in rows:
        return piece
    return replace(piece, rows=rows[piece.key])


def _missing(key: str) -> Piece:
    return Piece(key, "missing", None, stands=False, run_id=None, backfill=None, time="", rows=None)


def _told(piece: Piece) -> dict[str, Any]:
    found = {name: getattr(piece, name) for name in Piece.__slots__ if name != "key"}
    return {"partition": piece.key, **found, "time": piece.time or None}
