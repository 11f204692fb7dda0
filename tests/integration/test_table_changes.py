"""Tables whose configuration changes, whose files are damaged, whose past is replayed: no row is lost or doubled."""

import sqlite3
from contextlib import closing
from typing import Any

import pytest

from data_pipeline.dataset import DatasetRun
from data_pipeline.errors import StoreError
from operations.actor import Actor
from operations.maintain import maintain
from operations.run import resume, run
from tests.integration.feed import Feed, Row
from tests.integration.installation import Installation
from utils.resilience.cancellation import CancelToken


def people(function: str = "everything", **more: Any) -> dict[str, Any]:
    collect = {"kind": "python", "function": f"tests.integration.feed:{function}"}
    return {"name": "people", "collect": collect, **more}


def numbered(count: int, **more: Any) -> list[Row]:
    return [{"id": number, "at": number, **more} for number in range(count)]


def ids(installation: Installation) -> list[Any]:
    return [row["id"] for row in installation.rows("people")]


def replay(installation: Installation, run_id: str) -> DatasetRun:
    with installation.system() as system:
        (found,) = run(system, Actor("test"), from_raw=run_id).datasets
    return found


def damage(installation: Installation, content: bytes, *, part: int | None = None) -> str:
    """Spoil the newest version's list of files, or one of its parts; gives the name of what was spoilt."""
    with installation.system() as system:
        version = system.views.versions("people")[0]
        path = version.path if part is None else system.results.manifest(version).parts[part].path
        system.storage.put_bytes(path, content)
    return path


def test_a_new_rule_does_not_append_the_same_answer_again(installation: Installation, feed: Feed) -> None:
    """The same bytes are no news, whatever they are judged by now."""
    feed.rows = numbered(2)
    installation.configure(people(write="append"))
    installation.run_one()
    installation.configure(people(write="append", rules=[{"not_null": "id"}]))

    ran = installation.run_one(fresh=True)

    assert (ran.status, ran.unchanged) == ("succeeded", True)
    assert ids(installation) == [0, 1]


def test_a_part_of_everything_does_not_take_the_place_of_the_table(installation: Installation, feed: Feed) -> None:
    """`--full` begins an appended table anew, but only with a whole answer; the cursor stays with the rows."""
    installation.configure(people("since", write="append", incremental={"cursor": "at"}))
    feed.rows = numbered(5)
    installation.run_one()
    feed.breaks_after = 2

    ran = installation.run_one(full=True)

    assert (ran.status, ran.origin, ran.rows) == ("degraded", "last_good", 5)
    assert "only a part arrived" in (ran.reason or "")
    assert ids(installation) == [0, 1, 2, 3, 4]


def test_full_mends_a_cursor_that_a_wrong_value_took_too_far(installation: Installation, feed: Feed) -> None:
    """A date in the year 9999 would hide all that is new for ever; of everything the greatest value counts."""
    installation.configure(people("since", key=["id"], incremental={"cursor": "at"}))
    feed.rows = [{"id": 1, "at": 9999}]
    installation.run_one()
    feed.rows = [{"id": 1, "at": 5}]
    installation.run_one(full=True)
    feed.rows = [{"id": 1, "at": 5}, {"id": 2, "at": 6}]

    installation.run_one(fresh=True)

    assert feed.asked[-1] == 5
    assert ids(installation) == [1, 2]


@pytest.mark.parametrize(
    ("before", "rows"),
    [({"write": "append"}, [0, 1]), ({"partition": {"by": "month", "start": "2026-01-01"}}, [7])],
    ids=["a table without pieces", "pieces of another length"],
)
def test_rows_that_belong_to_no_piece_are_not_kept_beside_the_pieces(
    installation: Installation, feed: Feed, before: dict[str, Any], rows: list[int]
) -> None:
    """They would stand there twice: refused, until `--full` says that the table begins anew."""
    feed.rows = numbered(2)
    by = before.get("partition")
    if by:
        before = {"partition": {"by": ["2026-03"]}}
    feed.pieces = {"2026-03": [{"id": 7}], "a": [{"id": 8}], "2026-03-01": [{"id": 8}]}
    installation.configure(people("piece" if by else "everything", **before))
    installation.run_one()
    after = {"by": "day", "start": "2026-03-01"} if by else {"by": ["a"]}
    if by:
        feed.pieces = AnyDay()
    installation.configure(people("piece", partition=after))

    refused = installation.run_one(fresh=True)
    assert (refused.status, refused.origin) == ("degraded", "last_good")
    assert "kept otherwise until now" in (refused.error or {})["message"]
    assert "--full" in (refused.error or {})["hint"]
    assert ids(installation) == rows

    assert installation.run_one(full=True).status == "succeeded"
    assert set(ids(installation)) == {8}


class AnyDay(dict[str, list[Row]]):
    """Every day has the same row."""

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: str) -> list[Row]:
        return [{"id": 8}]


