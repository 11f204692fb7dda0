"""What the product shows at a moment: to readers, to operators, in its log, and to whom it tells what is wrong."""

import json
import os
import re
import sqlite3
import threading
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from data_pipeline.errors import PipelineError
from integrated_system import IntegratedSystem
from operations.quarantine import listed, rows
from operations.show import delivered
from operations.status import DatasetStatus, status
from tests.chaos.world.configuration import CHANNEL
from tests.chaos.world.judge import Key, key_of
from tests.chaos.world.provider import Told
from utils.database import StateError

__all__ = ["Notice", "Seen", "SeenTable", "handles", "look"]

OTHERS = re.compile(r"/proc/\d+/stat")
SAID = "SELECT data ->> 'run_id', subject FROM events WHERE type LIKE 'dataset.%'"
MEANT = "SELECT subject, data ->> '$.notice.kind', data ->> '$.notice.to' FROM events WHERE type LIKE 'incident.%'"


class Notice(NamedTuple):
    """A line of the index of alerts."""

    id: str
    kind: str
    incident: str
    title: str


@dataclass(frozen=True, slots=True)
class SeenTable:
    """A dataset.

    Attributes:
        rows: What readers get; None: an error that is told in words, `trouble`.
        version: The name of what readers should get.
        status: As `status` tells it.
        versions: The state of every version by its name.
        quarantined: Rows that wait, by run; None: they cannot be read.
    """

    rows: tuple[Key, ...] | None
    trouble: str
    version: str | None
    status: DatasetStatus
    versions: Mapping[str, str]
    quarantined: Mapping[str, tuple[Key, ...] | None]


@dataclass(frozen=True, slots=True)
class Seen:
    """All of it.

    Attributes:
        at: Seconds since 1970, by the world's clock.
        fault: What is wrong with the chain; None: it is whole, and the head that was seen before is in it.
        gaps: How many positions of the log are empty.
        said: Run and dataset of every dataset run in the log.
        notices: The index of alerts; `told`: what the receiver of the channel got.
        meant: Incident and kind of all that the log says the channel is told.
        waiting: Incidents of which some of it waits, or is dead.
        active: The datasets of each incident that is not over, by its id.
        handles: Open files of this process; `threads`: its threads; `resident`: its memory in bytes.
    """

    at: float
    tables: Mapping[str, SeenTable]
    head: tuple[int, str]
    fault: str | None
    gaps: int
    said: frozenset[tuple[str, str]]
    notices: tuple[Notice, ...]
    told: tuple[Told, ...]
    meant: frozenset[tuple[str, str]]
    waiting: frozenset[str]
    active: Mapping[str, tuple[str, ...]]
    handles: int
    threads: int
    resident: int


def look(system: IntegratedSystem, told: Iterable[Told], before: tuple[int, str]) -> Seen:
    """`before`: the head of the log when it was looked at last."""
    read = {one.name: _read(system, one.name) for one in system.settings.datasets}
    with suppress(StateError):  # on a full disk nobody writes
        system.events.append([])  # what was noted while they were read is in the log by now
    at = system.clock.time()
    stands = status(system)  # after somebody read: a damage that nobody met cannot be told
    outbox = system.alert_outbox
    found = system.events.verify(f"{before[0]}:{before[1]}" if before[0] else None)
    head = system.events.head()
    gaps, said, meant = _logged(system.state_dir / "orchestrator.db")
    return Seen(
        at=at,
        tables={one.dataset: _table(system, one, *read[one.dataset]) for one in stands.datasets},
        head=head,
        fault=found.fault,
        gaps=gaps,
        said=said,
        notices=_notices(system.alerts_dir / "index.jsonl"),
        told=tuple(told),
        meant=meant,
        waiting=frozenset(one.thread for one in (*outbox.undelivered(), *outbox.dead())),
        active={one.id: one.datasets for one in stands.incidents},
        handles=handles(),
        threads=threading.active_count(),
        resident=psutil.Process().memory_info().rss,
    )


def handles() -> int:
    """Open files of this process, but those that look at the other processes of the machine: one each."""
    found = 0
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - strings are wanted
        with suppress(FileNotFoundError):  # the folder itself was open a moment ago
            found += not OTHERS.fullmatch(os.readlink(f"/proc/self/fd/{name}"))  # noqa: PTH115 - likewise
    return found


def _read(system: IntegratedSystem, name: str) -> tuple[tuple[Key, ...] | None, str]:
    """What readers get, or why they get nothing."""
    try:
        return tuple(key_of(row) for row in delivered(system, name).table.to_pylist()), ""
    except PipelineError as error:
        return None, str(error)


def _table(system: IntegratedSystem, stands: DatasetStatus, found: tuple[Key, ...] | None, trouble: str) -> SeenTable:
    name = stands.dataset
    current = system.views.current_of(name)
    return SeenTable(
        found,
        trouble,
        None if current is None else current.version,
        stands,
        {one.version: one.state for one in system.views.versions(name)},
        {one.run_id: _waiting(system, name, one.run_id) for one in listed(system, name) if one.waits},
    )


def _waiting(system: IntegratedSystem, name: str, run_id: str) -> tuple[Key, ...] | None:
    try:
        return tuple(key_of(row) for row in rows(system, name, run_id).table.to_pylist())
    except PipelineError:
        return None


def _logged(database: Path) -> tuple[int, frozenset[tuple[str, str]], frozenset[tuple[str, str]]]:
    """With another program than ours."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        ((first, last, count),) = connection.execute("SELECT min(seq), max(seq), count(*) FROM events").fetchall()
        said = frozenset(connection.execute(SAID).fetchall())
        told = connection.execute(MEANT).fetchall()
    meant = frozenset((incident, kind) for incident, kind, to in told if to and CHANNEL in json.loads(to))
    return (last - first + 1 - count if count else 0), said, meant


def _notices(index: Path) -> tuple[Notice, ...]:
    found = []
    for line in index.read_text().splitlines() if index.exists() else ():
        try:
            one: dict[str, Any] = json.loads(line)
        except json.JSONDecodeError:
            continue  # a full disk cut it off
        found.append(Notice(one["id"], one["kind"], one["incident"] or "", one["title"]))
    return tuple(found)
