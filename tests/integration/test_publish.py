"""Published and collected again: accepted versions in real databases and files, by configuration alone."""

import sqlite3
from contextlib import closing
from typing import Any

import pytest

from operations.actor import Actor
from operations.maintain import maintain
from tests.integration.installation import Installation
from tests.postgres import execute


def orders(*sinks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "name": "orders",
        "collect": {"kind": "file", "path": "orders.csv"},
        "key": ["id"],
        "publish": list(sinks),
        **more,
    }


def arrived(installation: Installation, query: str = "SELECT id FROM orders ORDER BY id") -> list[Any]:
    with closing(sqlite3.connect(installation.folder / "out" / "shop.db")) as connection:
        return [row[0] for row in connection.execute(query)]


def sql(mode: str, url: str = "sqlite:///out/shop.db") -> dict[str, Any]:
    return {"kind": "sql", "url": url, "table": "orders", "mode": mode}


def bring(installation: Installation, *ids: int) -> None:
    lines = ["id,name", *(f"{number},n{number}" for number in ids)]
    (installation.folder / "orders.csv").write_text("\n".join(lines) + "\n")


def test_a_version_waits_for_a_sink_that_is_away_and_goes_out_later_once(installation: Installation) -> None:
    """The delivery succeeds all the same; `run` says what waits; the next runs bring it, in order, without doubles."""
    installation.configure(orders(sql("append"), write="append"))
    (installation.folder / "out").write_text("in the way")
    bring(installation, 1)
    told = installation.cli("run", "--fresh")
    assert told.code == 0
    assert "orders: version waits for sql sink shop.db.orders: " in told.out + told.err
    bring(installation, 2)
    (waiting,) = installation.cli("run", "--fresh", "--json").json["publications"]
    assert (waiting["state"], waiting["attempts"]) == ("waiting", 2)
    (installation.folder / "out").unlink()
    bring(installation, 3)
    done = installation.cli("run", "--fresh", "--json").json
    assert [published["state"] for published in done["publications"]] == ["published"] * 3
    assert arrived(installation) == [1, 2, 3]
    assert installation.cli("run", "--fresh", "--json").json["publications"] == []
    assert arrived(installation) == [1, 2, 3]


def test_a_held_batch_does_not_go_out(installation: Installation) -> None:
    """Only what readers see is published."""
    installation.configure(orders(sql("replace"), rules=[{"row_count": {"min": 2, "severity": "critical"}}]))
    bring(installation, 1, 2)
    installation.run(fresh=True)
    bring(installation, 9)
    installation.run(fresh=True)
    assert arrived(installation) == [1, 2]


def test_maintenance_publishes_too_and_drops_no_version_that_waits(installation: Installation) -> None:
    """Five versions wait for an append sink, and retention keeps one: all five arrive."""
    keep = {"versions": {"count": 1, "age": "30d"}}
    installation.configure(orders(sql("append"), write="append"), retention=keep)
    (installation.folder / "out").write_text("in the way")
    for number in range(5):
        bring(installation, number)
        installation.run(fresh=True)
    with installation.system() as system:
        maintain(system, Actor("test"))
        (installation.folder / "out").unlink()
        done = maintain(system, Actor("test"))
    (step,) = [step for step in done.steps if step.name == "publish"]
    assert step.count == 5
    assert arrived(installation) == list(range(5))


def test_what_was_published_is_collected_from_postgresql(installation: Installation, postgres: str) -> None:
    """A replica with cursor and tie-breaker: merged there, collected here, only what is new each time."""
    replica = {
        "name": "replica",
        "collect": {
            "kind": "sql",
            "url": postgres,
            "query": "SELECT id, at FROM moves WHERE {cursor} IS NULL OR at >= {cursor} ORDER BY at, id",
        },
        "key": ["id"],
        "incremental": {"cursor": "at", "tie_breaker": "id"},
        "publish": [sql("merge", postgres)],
    }
    installation.configure(replica)
    execute(
        postgres,
        "CREATE TABLE moves (id int PRIMARY KEY, at timestamptz)",
        "INSERT INTO moves SELECT n, '2026-03-01'::timestamptz + n / 3 * interval '1 s' FROM generate_series(1, 9) n",
    )
    assert installation.run(fresh=True).status == "succeeded"
    execute(postgres, "INSERT INTO moves VALUES (10, '2026-03-01 00:00:03+00'), (11, '2026-03-01 00:00:03+00')")
    assert installation.run(fresh=True).status == "succeeded"
    assert sorted(row["id"] for row in installation.rows("replica")) == list(range(1, 12))
    assert execute(postgres, "SELECT count(*), max(id) FROM orders") == [(11, 11)]


@pytest.mark.parametrize("command", [("run", "--fresh"), ("run", "--fresh", "--json"), ("events", "--json")])
def test_no_password_is_shown(installation: Installation, command: tuple[str, ...]) -> None:
    """Neither in what is printed nor in the log."""
    installation.configure(orders(sql("replace", "postgresql://bobby:s3cret-word@127.0.0.1:1/shop")))
    bring(installation, 1)
    installation.cli("run", "--fresh")
    told = installation.cli(*command)
    assert "127.0.0.1:1/shop.orders" in told.out + told.err
    for secret in ("s3cret-word", "bobby"):
        assert secret not in told.out + told.err


def test_the_log_tells_people_where_a_version_went(installation: Installation) -> None:
    """A line that says only `version.published orders` leaves the question open."""
    installation.configure(orders({"kind": "file", "path": "out/orders.csv"}))
    bring(installation, 1)
    installation.cli("run")

    (line,) = installation.cli("events", "--type", "version.published").out.splitlines()

    assert line.endswith("out/orders.csv")
