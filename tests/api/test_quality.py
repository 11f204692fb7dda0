"""The quality of all datasets over the API, scores by day, and quarantined rows page by page."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.run import run
from tests.api.conftest import UNBOUND
from tests.api.serving import asked
from tests.integration.installation import Installation
from utils.history.series import labels_of


@pytest.fixture
def installation(installation: Installation) -> Installation:
    """One dataset that is as it should be, one with two broken rules, one that never brought anything."""
    rows = {"kind": "simulated", "rows": 20}
    installation.configure(
        {"name": "good", "collect": rows, "rules": [{"not_null": ["id"]}]},
        {
            "name": "bad",
            "collect": rows,
            "rules": [
                {"range": {"column": "id", "max": 11, "severity": "warning", "id": "nearly"}},
                {"range": {"column": "id", "max": 14}},
                {"not_null": ["id"]},
            ],
        },
        {"name": "away", "collect": {"kind": "simulated", "script": [{"after": "0s", "do": "down"}]}},
        api=UNBOUND,
    )
    return installation


def _asked(system: IntegratedSystem, *paths: str) -> list[Any]:
    async def talk(client: httpx.AsyncClient) -> list[Any]:
        return [(await client.get(f"/api/v1{path}")).json() for path in paths]

    return asked(system, talk)


def test_broken_rules_come_worst_first_with_advice(system: IntegratedSystem) -> None:
    """And the datasets by their scores; what nothing broke is told when it is asked for."""
    run(system, Actor("test"))

    found, everything = _asked(system, "/quality", "/quality?passed=true")

    assert [one["dataset"] for one in found["datasets"]] == ["bad", "good", "away"]
    assert [one["score"] for one in found["datasets"]][1:] == [100.0, None]
    bad = found["datasets"][0]
    assert (bad["rules"], bad["broken"], bad["waiting"], bad["rows"]) == (3, 2, 6, 20)
    assert [(one["severity"], one["failed"], one["of"]) for one in found["rules"]] == [
        ("error", 6, 20),
        ("warning", 9, 20),
    ]
    assert all(one["advice"] and one["dataset"] == "bad" for one in found["rules"])
    assert [(one["dataset"], one["failed"]) for one in everything["rules"]][2:] == [("bad", 0), ("good", 0)]
    assert [one["advice"] for one in everything["rules"]][2:] == ["", ""]


def test_scores_are_told_by_day(system: IntegratedSystem) -> None:
    """The least, the mean and the last of each day that had any."""
    now = system.clock.now()
    points = [(timedelta(days=2), 80.0), (timedelta(days=2, seconds=1), 60.0), (timedelta(seconds=1), 95.0)]
    times = [(now - before).timestamp() for before, _ in points]
    for time, (_, score) in sorted(zip(times, points, strict=True)):
        system.history.append("quality", [time], [score], labels_of("good"))

    days, one, wrong, unknown = _asked(
        system,
        "/quality/days",
        "/quality/days?dataset=good",
        "/quality/days?since=2020-01-01T00:00:00Z",
        "/quality/days?dataset=god",
    )

    assert {entry["dataset"] for entry in days["datasets"]} == {"good", "bad", "away"}
    (good,) = one["datasets"]
    assert sum(day["count"] for day in good["days"]) == 3
    assert min(day["low"] for day in good["days"]) == 60.0
    newest = good["days"][-1]
    assert (newest["low"], newest["mean"], newest["last"]) == (95.0, 95.0, 95.0)
    assert one["first"] < good["days"][0]["day"] < newest["day"] <= one["last"]
    assert wrong["detail"] == "these are more than 400 days"
    assert "did you mean `good`" in unknown["detail"]


def test_quarantined_rows_come_page_by_page(system: IntegratedSystem) -> None:
    """In the order of the batch, to the last one; beyond there is none."""
    run(system, Actor("test"), ["bad"])

    pages = _asked(system, *(f"/quarantine/bad?limit=4&after={after}&format=json" for after in (0, 4, 8)))

    assert [[row["_row"] for row in page] for page in pages] == [[15, 16, 17, 18], [19, 20], []]
    assert {rule for page in pages for row in page for rule in row["_rules"]}
