"""Hearing of what any process committed to an SQLite database."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from utils.sqlite import SqliteDatabase, SqliteNews

SCHEMA = "CREATE TABLE t (x INTEGER)"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SqliteDatabase]:
    made = SqliteDatabase(tmp_path / "log.db", migrations=[SCHEMA])
    yield made
    made.close()


def commit(database: SqliteDatabase) -> None:
    with database.transaction() as connection:
        connection.execute("INSERT INTO t VALUES (1)")


@pytest.mark.parametrize("quiet_after", [60.0, 0.0], ids=["soon after the last news", "after a long quiet time"])
def test_what_another_connection_commits_is_news(
    database: SqliteDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quiet_after: float
) -> None:
    """Once; whether it is looked at often or seldom. Without a commit there is none."""
    monkeypatch.setattr(SqliteNews, "QUIET_AFTER", quiet_after)
    monkeypatch.setattr(SqliteNews, "EVERY", 0.001 if quiet_after else 60.0)
    monkeypatch.setattr(SqliteNews, "RARELY", 60.0 if quiet_after else 0.001)
    other = SqliteDatabase(tmp_path / "log.db", migrations=[SCHEMA])
    news = database.news()
    try:
        assert not news.wait(0.01)
        writer = threading.Thread(target=commit, args=(other,))
        writer.start()
        assert news.wait(30.0)
        writer.join()
        assert not news.wait(0.01)
    finally:
        news.close()
        other.close()