def test_a_key_that_the_table_does_not_have_is_told(installation: Installation, feed: Feed) -> None:
    """A renamed key recognises no row that is there: refused, until `--full` says that the table begins anew."""
    feed.rows = [{"id": 1}, {"id": 2}]
    installation.configure(people(write="merge", key=["id"]))
    installation.run_one()
    renamed = {"number": {"from": "id", "type": "integer"}}
    installation.configure(people(write="merge", key=["number"], columns=renamed))

    refused = installation.run_one(fresh=True)
    assert (refused.status, refused.origin) == ("degraded", "last_good")
    assert "the table that is there has no `number`" in (refused.error or {})["message"]
    assert ids(installation) == [1, 2]

    assert installation.run_one(full=True).status == "succeeded"
    assert installation.rows("people") == [{"number": 1}, {"number": 2}]


@pytest.mark.parametrize("deletes", ["remove", "flag"])
def test_the_replay_of_an_early_run_deletes_nothing_that_came_later(
    installation: Installation, feed: Feed, deletes: str
) -> None:
    """What was everything then is not everything now."""
    block = {"key": ["id"], "incremental": {"cursor": "at"}, "deletes": deletes, "keep_raw": "1d"}
    installation.configure(people("since", **block))
    feed.rows = numbered(3)
    first = installation.run().run_id
    feed.rows = numbered(6)
    installation.run(fresh=True)

    assert replay(installation, first).status == "succeeded"

    assert sorted(ids(installation)) == [0, 1, 2, 3, 4, 5]
    assert not any(row.get("_deleted") for row in installation.rows("people"))
    assert any("its replay deletes none" in note for note in installation.events("batch.accepted")[-1]["notes"])


def test_a_replayed_row_does_not_take_the_place_of_a_newer_one(installation: Installation, feed: Feed) -> None:
    """The cursor says which is newer; rows that were not changed since are replaced by what is read of them today."""
    block: dict[str, Any] = {"key": ["id"], "incremental": {"cursor": "at"}, "keep_raw": "1d"}
    installation.configure(people("since", **block))
    feed.rows = [{"id": 1, "at": 1, "n": 1}, {"id": 2, "at": 2, "n": 2}]
    first = installation.run().run_id
    feed.rows = [{"id": 1, "at": 3, "n": 30}]
    installation.run(fresh=True)
    installation.configure(people("since", **block, columns={"n": {"type": "integer", "scale": 10}}))

    replay(installation, first)

    assert sorted((row["id"], row["n"]) for row in installation.rows("people")) == [(1, 30), (2, 20)]


@pytest.mark.parametrize("incremental", [True, False], ids=["with a cursor", "without"])
def test_a_replay_takes_no_other_rows_of_its_key_with_it(
    installation: Installation, feed: Feed, incremental: bool
) -> None:
    """An appended table may have a key several times: by cursor each is known; without one the replay is refused."""
    block: dict[str, Any] = {"write": "append", "key": ["id"], "keep_raw": "1d"}
    if incremental:
        block["incremental"] = {"cursor": "at"}
    installation.configure(people("since" if incremental else "everything", **block))
    runs = []
    for number in range(3):
        feed.rows = [{"id": 1, "at": number, "n": number}]
        runs.append(installation.run(fresh=True).run_id)
    block["columns"] = {"n": {"type": "integer", "scale": 10}}
    installation.configure(people("since" if incremental else "everything", **block))

    told = replay(installation, runs[1])

    wanted = [0, 10, 2] if incremental else [0, 1, 2]
    assert sorted(row["n"] for row in installation.rows("people")) == sorted(wanted)
    assert incremental or "several rows of the same key" in (told.reason or "")


def test_the_same_answer_is_not_replayed_into_a_table_that_has_it(installation: Installation, feed: Feed) -> None:
    """A run that was held is replayed once; the second time its rows are there."""
    rule = {"row_count": {"max": 1}, "severity": "critical"}
    installation.configure(people(write="append", keep_raw="1d", rules=[rule]))
    feed.rows = numbered(2)
    held = installation.run().run_id
    installation.configure(people(write="append", keep_raw="1d"))
    assert replay(installation, held).accepted
    feed.rows = [{"id": 9, "at": 9}]
    installation.run(fresh=True)

    again = replay(installation, held)

    assert "would stand there twice" in (again.reason or "")
    assert ids(installation) == [0, 1, 9]


def test_a_sink_gets_only_rows_that_the_table_did_not_have(installation: Installation, feed: Feed) -> None:
    """A provider sends the rows at the cursor once more; they are in the sink already."""
    sink = {"kind": "sql", "url": "sqlite:///out.db", "table": "people", "mode": "append"}
    block: dict[str, Any] = {"write": "append", "key": ["id"], "incremental": {"cursor": "at"}, "publish": [sink]}
    installation.configure(people("since", **block), retention={"versions": {"count": 1}})
    for number, count in enumerate((3, 3, 5, 7)):
        feed.rows = numbered(count, run=number)  # the answer is never quite the same
        installation.run_one(fresh=True)
        with installation.system() as system:
            maintain(system, Actor("test"))

    with closing(sqlite3.connect(installation.folder / "out.db")) as database:
        found = [number for (number,) in database.execute("SELECT id FROM people ORDER BY id")]
    assert found == sorted(ids(installation)) == list(range(7))


