"""What was accepted is taken back: readers, sinks and the cache follow, and there is a way forward again."""

from typing import Any

import pytest

from data_pipeline.errors import PipelineError, StoreError
from operations.gate import Decided, accept, reject, rollback
from operations.versions import versions
from tests.faulty_server import FaultyServer
from tests.faulty_server import status as code
from tests.integration.gating import (
    HEADER,
    OTHER,
    do,
    names,
    stands,
    states,
)
from tests.integration.installation import Installation
from tests.integration.people import GOOD, GOOD_ROWS, csv, people


def rolled_back(installation: Installation, server: FaultyServer, **more: Any) -> Decided:
    """Two good versions, and back to the first."""
    server.answer = GOOD
    installation.configure(people(server.url, **more))
    installation.run_one(fresh=True)
    server.answer = OTHER
    assert installation.run_one(fresh=True).accepted
    return do(installation, rollback, reason="the names are wrong")


def test_readers_get_the_version_before(installation: Installation, server: FaultyServer) -> None:
    """As a new version with its rows; the one that was taken back is served to nobody any more."""
    done = rolled_back(installation, server)
    server.answer = code(503)
    told = stands(installation)

    run = installation.run_one(fresh=True)

    assert names(installation) == ["anna", "bert", "cleo"]
    assert states(installation) == ["accepted", "rolled_back", "accepted*"]
    assert (run.origin, run.version, run.rows) == ("last_good", done.current, GOOD_ROWS)
    assert (told.status, told.origin, told.rows) == ("degraded", "last_good", GOOD_ROWS)
    assert "rolled back by ann (the names are wrong); serving the last good copy" in (told.reason or "")
    (event,) = installation.events("version.rolled_back")
    assert (event["actor"], event["reason"]) == ("ann", "the names are wrong")
    assert (event["version"], event["restores"], event["withdrawn"]) == (done.version, done.restores, [done.before])


def test_the_cache_does_not_serve_what_was_taken_back(installation: Installation, server: FaultyServer) -> None:
    """Within the TTL of the bad version the provider is asked; the rows that are shown are the earlier ones."""
    done = rolled_back(installation, server)
    asked = server.count
    server.answer = code(503)

    run = installation.run_one()

    assert server.count > asked
    assert (run.origin, run.version) == ("last_good", done.version)
    assert names(installation) == ["anna", "bert", "cleo"]


def test_the_content_that_was_taken_back_is_held_when_it_comes_again(
    installation: Installation, server: FaultyServer
) -> None:
    """Else the next run would undo the rollback. Other content, or another configuration, is judged as ever."""
    done = rolled_back(installation, server)

    again = installation.run_one(fresh=True)
    server.answer = csv(HEADER + b"1,gerda,2026-01-03\n")
    mended = installation.run_one(fresh=True)
    do(installation, rollback)
    installation.configure(people(server.url, rules=[{"not_null": "name"}]))
    judged_anew = installation.run_one(fresh=True)

    assert (again.status, again.accepted) == ("degraded", False)
    assert f"it is the content of version {done.before}, which was rolled back" in (again.reason or "")
    assert (mended.status, judged_anew.status, names(installation)) == ("succeeded", "succeeded", ["gerda"])


def test_what_was_taken_back_by_mistake_can_be_accepted_again(installation: Installation, server: FaultyServer) -> None:
    """By its name, as a new version, which goes to the sinks; its content is nothing to hold a batch for any more."""
    sinks = [{"kind": "sql", "url": "sqlite:///sink.db", "table": "t", "mode": "replace"}]
    done = rolled_back(installation, server, publish=sinks)
    while_away = in_sink(installation, "t")

    again = do(installation, accept, done.before, reason="the names were right")
    back = in_sink(installation, "t")
    run = installation.run_one(fresh=True)
    server.answer = csv(HEADER + b"1,ida,2026-01-04\n")
    installation.run_one(fresh=True)
    server.answer = OTHER
    later = installation.run_one(fresh=True)

    assert (while_away, back) == (["anna", "bert", "cleo"], ["gina", "hugo"])
    assert (again.restores, run.version, run.accepted, run.unchanged) == (done.before, again.version, True, True)
    assert (later.status, names(installation)) == ("succeeded", ["gina", "hugo"])
    assert states(installation)[:4] == ["accepted"] * 4


