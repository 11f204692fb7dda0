"""Move a state directory's database into a PostgreSQL, whole or not at all; or bring its schema up to date."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from integrated_system import IntegratedSystem
from operations.actor import Actor, UsageError, operation
from operations.housekeeping import Busy, turn
from operations.kept import MIGRATIONS, kept
from utils.database import StateError
from utils.events import NewEvent
from utils.events.rows import HEAD
from utils.shared_tables import copy_shared
from utils.state import State
from utils.table_copy import Copied, copy_tables, figures

__all__ = ["Migrated", "migrate"]


@dataclass(frozen=True, slots=True)
class Migrated:
    """Where the database is now, its schema version, the log's head when it was moved, and the tables that were."""

    database: str
    schema: int
    head: str
    tables: Copied

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)

    def to_json(self) -> dict[str, Any]:
        tables = [asdict(table) for table in self.tables]
        return {"database": self.database, "schema": self.schema, "head": self.head, "tables": tables}


@operation("admin")
def migrate(system: IntegratedSystem, actor: Actor, *, to: str = "") -> Migrated:
    """Bring the schema and the views up to date (that is done by opening them); with `to`, move all to that PostgreSQL.

    The SQLite file stays as it is. Nobody writes meanwhile; who tries waits.

    Raises:
        UsageError: the database is in PostgreSQL already, or `to` is no address of one.
        Busy: a process works with this state.
        StateError: the log is not whole, the PostgreSQL cannot be used or holds a log, or a table came out different.
    """
    if not to:
        system.events.append([])  # views that missed something replay it
        return Migrated(system.database.name, len(MIGRATIONS), _told(system.events.head()), ())
    if system.settings.database.url:
        raise UsageError(
            "migrate: the configuration's database is in PostgreSQL already",
            hint="take database.url out of the configuration, migrate, then put it in",
        )
    if not to.startswith(("postgresql://", "postgresql+psycopg://")):
        raise UsageError("migrate: --to is no address of a PostgreSQL", hint="postgresql://user@host:5432/database")
    with turn(system):
        _nobody_works(system)
        verified = system.events.verify()
        if verified.fault is not None:
            raise StateError(f"the log is not whole: {verified.fault}", hint="see `events verify`; restore a backup")
        own = kept(system.settings, system.state_dir, system.loaded.known)
        with State(lambda: replace(own, database_url=to), system.clock) as target:
            return _move(system, actor, target)


def _move(system: IntegratedSystem, actor: Actor, target: State) -> Migrated:
    with system.database.transaction() as source, target.database.transaction() as there:
        if there.execute(HEAD).fetchall():
            raise StateError(
                f"{target.database.name}: holds a log already",
                hint="name a database, or a schema (`?options=-csearch_path%3Dname`), that is empty",
            )
        seq, head = source.execute(HEAD).fetchone() or (0, "")
        moved = copy_tables(source, there, like=source)
        for before, after in zip(moved, figures(there, like=source), strict=True):
            if before != after:
                raise StateError(
                    f"{target.database.name}: table {before.name} came out different: {before.rows} rows, then"
                    f" {after.rows}; nothing was moved",
                    hint="report it",
                )
        with system.shared.read() as ours, target.shared.transaction() as theirs:
            copy_shared(ours, theirs)
        _ = target.secret  # that of this directory, if it has one: what it names in a Redis is found again
    done = Migrated(target.database.name, len(MIGRATIONS), f"{seq}:{head}", moved)
    verified = target.events.verify(done.head if seq else None)
    if verified.fault is not None:
        raise StateError(f"{done.database}: the log is not whole: {verified.fault}", hint="do not use it; report it")
    data = {"actor": actor.name, "to": done.database, "head": done.head, "rows": done.rows}
    target.events.append([NewEvent("state.migrated", "state", data, source="operations")])
    return done


def _nobody_works(system: IntegratedSystem) -> None:
    """Whoever works holds a lease; our own is that of the maintenance."""
    system.leases.free_dead()
    if held := [name for name in system.leases.held() if name != "maintenance"]:
        names = ", ".join(held[:5])
        raise Busy(f"a process works with this state ({names})", hint="stop it (`serve`, runs), then migrate")


def _told(head: tuple[int, str]) -> str:
    return f"{head[0]}:{head[1]}"
