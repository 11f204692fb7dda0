"""The profile of an installation: figures of columns over time, anomalies of one column, the command."""

import json
from pathlib import Path
from typing import Any

import pytest

from integrated_system import IntegratedSystem
from operations.detect import detect
from operations.metrics import as_prometheus
from tests.integration.installation import Installation


@pytest.fixture
def shop(tmp_path: Path) -> Installation:
    """One dataset that is read from a file of JSON; `_deliver` writes it."""
    found = Installation(tmp_path)
    found.configure(
        {
            "name": "orders",
            "collect": {"kind": "file", "path": "orders.json", "reread": "always"},
            "profile": {"distinct": ["country", "city"], "quantiles": True},
            "rules": [{"row_count": {"max": 1000}, "severity": "critical"}],
        }
    )
    return found


def _deliver(shop: Installation, rows: list[dict[str, Any]]) -> None:
    (shop.folder / "orders.json").write_text(json.dumps(rows))


def _history(system: IntegratedSystem) -> dict[str, list[float]]:
    blocks = system.history.blocks(["orders"])
    return {metric: block.series(metric)[1].tolist() for block in blocks for metric in block.metrics}


def test_every_new_batch_leaves_figures_of_its_columns(shop: Installation):
    """Always the cheap ones, the others of the columns that were asked for; content that is known leaves none."""
    _deliver(shop, [{"amount": 1, "country": "DE"}, {"amount": 4, "country": None}])
    shop.run()
    _deliver(shop, [{"amount": 10, "country": "TR"}, {"amount": 20, "country": "DE"}])
    shop.run(fresh=True)
    shop.run(fresh=True)

    with shop.system() as system:
        kept = _history(system)
        assert "orchestrator_recorded" not in as_prometheus(system)

    assert kept["rows"] == [2.0, 2.0, 2.0]
    assert kept["mean(amount)"] == [2.5, 15.0]
    assert kept["max(amount)"] == [4.0, 20.0]
    assert kept["p50(amount)"] == [1.0, 10.0]
    assert kept["nulls(country)"] == [0.5, 0.0]
    assert kept["distinct(country)"] == [1.0, 2.0]
    assert "distinct(amount)" not in kept
    (body, _) = shop.events("batch.accepted")
    assert body["profile"]["amount"]["mean"] == 2.5
    assert not {"min", "max"} & body["profile"]["amount"].keys()
    assert any("names a column `city` that is not there" in note for note in body["notes"])


def test_a_column_that_jumps_is_an_anomaly_with_its_name(shop: Installation):
    """The rows are as many as ever; their amounts are a hundred times as much: cents instead of euros."""
    for day in range(14):
        _deliver(shop, [{"amount": 20 + (day * 7 + row) % 5, "country": "DE"} for row in range(20)])
        shop.run(fresh=True)
    _deliver(shop, [{"amount": 100 * (20 + row % 5), "country": "DE"} for row in range(20)])
    (last,) = shop.run(fresh=True).datasets

    told = {event["metric"]: event["reason"] for event in shop.events("anomaly.detected")}
    with shop.system() as system:
        again = detect(system, ["orders.mean(amount)"])

    assert last.anomalies == len(told) >= 2
    assert told["mean(amount)"].startswith("mean(amount) 2,200, expected 2")
    assert "max(amount)" in told
    assert "rows" not in told
    assert [found["metric"] for found in again.anomalies] == ["mean(amount)"]
    assert again.learning == {}


def test_profile_shows_the_stored_table_with_everything(shop: Installation):
    """As a table for people, digit for digit as JSON; `--batch` shows what is held."""
    _deliver(shop, [{"amount": 2**53 + 1, "country": "DE"}, {"amount": 5, "country": None}])
    shop.run()
    _deliver(shop, [{"amount": 1, "country": "TR"}] * 1001)
    shop.run(fresh=True)

    shown = shop.cli("profile", "orders")
    (amount, country) = shop.cli("profile", "orders", "--json").json["columns"]
    held = shop.cli("profile", "orders", "--batch", "--json").json

    assert shown.out.startswith("orders: 2 rows, 2 columns, 25 % of the cells empty; collected ")
    lines = [line.split() for line in shown.out.splitlines() if line.startswith(("amount", "country"))]
    assert [line[:2] for line in lines] == [["amount", "int64"], ["country", "string"]]
    assert "9,007,199,254,740,993" in shown.out
    assert (amount["max"], amount["distinct"], amount["distinct_exact"]) == (2**53 + 1, 2, True)
    assert (country["min"], country["nulls"], country["length_mean"]) == ("DE", 1, 2.0)
    assert (held["rows"], held["columns"][1]["max"]) == (1001, "TR")


def test_profile_of_what_is_not_there_says_so(shop: Installation):
    """A name that is misspelt, and a dataset of which nothing came yet."""
    misspelt, early = shop.cli("profile", "order"), shop.cli("profile", "orders", "--json")

    assert (misspelt.code, early.code) == (2, 1)
    assert "orders" in misspelt.err
    assert early.json["error"]["hint"] == "run it: `run orders`"
