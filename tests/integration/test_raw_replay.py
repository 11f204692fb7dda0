"""Raw capture and `run --from-raw`: mend a rule or a parser today, replay yesterday without the provider."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from operations.actor import Actor
from operations.maintain import maintain
from tests import faulty_server as fault
from tests.faulty_server import FaultyServer
from tests.integration.installation import Installation
from utils.clock import ManualClock

GERMAN = "id;betrag\n1;1,5\n2;2,5\n".encode("latin-1")


def orders(url: str, **more: Any) -> dict[str, Any]:
    return {"name": "orders", "collect": {"kind": "http", "url": url}, "keep_raw": "7d", **more}


def test_a_mended_parser_reads_yesterday_again_without_the_provider(installation: Installation) -> None:
    """What was held for a wrong decimal sign is delivered once the sign is told; the provider is gone by then."""
    rule = {"type": {"column": "betrag", "is": "float"}, "severity": "critical"}
    with FaultyServer(fault.ok(GERMAN, "text/csv")) as server:
        installation.configure(orders(server.url, columns={"betrag": "float"}, rules=[rule]))
        before = installation.cli("run", "--json")
    (wrong,) = before.json["datasets"]
    assert (wrong["status"], wrong["origin"]) == ("failed", "none")

    installation.configure(orders(server.url, parse={"decimal": ","}, columns={"betrag": "float"}, rules=[rule]))
    done = installation.cli("run", "--from-raw", before.json["run_id"], "--json")

    (mended,) = done.json["datasets"]
    assert (mended["status"], mended["origin"], mended["rows"]) == ("succeeded", "provider", 2), mended["reason"]
    assert (
        mended["collected_at"] == before.json["datasets"][0]["collected_at"]
        or mended["collected_at"] < done.json["started_at"]
    )
    assert [row["betrag"] for row in installation.rows("orders")] == [1.5, 2.5]
    (started,) = installation.events("run.started")[-1:]
    assert started["from_raw"] == before.json["run_id"]


def test_replaying_does_not_double_rows_and_moves_no_cursor_back(installation: Installation) -> None:
    """A table that is appended to replaces by key what it has; the cursor stays where newer rows took it."""
    first, second = b"id,n,at\n1,1,2026-03-01\n2,2,2026-03-02\n", b"id,n,at\n3,3,2026-03-03\n"
    block = {"write": "append", "key": ["id"], "incremental": {"cursor": "at"}}
    with FaultyServer(fault.ok(first, "text/csv")) as server:
        url = f"{server.url}?since={{cursor}}"
        installation.configure(orders(url, **block))
        run_id = installation.run(fresh=True).run_id
        server.answer = fault.ok(second, "text/csv")
        installation.run(fresh=True)

        installation.configure(orders(url, **block, columns={"n": {"type": "integer", "scale": 10}}))
        done = installation.cli("run", "--from-raw", run_id, "--json")
        assert done.json["datasets"][0]["status"] == "succeeded", done.json
        installation.run(fresh=True)
        assert server.requests[-1].query["since"] == "2026-03-03"

    assert sorted((row["id"], row["n"]) for row in installation.rows("orders")) == [(1, 10), (2, 20), (3, 3)]


def test_rows_without_a_key_are_not_appended_twice(installation: Installation) -> None:
    """Nothing tells which rows they are: refused, with what to do; the table stays as it was."""
    with FaultyServer(fault.ok(b"id\n1\n", "text/csv")) as server:
        installation.configure(orders(server.url, write="append"))
        run_id = installation.run(fresh=True).run_id

    done = installation.cli("run", "--from-raw", run_id, "--json")

    (told,) = done.json["datasets"]
    assert (told["status"], told["origin"]) == ("degraded", "last_good")
    assert "would stand there twice" in told["reason"]
    assert len(installation.rows("orders")) == 1


def test_what_a_database_brought_is_replayed_too(installation: Installation, tmp_path: Path) -> None:
    """Rows that need no parsing are kept with their types."""
    import sqlite3

    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute("CREATE TABLE orders (id INTEGER, note TEXT)")
        database.execute("INSERT INTO orders VALUES (9007199254740993, 'a')")
    database.close()
    collect = {"kind": "sql", "url": "sqlite:///shop.db", "query": "SELECT * FROM orders"}
    installation.configure({"name": "orders", "collect": collect, "keep_raw": "7d"})
    run_id = installation.run(fresh=True).run_id
    (tmp_path / "shop.db").unlink()

    installation.configure(
        {
            "name": "orders",
            "collect": collect,
            "keep_raw": "7d",
            "columns": {"text": {"from": "note", "type": "string"}},
        }
    )
    done = installation.cli("run", "--from-raw", run_id, "--json")

    assert done.json["datasets"][0]["status"] == "succeeded", done.json
    assert installation.rows("orders") == [{"id": 9007199254740993, "text": "a"}]


def test_a_run_of_which_nothing_is_kept_is_told(installation: Installation) -> None:
    """With the runs that are kept, or how to keep them."""
    installation.configure({"name": "a", "collect": {"kind": "simulated"}})
    done = installation.cli("run", "--from-raw", "0198", "--dry-run")
    assert done.code == 1
    assert "no raw answers of run 0198 are kept" in done.err
    assert "keep_raw" in done.err

    installation.configure({"name": "a", "collect": {"kind": "simulated"}, "keep_raw": "1d"})
    run_id = installation.run(fresh=True).run_id
    done = installation.cli("run", "--from-raw", run_id, "--dry-run")
    assert done.code == 0
    assert f"take what came in run {run_id}" in " ".join(done.out.split())


def test_raw_answers_go_when_their_time_is_over(installation: Installation) -> None:
    """By the age that the dataset says, and the oldest first when they grow too large."""
    clock = ManualClock(datetime(2026, 3, 1, tzinfo=UTC))
    with FaultyServer(fault.ok(b"id\n1\n" + b"2\n" * 50_000, "text/csv")) as server:
        installation.configure(orders(server.url), retention={"raw": {"size": "250kB"}})
        for _ in range(3):
            installation.run(fresh=True, clock=clock)
            clock.advance(3600)

    def left(*, hours: float) -> int:
        clock.advance(hours * 3600)
        with installation.system(clock) as system:
            maintain(system, Actor("test"))
            return len(system.raw.captures())

    assert left(hours=0) == 2
    assert left(hours=24 * 7 - 1.5) == 1
    assert left(hours=1) == 0


def test_an_answer_that_cannot_be_kept_costs_a_note(installation: Installation) -> None:
    """The delivery goes on."""
    with FaultyServer(fault.ok(b"id\n1\n", "text/csv")) as server:
        installation.configure(orders(server.url))
        (installation.state / "storage").mkdir(parents=True)
        (installation.state / "storage" / "raw").write_text("in the way")
        result = installation.run_one(fresh=True)
        assert (result.status, result.rows) == ("succeeded", 1), result.reason
    with installation.system() as system:
        (version,) = system.views.versions("orders")
    assert any("the raw answer was not kept" in note for note in version.body["notes"])


def test_a_dataset_of_which_nothing_is_kept_is_not_called_failed_for_it(installation: Installation) -> None:
    """Whoever names it is told, with what the run has; the state stays as it was."""
    with FaultyServer(fault.ok(b"id\n1\n", "text/csv")) as server:
        installation.configure(
            orders(server.url), {"name": "other", "collect": {"kind": "simulated"}, "keep_raw": "0s"}
        )
        run_id = installation.cli("run", "--json").json["run_id"]

    refused = installation.cli("run", "other", "--from-raw", run_id, "--json")

    assert refused.code == 1
    assert "no raw answer of other" in refused.json["error"]["message"]
    assert "orders" in refused.json["error"]["hint"]
    assert {found["dataset"]: found["status"] for found in installation.cli("status", "--json").json["datasets"]} == {
        "orders": "succeeded",
        "other": "succeeded",
    }
