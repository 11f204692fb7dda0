"""A collector of queries, and a database to ask."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from data_pipeline.collect.sql.sql import SqlCollector


@pytest.fixture
def collector() -> Iterator[SqlCollector]:
    collector = SqlCollector()
    yield collector
    collector.close()


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A SQLite file with ten orders."""
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection, connection:
        connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, amount REAL, at TEXT)")
        rows = [(n, n / 2, f"2026-03-01 0{n % 10}:00:00") for n in range(1, 11)]
        connection.executemany("INSERT INTO orders VALUES (?, ?, ?)", rows)
    return tmp_path
