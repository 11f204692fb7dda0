"""The floor: the least code that still keeps the promise. Standard library only, but for `rows`; run as a program.

`noop N`: N steps in 8 threads; each is two rows, `started` and `finished`, written by one thread in batches (SQLite,
WAL, synchronous=NORMAL), and is done when its commit is.
`csv FILE`: read a CSV file, check five rules, keep the result in SQLite.
`rows N`: N dicts from a generator into a Parquet file, 50,000 at a time, unchecked.
"""

import csv
import queue
import sqlite3
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

AT_ONCE = 256


def _connect() -> sqlite3.Connection:
    connection = sqlite3.connect("floor.db", check_same_thread=False, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def noop(steps: int) -> None:
    connection = _connect()
    connection.execute("CREATE TABLE steps (step INTEGER, state TEXT, at REAL, PRIMARY KEY (step, state))")
    waiting: queue.SimpleQueue[tuple[int, Future[None]] | None] = queue.SimpleQueue()

    def write() -> None:
        stopping = False
        while not stopping:
            taken = [waiting.get()]
            while len(taken) < AT_ONCE and not waiting.empty():
                taken.append(waiting.get())
            stopping = None in taken
            work = [entry for entry in taken if entry is not None]
            rows = [(step, state, time.time()) for step, _ in work for state in ("started", "finished")]
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO steps VALUES (?, ?, ?)", rows)
            connection.execute("COMMIT")
            for _, future in work:
                future.set_result(None)

    def step(number: int) -> "Future[None]":
        done: Future[None] = Future()
        waiting.put((number, done))
        return done

    writer = threading.Thread(target=write)
    writer.start()
    with ThreadPoolExecutor(8) as executor:
        for future in list(executor.map(step, range(steps))):
            future.result()
    waiting.put(None)
    writer.join()
    ((done,),) = connection.execute("SELECT count(*) FROM steps WHERE state = 'finished'")
    print(done)


def read_csv(path: str) -> None:
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    keys = [row["id"] for row in rows]
    failed = {
        "not_null": sum(not row["id"] for row in rows),
        "unique": len(keys) - len(set(keys)),
        "range": sum(not 0 <= float(row["amount"]) <= 1000 for row in rows),
        "one_of": sum(row["currency"] not in {"EUR", "USD", "TRY"} for row in rows),
        "row_count": int(not rows),
    }
    connection = _connect()
    connection.execute("CREATE TABLE IF NOT EXISTS results (at REAL, rows INTEGER, failed INTEGER)")
    connection.execute("INSERT INTO results VALUES (?, ?, ?)", (time.time(), len(rows), sum(failed.values())))
    print(len(rows))


def write_rows(count: int) -> None:
    from itertools import islice

    import pyarrow as pa
    import pyarrow.parquet as pq
    from rows import rows  # type: ignore[import-not-found]  # beside this script, which runs as a program

    left, writer, written = rows(count), None, 0
    while block := list(islice(left, 50_000)):
        table = pa.Table.from_pylist(block)
        writer = writer or pq.ParquetWriter("rows.parquet", table.schema)
        writer.write_table(table)
        written += table.num_rows
    if writer is not None:
        writer.close()
    print(written)


if __name__ == "__main__":
    what, argument = sys.argv[1:3]
    if what == "csv":
        read_csv(argument)
    elif what == "rows":
        write_rows(int(argument))
    else:
        noop(int(argument))
