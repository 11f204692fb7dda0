"""The parts that keep something: opened when asked for, closed together."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.redis_server import RedisServer
from utils.clock import ManualClock
from utils.events import SCHEMA, NewEvent, segments
from utils.state import Kept, State


def kept(directory: Path) -> Kept:
    """One log, no views, a cache of 8 MB."""
    return Kept(
        directory,
        migrations=[SCHEMA, segments.SCHEMA],
        projections=(),
        durability="process",
        storage=directory / "storage",
        cache_size=8 * 2**20,
    )


def test_nothing_is_opened_before_it_is_asked_for(tmp_path: Path):
    """Neither when it is built nor when it is closed unused; and where the state lies was never asked."""

    def refuse() -> Kept:
        raise AssertionError("asked too early")

    with State(refuse, ManualClock()):
        pass

    assert list(tmp_path.iterdir()) == []


def test_a_fault_of_the_configuration_is_told_by_the_first_part(tmp_path: Path):
    """And by the next one too: a fault is not remembered as an answer."""

    def faulty() -> Kept:
        raise ValueError("storage.url is missing")

    state = State(faulty, ManualClock())

    for part in ("database", "storage"):
        with pytest.raises(ValueError, match="is missing"):
            getattr(state, part)


def test_only_what_was_opened_lies_on_the_disk(tmp_path: Path):
    """The coordination database does not open the log."""
    with State(lambda: kept(tmp_path), ManualClock()) as state:
        assert state.quotas.used("erp", 60.0, 1) == 0
        names = {path.name for path in tmp_path.iterdir()}

    assert "coordination.db" in names
    assert not {"orchestrator.db", "cache", "storage"} & names


def test_what_was_written_is_there_after_closing(tmp_path: Path):
    """The log, the storage and the cache of one directory, opened twice."""
    with State(lambda: kept(tmp_path), ManualClock()) as state:
        state.events.append([NewEvent("run.started", "r1", {}, source="test")])
        state.storage.put_bytes("small", b"blob")
        state.cache.set("key", "value", ttl=60.0)

    with State(lambda: kept(tmp_path), ManualClock()) as again:
        assert [event.type for event in again.events.read()] == ["run.started"]
        assert again.storage.read_bytes("small") == b"blob"
        assert again.cache.get("key").value == "value"


def test_a_bus_that_nobody_asked_for_is_not_made(tmp_path: Path):
    """Committed events are announced to subscribers only."""
    heard: list[str] = []
    with State(lambda: kept(tmp_path), ManualClock()) as state:
        state.events.append([NewEvent("run.started", "r1", {}, source="test")])
        assert "bus" not in vars(state)
        state.bus.subscribe("**", lambda event: heard.append(event.subject))
        state.events.append([NewEvent("run.started", "r2", {}, source="test")])

    assert heard == ["r2"]


@pytest.mark.usefixtures("patient_redis")
def test_a_cache_url_puts_the_cache_into_redis(tmp_path: Path, redis_folder: Path):
    """Nothing of the cache lies in the directory but the key to it, and its events go to the log."""
    with RedisServer(redis_folder) as server, server.client() as client:
        here = replace(kept(tmp_path), cache_url=server.url)
        with State(lambda: here, ManualClock()) as state:
            assert state.cache.set("key", "value", ttl=60.0)
        assert [path.name for path in tmp_path.iterdir() if path.suffix != ".lock"] == ["installation.key"]

        with State(lambda: here, ManualClock()) as again:
            assert again.cache.get("key").value == "value"
            (name,) = client.keys()
            client.append(name, "damage")
            assert again.cache.get("key") is None
            assert "events" in vars(again)  # it waits there to be written

    with State(lambda: here, ManualClock()) as later:
        (event,) = later.events.read(type="cache.set_aside")
    assert (event.data["url"], event.data["key"]) == (server.url, "key")