@pytest.mark.parametrize("content", [b"PAR1 no longer", b""], ids=["changed", "empty"])
def test_a_damaged_part_is_told_and_full_mends_it(installation: Installation, feed: Feed, content: bytes) -> None:
    """Nothing is read by half; whole parts are kept, and what was lost is said."""
    installation.configure(people(write="merge", key=["id"]))
    feed.rows = numbered(3)
    installation.run_one()
    feed.rows = [{"id": 100, "at": 1}]
    installation.run_one(fresh=True)
    path = damage(installation, content, part=0)

    with pytest.raises(StoreError, match=path):
        ids(installation)
    feed.rows = numbered(2)
    failed = installation.run_one(fresh=True)
    assert "run people --full" in (failed.error or {})["hint"]

    ran = installation.run_one(full=True)
    assert ran.status == "succeeded"
    assert sorted(ids(installation)) == [0, 1, 100]
    notes = installation.events("batch.accepted")[-1]["notes"]
    assert any("1 of 2 files of the table are damaged: of their 3 rows those stay that came" in note for note in notes)


def test_a_flipped_bit_is_no_other_value(installation: Installation, feed: Feed) -> None:
    """Every file has a checksum in the log."""
    installation.configure(people(write="append"))
    feed.rows = numbered(50, name="anna")
    installation.run_one()
    with installation.system() as system:
        path = system.views.versions("people")[0].body["batch"]
        content = bytearray(system.storage.read_bytes(path))
        at = content.index(b"anna")
        content[at] ^= 1
        system.storage.put_bytes(path, bytes(content))

    with pytest.raises(StoreError, match="it is not what was written"):
        ids(installation)


@pytest.mark.parametrize("write", ["append", "merge"])
def test_a_damaged_list_of_files_is_told_and_full_mends_it(installation: Installation, feed: Feed, write: str) -> None:
    """The table begins anew with all that the provider has."""
    installation.configure(people(write=write, key=["id"]))
    feed.rows = numbered(3)
    installation.run_one()
    damage(installation, b"{}")
    feed.rows = [{"id": 9, "at": 9, "new": "column"}]
    with pytest.raises(StoreError, match=r"\.json: it is not what was written"):
        ids(installation)
    assert installation.run_one(fresh=True).status == "failed"

    assert installation.run_one(full=True).status == "succeeded"

    assert ids(installation) == [9]


@pytest.mark.parametrize("index", [b"{}", b"no json", b'{"pieces": []}'], ids=["no pieces", "no JSON", "empty"])
def test_a_damaged_capture_stops_nobody(installation: Installation, feed: Feed, index: bytes) -> None:
    """It is told when it is asked for; the others are replayed, and maintenance goes on."""
    installation.configure(people(keep_raw="1d"))
    feed.rows = numbered(2)
    bad, good = installation.run().run_id, installation.run(fresh=True).run_id
    with installation.system() as system:
        system.storage.put_bytes(f"raw/people/{bad}/index.json", index)
        system.storage.put_bytes(f"raw/people/{bad}x/00000/rows.arrow", b"of a run that was killed")

    with installation.system() as system:
        with pytest.raises(StoreError, match=f"the raw answer of run {bad} is damaged"):
            system.raw.replay("people", bad)
        assert maintain(system, Actor("test")).well
    assert replay(installation, good).status == "succeeded"


def test_a_capture_of_other_bytes_is_not_replayed(installation: Installation, feed: Feed) -> None:
    """Also when the size is the same."""
    installation.configure(people(keep_raw="1d"))
    feed.rows = numbered(2, name="anna")
    run_id = installation.run().run_id
    with installation.system() as system:
        (blob,) = [found for found in system.storage.list(f"raw/people/{run_id}/") if "rows" in found.path]
        content = system.storage.read_bytes(blob.path)
        system.storage.put_bytes(blob.path, content.replace(b"anna", b"bert"))

    told = replay(installation, run_id)

    assert "is not what was kept" in (told.reason or "")


def test_a_resumed_run_leaves_rows_that_it_accepted_alone(installation: Installation, feed: Feed) -> None:
    """A broken promise makes a dataset fail though its rows are in; again, they would take their files' names."""
    late = {"promise": {"max_age": "1d"}, "data_time": "day", "write": "append", "columns": {"day": "date"}}
    other = {"name": "other", "collect": {"kind": "simulated"}}
    installation.configure(people(**late, priority=1), other, executor={"workers": 1})
    feed.rows = [{"id": 1, "day": "2020-01-01"}]
    with installation.system() as system:
        cancel = CancelToken()
        told = run(system, Actor("test"), cancel=cancel, progress=lambda _: cancel.cancel())
    assert told.status == "interrupted"
    assert (told.datasets[0].status, told.datasets[0].accepted) == ("failed", True)
    feed.rows = [{"id": 2, "day": "2020-01-02"}]

    with installation.system() as system:
        resume(system, Actor("test"), told.run_id)

    assert ids(installation) == [1]
    installation.run(fresh=True)
    assert ids(installation) == [1, 2]
