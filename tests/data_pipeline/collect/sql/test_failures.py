"""Queries that fail, hang or bring too much: told as the database told it, and nothing is left behind."""

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from data_pipeline.collect.sql.session import PART
from data_pipeline.collect.sql.sql import SqlCollector
from data_pipeline.errors import CollectError, ProviderRefused, ProviderUnavailable
from tests.data_pipeline.collect.sql.asking import COUNT, collect, rows
from tests.postgres import execute
from utils.resilience.cancellation import Cancelled, CancelToken, cancellable
from utils.resilience.deadline import deadline
from utils.resilience.errors import DeadlineExceededError


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT nam FROM t", r'column "nam" does not exist \(line 1, at `nam FROM t`\)'),
        ("SELEC 1", "syntax error"),
        ("SELECT 1 FROM nowhere", 'relation "nowhere" does not exist'),
        ("SELECT 1/0", "division by zero"),
    ],
    ids=["column", "syntax", "table", "value"],
)
def test_a_query_that_fails_is_told_in_the_databases_words(
    collector: SqlCollector,
    tmp_path: Path,
    postgres: str,
    query: str,
    words: str,
) -> None:
    """Its first line and the place; another try would not help."""
    execute(postgres, "CREATE TABLE t (name text)")
    with pytest.raises(ProviderRefused, match=words):
        collect(collector, tmp_path, postgres, query)


def test_a_failure_in_the_middle_brings_nothing_and_leaves_nothing(
    collector: SqlCollector,
    tmp_path: Path,
    postgres: str,
) -> None:
    """Half a result would pass for a whole one."""
    query = "SELECT 1 / (150 - i) AS x, repeat('x', 200000) FROM generate_series(1, 200) i"
    with pytest.raises(ProviderRefused, match="division by zero"):
        collect(collector, tmp_path, postgres, query, batch_rows=10)
    assert list((tmp_path / "spool").iterdir()) == []


