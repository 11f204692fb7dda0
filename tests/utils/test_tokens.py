"""Tokens in the coordination database: kept, shared, and locked for one at a time."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.utils.children import start
from tests.utils.token_store import opened
from utils.database import StateError
from utils.resilience.cancellation import Cancelled, CancelToken, cancellable
from utils.resilience.deadline import deadline
from utils.resilience.errors import DeadlineExceededError
from utils.sqlite import SqliteDatabase
from utils.tokens import MemoryTokens, StoredTokens

TOKEN = {"access_token": "ä-1", "good_until": 1234.5, "refresh_token": "", "client_auth": "basic"}


@pytest.fixture(params=["stored", "in memory"])
def tokens(request: pytest.FixtureRequest, tmp_path: Path) -> StoredTokens | MemoryTokens:
    """Both play the same role, so both keep the same promises."""
    return opened(tmp_path) if request.param == "stored" else MemoryTokens()


def test_what_was_saved_last_comes_back(tokens: StoredTokens | MemoryTokens) -> None:
    """By name; None where there is nothing."""
    tokens.save("one", {"access_token": "before"})
    tokens.save("one", TOKEN)
    assert (tokens.load("one"), tokens.load("two")) == (TOKEN, None)


def test_a_token_outlives_its_process(tmp_path: Path) -> None:
    """And its database."""
    first = opened(tmp_path)
    first.save("one", TOKEN)
    first._database.close()
    assert opened(tmp_path).load("one") == TOKEN


def test_a_saved_token_survives_a_power_cut(tmp_path: Path) -> None:
    """SQLite waits for the disk with FULL; the database's own transactions have NORMAL, also afterwards."""
    tokens = opened(tmp_path)
    assert isinstance(tokens._database, SqliteDatabase)
    (connection,) = tokens._database._idle
    said: list[str] = []
    connection.set_trace_callback(said.append)

    tokens.save("one", TOKEN)

    kept = [line for line in said if line.startswith(("PRAGMA", "INSERT", "COMMIT"))]
    assert [line.split(" VALUES")[0] for line in kept] == [
        "PRAGMA synchronous = FULL",
        "INSERT INTO tokens (name, token, saved_at)",
        "COMMIT",
        "PRAGMA synchronous = NORMAL",
    ]


def test_a_token_that_cannot_be_saved_is_told(tmp_path: Path) -> None:
    """In words, not as an error of SQLite."""
    tokens = opened(tmp_path)
    tokens.save("one", TOKEN)
    with tokens._database.transaction() as connection:
        connection.execute("DROP TABLE tokens")
    with pytest.raises(StateError, match=r"coordination\.db"):
        tokens.save("one", TOKEN)


@pytest.mark.parametrize("text", ['{"access_tok', "[1]", "\x00"], ids=["cut", "no object", "garbled"])
def test_a_token_that_was_damaged_counts_as_none(tmp_path: Path, text: str) -> None:
    """Then a new one is asked for."""
    tokens = opened(tmp_path)
    with tokens._database.transaction() as connection:
        connection.execute("INSERT INTO tokens VALUES ('one', ?, '')", (text,))

    assert tokens.load("one") is None


def test_one_thread_at_a_time_holds_a_name(tokens: StoredTokens | MemoryTokens) -> None:
    """Eight threads count with a gap between reading and writing, and none of it is lost."""
    tokens.save("count", {"n": 0})
    pause = threading.Event()

    def count() -> None:
        for _ in range(5):
            with tokens.lock("count"):
                seen = (tokens.load("count") or {})["n"]
                pause.wait(0.001)  # gives the others every chance to come in
                tokens.save("count", {"n": seen + 1})

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tokens.load("count") == {"n": 40}


def test_other_names_are_not_held_up(tokens: StoredTokens | MemoryTokens) -> None:
    """Providers do not wait for each other."""
    with tokens.lock("one"), deadline(60.0), tokens.lock("two"):
        tokens.save("two", TOKEN)
    assert tokens.load("two") == TOKEN


@contextlib.contextmanager
def held_elsewhere(tokens: StoredTokens | MemoryTokens, name: str) -> Iterator[None]:
    """Another thread holds the name inside the block."""
    holds, over = threading.Event(), threading.Event()

    def hold() -> None:
        with tokens.lock(name):
            holds.set()
            over.wait(120)

    thread = threading.Thread(target=hold)
    thread.start()
    assert holds.wait(120)
    yield
    over.set()
    thread.join()


def test_nobody_waits_longer_than_the_deadline(tokens: StoredTokens | MemoryTokens) -> None:
    """And a run that is called off does not wait at all."""
    cancelled = CancelToken()
    with held_elsewhere(tokens, "one"):
        with deadline(0.05), pytest.raises(DeadlineExceededError), tokens.lock("one"):
            pass
        cancelled.cancel()
        with cancellable(cancelled), pytest.raises(Cancelled), tokens.lock("one"):
            pass
    with deadline(60.0), tokens.lock("one"):
        tokens.save("one", TOKEN)


def test_a_name_becomes_free_when_its_holder_is_killed(tmp_path: Path) -> None:
    """Its process is gone, and with it its lease; nobody has to clear anything up."""
    child = start("hold-token", tmp_path, "one")
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    tokens = opened(tmp_path)
    with deadline(0.05), pytest.raises(DeadlineExceededError), tokens.lock("one"):
        pass
    child.kill()
    child.communicate()
    with deadline(60.0), tokens.lock("one"):
        tokens.save("one", TOKEN)


@pytest.mark.parametrize("name", ["../x", "", "A", "a" * 65], ids=["path", "empty", "capital", "long"])
def test_a_name_that_no_dataset_could_have_is_refused(tmp_path: Path, name: str) -> None:
    """It becomes the name of a lease."""
    with pytest.raises(ValueError, match="name of a token"), opened(tmp_path).lock(name):
        pass


def test_a_lock_that_cannot_be_had_is_told(tmp_path: Path) -> None:
    """The database is away."""
    tokens = opened(tmp_path)
    tokens._database.close()
    with pytest.raises(StateError, match=r"coordination\.db"), tokens.lock("one"):
        pass
