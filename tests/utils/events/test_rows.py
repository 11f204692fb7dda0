"""The table of events: what is looked for often is found by an index, however long the log is."""

from pathlib import Path
from typing import Any

import pytest

from utils.events import SCHEMA, EventStore, NewEvent
from utils.sqlite import SqliteDatabase


@pytest.mark.parametrize(
    "wanted", [{"source": "rare"}, {"type": "rare.came"}, {"subject": "rare"}], ids=["source", "type", "subject"]
)
def test_the_newest_are_found_without_looking_at_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: dict[str, Any]
) -> None:
    """Every row is looked up by its position, from link to link, and nothing is sorted (SQLite's plan)."""
    database = SqliteDatabase(tmp_path / "log.db", migrations=[SCHEMA])
    log = EventStore(database)
    log.append([NewEvent("often.came", f"s{n}", source="often") for n in range(200)])
    log.append([NewEvent("rare.came", "rare", source="rare") for _ in range(3)])
    database.query("ANALYZE")
    plan: list[str] = []
    query = database.query

    def planned(sql: str, values: Any = ()) -> Any:
        plan.extend(row[3] for row in query(f"EXPLAIN QUERY PLAN {sql}", values))
        return query(sql, values)

    monkeypatch.setattr(database, "query", planned)
    found = log.read(**wanted, limit=50, newest_first=True)
    log.close()
    database.close()

    assert [event.seq for event in found] == [203, 202, 201]
    looked = [step for step in plan if "log" in step or "B-TREE" in step]
    assert looked == ["SEARCH log USING INTEGER PRIMARY KEY (rowid=?)"] * 2