def test_back_and_back_again(installation: Installation, server: FaultyServer) -> None:
    """Each time one further; when nothing is before, that is said."""
    installation.configure(people(server.url))
    for name in (b"one", b"two", b"three"):
        server.answer = csv(HEADER + b"1,%s,2026-01-03\n" % name)
        installation.run_one(fresh=True)
    seen = []
    for _ in range(2):
        do(installation, rollback)
        seen += names(installation)

    with pytest.raises(PipelineError, match="there is no version before"):
        do(installation, rollback)

    assert seen == ["two", "one"]
    assert states(installation) == ["accepted", "rolled_back", "rolled_back", "rolled_back", "accepted*"]


def test_the_same_rows_are_no_way_back(installation: Installation, server: FaultyServer) -> None:
    """Back, forward to other rows, back to the restored ones: before them are only these rows themselves."""
    rolled_back(installation, server)
    server.answer = csv(HEADER + b"1,ida,2026-01-04\n")
    installation.run_one(fresh=True)
    do(installation, rollback)

    with pytest.raises(PipelineError, match="there is no version before"):
        do(installation, rollback)

    assert names(installation) == ["anna", "bert", "cleo"]


def test_back_to_a_version_by_name(installation: Installation, server: FaultyServer, held: str) -> None:
    """One that was accepted and is whole; not one that is held, rejected, taken back or what readers get."""
    with installation.system() as system:
        first = versions(system, "people").current
    for what in ("is held", "was rejected"):
        with pytest.raises(PipelineError, match=what):
            do(installation, rollback, held)
        if what == "is held":
            do(installation, reject)
    with pytest.raises(PipelineError, match=r"readers get version .* already"):
        do(installation, rollback, first)
    server.answer = OTHER
    second = installation.run_one(fresh=True).version
    do(installation, rollback, first)
    with pytest.raises(PipelineError, match="was rolled back itself") as refused:
        do(installation, rollback, second)
    with pytest.raises(PipelineError, match=r"readers get version .* already"):
        do(installation, rollback, first)

    assert f"`accept people {second}`" in str(refused.value)


def test_a_damaged_version_is_no_way_back(installation: Installation, server: FaultyServer) -> None:
    """By name it is refused; by default the one before it is taken."""
    installation.configure(people(server.url))
    made = []
    for name in (b"one", b"two", b"three"):
        server.answer = csv(HEADER + b"1,%s,2026-01-03\n" % name)
        made.append(installation.run_one(fresh=True).version)
    with installation.system() as system:
        system.storage.put_bytes(f"datasets/people/{made[1]}.parquet", b"PAR1 something else PAR1")

    with pytest.raises(StoreError, match="is damaged"):
        do(installation, rollback, made[1])
    done = do(installation, rollback)

    assert (done.restores, names(installation)) == (made[0], ["one"])


def test_sinks_follow_what_readers_see(installation: Installation, server: FaultyServer) -> None:
    """A file and a replaced table have the earlier rows again; one that is appended to keeps what it got."""
    sinks = [
        {"kind": "file", "path": "out.csv"},
        {"kind": "sql", "url": "sqlite:///sink.db", "table": "replaced", "mode": "replace"},
        {"kind": "sql", "url": "sqlite:///sink.db", "table": "appended", "mode": "append"},
    ]
    done = rolled_back(installation, server, publish=sinks)

    assert [one.error for one in done.publications] == [None, None, None]
    assert [line.split(",")[1] for line in (installation.folder / "out.csv").read_text().split()[1:]] == [
        "anna",
        "bert",
        "cleo",
    ]
    assert in_sink(installation, "replaced") == ["anna", "bert", "cleo"]
    assert in_sink(installation, "appended") == ["anna", "bert", "cleo", "gina", "hugo"]


def test_a_version_that_waits_for_its_sink_and_is_taken_back_never_goes_out(
    installation: Installation, server: FaultyServer
) -> None:
    """The sink was away when it was accepted; what goes out later is what readers see."""
    out = installation.folder / "out"
    out.write_text("a file where the folder should be")
    rolled_back(installation, server, publish=[{"kind": "file", "path": "out/{version}.csv"}])
    out.unlink()
    server.answer = code(503)

    installation.run_one(fresh=True)

    assert {path.read_text().split()[1] for path in out.iterdir()} == {"1,anna,2026-01-01"}


def in_sink(installation: Installation, table: str) -> list[str]:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(installation.folder / "sink.db")) as database:
        return [name for (name,) in database.execute(f"SELECT name FROM {table} ORDER BY name")]