ACTIVE_ONES_END = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND wait_event = 'PgSleep'
"""


def test_a_lost_connection_may_come_back(collector: SqlCollector, tmp_path: Path, postgres: str) -> None:
    """The server ends our session in the middle: worth a retry, and the retry succeeds."""
    ended = False

    def end_it() -> None:
        nonlocal ended
        for _ in range(12_000):
            if execute(postgres, ACTIVE_ONES_END):
                ended = True
                return
            threading.Event().wait(0.01)

    killer = threading.Thread(target=end_it)
    killer.start()
    try:
        with pytest.raises(ProviderUnavailable, match=r"terminat|closed"):
            collect(collector, tmp_path, postgres, "SELECT pg_sleep(600)")
    finally:
        killer.join()
    assert ended
    assert rows(collect(collector, tmp_path, postgres, "SELECT 1 AS one")) == [{"one": 1}]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_query_that_takes_too_long_is_given_up(
    collector: SqlCollector,
    shop: Path,
    postgres: str,
    kind: str,
) -> None:
    """In the database itself, not only on our side."""
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    url = "sqlite:///shop.db" if kind == "sqlite" else postgres
    started = time.monotonic()
    with pytest.raises(ProviderUnavailable, match="longer than statement_timeout"):
        collect(
            collector, shop, url, endless if kind == "sqlite" else "SELECT pg_sleep(600)", statement_timeout="200ms"
        )
    assert time.monotonic() - started < 60


def test_the_deadline_and_a_cancel_end_a_stream(collector: SqlCollector, shop: Path) -> None:
    """Between two batches: what was read is thrown away."""
    with deadline(0.0), pytest.raises(DeadlineExceededError):
        collect(collector, shop, "sqlite:///shop.db", "SELECT * FROM orders")
    token = CancelToken()
    token.cancel("Ctrl-C")
    with cancellable(token), pytest.raises(Cancelled):
        collect(collector, shop, "sqlite:///shop.db", "SELECT * FROM orders")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_heavy_rows_come_in_light_batches(collector: SqlCollector, shop: Path, postgres: str, kind: str) -> None:
    """Fifty thousand rows of a megabyte are not fetched at once; none is lost."""
    url, query = postgres, "SELECT n, repeat('x', 1000000) AS v FROM generate_series(1, 80) n"
    if kind == "sqlite":
        url, query = "sqlite:///shop.db", f"{COUNT} SELECT i AS n, hex(zeroblob(500000)) AS v FROM n LIMIT 80"
    collected = collect(collector, shop, url, query)
    assert collected.rows is not None
    batches = list(collected.rows())
    collected.close()
    assert [n for batch in batches for n in batch.column("n").to_pylist()] == list(range(1, 81))
    assert max(batch.nbytes for batch in batches) < 2 * PART


def test_a_value_that_no_memory_holds_is_told(collector: SqlCollector, shop: Path) -> None:
    """Before it is made."""
    with pytest.raises(ProviderRefused, match="memory_limit") as caught:
        collect(collector, shop, "sqlite:///shop.db", "SELECT zeroblob(900000000) AS v")
    assert "substr" in caught.value.hint


def test_text_that_is_no_utf_8_says_how_to_read_it(collector: SqlCollector, shop: Path) -> None:
    """SQLite keeps whatever bytes it is given."""
    with pytest.raises(ProviderRefused, match="not UTF-8") as caught:
        collect(collector, shop, "sqlite:///shop.db", "SELECT CAST(x'fffe41' AS TEXT) AS v")
    assert "AS BLOB" in caught.value.hint


def test_no_file_is_made_by_attaching_it(collector: SqlCollector, shop: Path) -> None:
    """A collection leaves nothing behind, not even something empty."""
    with pytest.raises(ProviderRefused, match="attached"):
        collect(collector, shop, "sqlite:///shop.db", f"ATTACH '{shop}/new.db' AS other")
    assert not (shop / "new.db").exists()


def test_a_statement_that_the_deadline_ends_is_not_called_slow(collector: SqlCollector, shop: Path) -> None:
    """To raise `statement_timeout` would not help."""
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    with deadline(0.3), pytest.raises(DeadlineExceededError):
        collect(collector, shop, "sqlite:///shop.db", endless)


def test_a_locked_or_missing_file_and_a_silent_server(collector: SqlCollector, shop: Path) -> None:
    """Locked and refused connections may pass; a file that is not there does not come by waiting."""
    with closing(sqlite3.connect(shop / "shop.db")) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ProviderUnavailable, match="locked"):
            collect(collector, shop, "sqlite:///shop.db", "SELECT * FROM orders", connect_timeout=0.1)
    with pytest.raises(ProviderRefused, match="unable to open") as caught:
        collect(collector, shop, "sqlite:///shpo.db", "SELECT 1")
    assert "path" in caught.value.hint
    (shop / "notes.db").write_text("this is no database, but a file of notes that somebody left here")
    with pytest.raises(ProviderRefused, match="not a database") as other:
        collect(collector, shop, "sqlite:///notes.db", "SELECT * FROM orders")
    assert "another file" in other.value.hint
    with pytest.raises(ProviderUnavailable, match="refused") as down:
        collect(collector, shop, "postgresql://bob:s3cret@127.0.0.1:1/shop", "SELECT 1")
    assert "s3cret" not in str(down.value) + down.value.hint


@pytest.mark.parametrize(("user", "database"), [("nobody", ""), ("", "nowhere")], ids=["user", "database"])
def test_who_is_not_let_in_is_not_retried(
    collector: SqlCollector,
    tmp_path: Path,
    postgres: str,
    user: str,
    database: str,
) -> None:
    """A wrong user or database stays wrong."""
    url = postgres.replace("postgres:@", f"{user}:@") if user else postgres.replace("@/test_", "@/nowhere_")
    with pytest.raises(ProviderRefused, match="does not exist"):
        collect(collector, tmp_path, url, "SELECT 1")


def test_a_missing_driver_names_the_line_to_install(collector: SqlCollector, tmp_path: Path) -> None:
    """For known databases; nothing of the address is repeated."""
    with pytest.raises(ProviderRefused, match="driver of `duckdb://` is not installed") as caught:
        collect(collector, tmp_path, "duckdb:///x?password=s3cret", "SELECT 1")
    assert "pip install duckdb-engine" in caught.value.hint
    assert "s3cret" not in str(caught.value)


def test_a_full_disk_is_told(collector: SqlCollector, shop: Path) -> None:
    """The folder for temporary files cannot be written: the place and what to do."""
    (shop / "spool").write_text("in the way")
    query = f"{COUNT} SELECT i, hex(zeroblob(150)) FROM n"
    with pytest.raises(CollectError, match="cannot be kept in"):
        collect(collector, shop, "sqlite:///shop.db", query)
