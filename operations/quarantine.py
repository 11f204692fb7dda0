"""Rows that broke a rule: listed, shown, or given up. Never dropped unasked; putting them back: `replay.py`."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from data_pipeline.errors import PipelineError
from data_pipeline.store.quarantine_views import Quarantined, refuse_if_moved
from data_pipeline.store.views import Version
from integrated_system import IntegratedSystem
from operations.actor import Actor, operation
from utils.database import Connection
from utils.events import NewEvent, uuid7

if TYPE_CHECKING:
    from data_pipeline.store.quarantine_files import QuarantineFiles
    from utils.arrow import pa

__all__ = ["Dropped", "Rows", "drop", "files_of", "listed", "nothing", "put_back", "rows"]


@dataclass(frozen=True, slots=True)
class Rows:
    """Quarantined rows of one run, as people see them: all of them, or a sample.

    Attributes:
        batches: Opens them, part by part, so that their number does not matter.
        count: How many they are; `of`: how many there are.
    """

    run_id: str
    schema: "pa.Schema"
    batches: "Callable[[], Iterator[pa.RecordBatch]]"
    count: int
    of: int

    @property
    def table(self) -> "pa.Table":
        """All in memory."""
        from utils.arrow import pa

        return pa.Table.from_batches(self.batches(), schema=self.schema)


@dataclass(frozen=True, slots=True)
class Dropped:
    """How many rows of which run were given up, and how many still wait."""

    dataset: str
    runs: tuple[tuple[str, int, int], ...]

    @property
    def rows(self) -> int:
        return sum(count for _, count, _ in self.runs)

    def to_json(self) -> dict[str, Any]:
        runs = [{"run_id": run, "dropped": count, "left": left} for run, count, left in self.runs]
        return {"dataset": self.dataset, "dropped": self.rows, "runs": runs}


def listed(system: IntegratedSystem, dataset: str | None = None) -> list[Quarantined]:
    """What was set aside, newest first: what waits, what was replayed, what was dropped.

    Raises:
        ConfigError: no such dataset.
    """
    if dataset is not None:
        system.settings.dataset(dataset)
    return system.views.quarantined(dataset)


def rows(
    system: IntegratedSystem,
    dataset: str,
    run_id: str | None = None,
    *,
    limit: int | None = None,
    after: int | None = None,
) -> Rows:
    """The quarantined rows of a dataset's run (default: the newest that has any), with `_rules`, `_batch` and `_row`.

    Args:
        limit: At most so many: those whose numbers have the smallest hashes, never the first ones.
        after: So many rows are passed over, in the order of the batch; then `limit` is the next page, and no sample.

    Raises:
        ConfigError: no such dataset.
        PipelineError: nothing of it is in quarantine.
        StoreError: the file is gone or damaged.
    """
    from data_pipeline.validate.samples import chosen

    system.settings.dataset(dataset)
    entry, files = _waiting(system, dataset, run_id)[-1], files_of(system)
    numbers = files.numbers(entry)
    if after is None:
        some = chosen(numbers, limit) if limit is not None and limit < len(numbers) else None
    else:
        in_order = sorted(numbers.tolist())
        some = tuple(in_order[after:] if limit is None else in_order[after : after + limit])
    count = len(numbers) if some is None else len(some)
    return Rows(entry.run_id, files.schema(entry), lambda: files.shown(entry, some), count, len(numbers))


@operation("operator")
def drop(
    system: IntegratedSystem,
    actor: Actor,
    dataset: str,
    run_id: str | None = None,
    *,
    rules: Sequence[str] = (),
    reason: str = "",
) -> Dropped:
    """Give up quarantined rows for good.

    Args:
        run_id: Of this run only; default: of all.
        rules: Only rows that broke one of these rules, by their ids.

    Raises:
        ConfigError: no such dataset.
        PipelineError: nothing of it is in quarantine, or no row broke such a rule.
        StateError: the rows were replayed or dropped by somebody else meanwhile.
    """
    from data_pipeline.store.quarantine_files import counted
    from data_pipeline.validate.quarantine import RULES

    system.settings.dataset(dataset)
    waiting = _waiting(system, dataset, run_id)
    known = {rule for entry in waiting for rule in entry.reasons}
    if unknown := [rule for rule in rules if rule not in known]:
        hint = f"the rows that wait broke {', '.join(sorted(known))}"
        raise PipelineError(f"{dataset}: no quarantined row broke {', '.join(unknown)}", hint=hint)
    files, done = files_of(system), []
    for entry in waiting:
        if rules:
            aside = files.read(entry)
            broke = [bool({*rules} & {*mine}) for mine in aside.rows.column(RULES).to_pylist()]
            gone = [int(number) for number, hit in zip(aside.numbers, broke, strict=True) if hit]
            if not gone:
                continue
            left = aside.without(dropped=gone)
            path, reasons = files.write(entry, left, uuid7(system.clock.time())), counted(left.rows)
            count, stay = len(gone), left.rows.num_rows
        else:
            path, reasons, count, stay = entry.path, {}, entry.rows, 0  # also of a file that is gone or damaged
        data = {"run_id": entry.run_id, "actor": actor.name, "reason": reason, "rules": list(rules), "dropped": count}
        data |= {"left": stay, "path": path, "reasons": reasons}
        event = NewEvent("quarantine.dropped", dataset, data, source="operations")
        system.events.append([event], guard=_as_read(entry))
        files.forget(entry.path, path, left=stay)
        done.append((entry.run_id, count, stay))
    return Dropped(dataset, tuple(done))


def put_back(system: IntegratedSystem, dataset: str, withdrawn: Sequence[Version]) -> list[dict[str, Any]]:
    """Write the rows that versions were made of by replays to where they wait again; what a rollback's event says."""
    from data_pipeline.store.quarantine_files import counted

    kept: dict[str, dict[str, None]] = {}
    for version in withdrawn:
        if told := version.body.get("replayed"):
            kept.setdefault(told["run_id"], {})[told["kept"]] = None
    files, found = files_of(system), []
    for run_id, paths in kept.items():
        if (entry := system.views.quarantines.one(dataset, run_id)) is not None:
            path, aside, back = files.put_back(entry, list(paths), uuid7(system.clock.time()))
            left = {"path": path, "left": aside.rows.num_rows, "back": back, "reasons": counted(aside.rows)}
            found.append({"run_id": run_id, **left})
    return found


def _as_read(entry: Quarantined) -> Callable[[Connection], None]:
    def check(connection: Connection) -> None:
        refuse_if_moved(connection, entry)

    return check


def _waiting(system: IntegratedSystem, dataset: str, run_id: str | None) -> list[Quarantined]:
    """What has rows left, oldest first."""
    found = [entry for entry in system.views.quarantined(dataset) if entry.waits and run_id in {None, entry.run_id}]
    if not found:
        raise nothing(dataset, run_id)
    return sorted(found, key=lambda entry: entry.run_id)


def nothing(dataset: str, run_id: str | None) -> PipelineError:
    """The error of who asks for rows that are not there."""
    of_run = f" of the run {run_id}" if run_id else ""
    return PipelineError(f"{dataset}: nothing{of_run} is in quarantine", hint="see `quarantine list`")


def files_of(system: IntegratedSystem) -> "QuarantineFiles":
    """Where quarantined rows lie."""
    from data_pipeline.store.quarantine_files import QuarantineFiles

    return QuarantineFiles(system.storage, memory_limit=system.settings.app.memory_limit)
