"""Hearing of what any process committed to an SQLite database."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from utils import sqlite_news
from utils.sqlite import SqliteDatabase
from utils.sqlite_news import SqliteNews

SCHEMA = "CREATE TABLE t (x INTEGER)"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SqliteDatabase]:
    made = SqliteDatabase(tmp_path / "log.db", migrations=[SCHEMA])
    yield made
    made.close()


def commit(database: SqliteDatabase) -> None:
    with database.transaction() as connection:
        connection.execute("INSERT INTO t VALUES (1)")


@pytest.fixture(params=["told by the kernel", "asked again soon", "asked again seldom"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How it is heard; what must not be needed takes a minute."""
    if request.param == "told by the kernel":
        monkeypatch.setattr(SqliteNews, "IN_ANY_CASE", 60.0)
        return
    monkeypatch.setattr(sqlite_news, "_watch", lambda _: None)
    seldom = request.param == "asked again seldom"
    monkeypatch.setattr(SqliteNews, "QUIET_AFTER", 0.0 if seldom else 60.0)
    monkeypatch.setattr(SqliteNews, "EVERY", 60.0 if seldom else 0.001)
    monkeypatch.setattr(SqliteNews, "RARELY", 0.001 if seldom else 60.0)


@pytest.mark.usefixtures("way")
def test_what_another_connection_commits_is_news(database: SqliteDatabase, tmp_path: Path) -> None:
    """Once, whichever way it is heard. Without a commit there is none."""
    other = SqliteDatabase(tmp_path / "log.db", migrations=[SCHEMA])
    news = database.news()
    try:
        assert not news.wait(0.01)
        writer = threading.Thread(target=commit, args=(other,))
        writer.start()
        assert news.wait(120)
        writer.join()
        assert not news.wait(0.01)
    finally:
        news.close()
        other.close()


def test_a_commit_that_is_seen_late_is_heard_all_the_same(
    database: SqliteDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log grows a moment before the commit can be seen: who was told looks again without being told twice."""
    monkeypatch.setattr(SqliteNews, "IN_ANY_CASE", 60.0)
    other = SqliteDatabase(tmp_path / "log.db", migrations=[SCHEMA])
    versions = iter([1, 1, 1, 1])  # at the beginning, before it waits, and twice after it was told
    news = SqliteNews(lambda: next(versions, 2), tmp_path / "log.db")
    monkeypatch.setattr(news, "_heard", news._heard - 1.0)
    try:
        writer = threading.Thread(target=commit, args=(other,))
        writer.start()
        assert news.wait(120)
        writer.join()
    finally:
        news.close()
        other.close()


def test_a_log_that_was_emptied_is_heard_too(database: SqliteDatabase, tmp_path: Path) -> None:
    """A checkpoint truncates the write-ahead log; the next commit is news all the same."""
    other = SqliteDatabase(tmp_path / "log.db", migrations=[SCHEMA])
    news = database.news()
    try:
        for _ in range(3):
            commit(other)
            assert news.wait(120)
            other.tidy()
            news.wait(0.0)  # the checkpoint itself may count as a change
    finally:
        news.close()
        other.close()


@pytest.mark.usefixtures("way")
def test_who_waits_is_let_go_when_it_is_closed(database: SqliteDatabase) -> None:
    """At once, not when its time is over; closing twice does no harm."""
    news = database.news()
    heard: list[bool] = []
    waiter = threading.Thread(target=lambda: heard.append(news.wait(3600.0)))
    waiter.start()
    news.close()
    waiter.join(120)
    news.close()
    assert heard == [False]
