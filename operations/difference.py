"""What differs between two versions of a dataset: columns, rows, figures of columns, and the same in words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from data_pipeline.errors import PipelineError
from data_pipeline.store.views import Version
from data_pipeline.validate.report import Report
from integrated_system import IntegratedSystem
from operations.changes import Change, between
from operations.words import count_of, listed

if TYPE_CHECKING:
    import numpy as np

    from data_pipeline.store.comparing import Compared, Rows
    from utils.arrow import pa

__all__ = ["MOST_ROWS", "Difference", "difference"]

MOST_ROWS = 2_000_000
"""Rows that are compared one by one, of both versions together: some seconds, and 50 MB."""

SHOWN = 20
"""Rows of each kind that are told with their values."""

FIGURE_MOVED = 0.01
"""A figure of a column that moved by less than this share is no news."""


@dataclass(frozen=True, slots=True)
class RowDifference:
    """The rows that differ.

    Attributes:
        key: The columns by which rows were matched; (): whole rows.
        added, removed, changed, same: How many; None: they were not compared, and `note` says why.
        samples: Some of them with their values as text; a changed one has its key and, by column, both values.
        note: What to know about it.
    """

    key: tuple[str, ...]
    added: int | None
    removed: int | None
    changed: int | None
    same: int | None
    samples: dict[str, list[dict[str, Any]]]
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__} | {"key": list(self.key)}


@dataclass(frozen=True, slots=True)
class Difference:
    """All of it. `before` and `after`: the versions, with state, time, rows and score.

    Attributes:
        changes: In words.
        columns: Those that are new, gone, or of another type: name, type before (None: new) and after (None: gone).
        figures: What was measured of columns and moved: column, figure, before, after.
    """

    dataset: str
    before: dict[str, Any]
    after: dict[str, Any]
    changes: tuple[Change, ...]
    columns: tuple[dict[str, Any], ...]
    figures: tuple[dict[str, Any], ...]
    rows: RowDifference

    def to_json(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset,
            "before": self.before,
            "after": self.after,
            "changes": [change.to_json() for change in self.changes],
            "columns": list(self.columns),
            "figures": list(self.figures),
            "rows": self.rows.to_json(),
        }


def difference(system: IntegratedSystem, name: str, before: str | None = None, after: str | None = None) -> Difference:
    """Compare two versions; both are read once, and the rows that are told with their values a second time.

    Args:
        after: Default: the batch that waits for a decision, else what readers see.
        before: Default: what readers see, or of that the version accepted before it.

    Raises:
        ConfigError: no such dataset.
        PipelineError: there is no such version, or nothing to compare with.
        StoreError: one of them is damaged or gone.
    """
    dataset = system.settings.dataset(name)
    old, new = _chosen(system, name, before, after)
    schemas = []
    for version in (old, new):
        system.results.check(version)
        schemas.append(system.results.schema(version.path))
    changed = tuple(_columns(*schemas))
    return Difference(
        name,
        _told(old),
        _told(new),
        tuple(between(old, new)),
        changed,
        tuple(_figures(old, new)),
        _rows(system, old, new, *schemas, key=dataset.key),
    )


def _chosen(system: IntegratedSystem, name: str, before: str | None, after: str | None) -> tuple[Version, Version]:
    known = {one.version: one for one in system.views.versions(name)}

    def named(version: str) -> Version:
        if version not in known:
            raise PipelineError(f"{name}: there is no version {version}", hint=f"see `versions {name}`", missing=True)
        return known[version]

    standing = system.views.current_of(name)
    current = None if standing is None or standing.version is None else known.get(standing.version)
    held = known.get(system.views.decisions.held(name).get(name, ""))
    new = named(after) if after else held or current
    if new is None:
        raise PipelineError(f"{name}: nothing was delivered yet", hint=f"run it: `run {name}`")
    if before:
        return named(before), new
    if current is not None and current.age < new.age:
        return current, new
    older = [one for one in known.values() if one.is_accepted and one.age < new.age]
    if not older:
        words = f"{name}: there is no version before {new.version} to compare it with"
        raise PipelineError(words, hint=f"see `versions {name}`")
    return max(older, key=lambda one: one.age), new


def _told(version: Version) -> dict[str, Any]:
    return {
        "version": version.version,
        "state": version.state,
        "time": version.time,
        "rows": version.rows,
        "batch_rows": Report.from_json(version.body["report"]).rows,
        "score": (version.body["quality"] or {}).get("score"),
    }


def _columns(old: "pa.Schema", new: "pa.Schema") -> Iterator[dict[str, Any]]:
    for column in dict.fromkeys([*old.names, *new.names]):
        was, now = (str(one.field(column).type) if column in one.names else None for one in (old, new))
        if was != now:
            yield {"column": column, "before": was, "after": now}


def _figures(old: Version, new: Version) -> Iterator[dict[str, Any]]:
    """Of batches that an earlier release measured nothing is known of single columns."""
    was, now = (one.body.get("profile") or {} for one in (old, new))
    for column in now:
        for figure, value in now[column].items():
            first = was.get(column, {}).get(figure)
            if first is None or value is None or first == value or figure == "age_s":  # time alone moves ages
                continue
            if abs(value - first) >= FIGURE_MOVED * max(abs(first), abs(value)):
                yield {"column": column, "figure": figure, "before": first, "after": value}


def _rows(
    system: IntegratedSystem, old: Version, new: Version, was: "pa.Schema", now: "pa.Schema", *, key: Sequence[str]
) -> RowDifference:
    columns = [name for name in now.names if name in was.names and was.field(name).type == now.field(name).type]
    if not columns:
        return RowDifference((), None, None, None, None, {}, "they have no column in common, so rows were not compared")
    if old.rows + new.rows > MOST_ROWS:
        count = count_of(old.rows + new.rows, "row")
        return RowDifference((), None, None, None, None, {}, f"{count} are too many to compare one by one")
    from data_pipeline.store.comparing import compared

    before: Rows = partial(system.results.batches, old.path)
    after: Rows = partial(system.results.batches, new.path)
    found = compared(before, after, columns, key)
    left_out = [name for name in now.names if name in was.names and name not in columns]
    notes = [found.note] if found.note else []
    if left_out:
        notes.append(f"without {listed(left_out)}, whose type is another")
    samples = _samples(found, before, after, columns, was.names, now.names)
    counts = len(found.added), len(found.removed), len(found.changed), found.same
    return RowDifference(found.key, *counts, samples, "; ".join(notes))


def _samples(
    found: "Compared", before: "Rows", after: "Rows", columns: Sequence[str], old: Sequence[str], new: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    from data_pipeline.store.comparing import rows_at

    def some(positions: "np.ndarray[Any, Any]") -> list[int]:
        return [int(at) for at in positions[:SHOWN]]

    # Each side in the order of its own table; a pair is put together by where its rows lie.
    pairs = found.changed[:SHOWN]
    was = dict(zip(sorted(some(pairs[:, 0])), rows_at(before, columns, some(pairs[:, 0])), strict=True))
    now = dict(zip(sorted(some(pairs[:, 1])), rows_at(after, columns, some(pairs[:, 1])), strict=True))
    return {
        "added": [_texts(row) for row in rows_at(after, new, some(found.added))],
        "removed": [_texts(row) for row in rows_at(before, old, some(found.removed))],
        "changed": [_pair(was[int(first)], now[int(second)], found.key) for first, second in pairs],
    }


def _pair(was: dict[str, Any], now: dict[str, Any], key: Sequence[str]) -> dict[str, Any]:
    old, new = _texts(was), _texts(now)
    values = {name: {"before": old[name], "after": new[name]} for name in new if old[name] != new[name]}
    return {"key": {name: new[name] for name in key}, "values": values}


def _texts(row: dict[str, Any]) -> dict[str, str | None]:
    from operations.sampled import text_of

    return {name: text_of(value) for name, value in row.items()}
