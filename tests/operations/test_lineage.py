"""Who is made of whom, as data."""

from typing import Any

import pytest

from config.errors import ConfigError
from operations.lineage import Input, Lineage, Link, lineage
from operations.versions import versions
from tests.integration import feed
from tests.integration.feed import Feed
from tests.integration.installation import Installation

ORDERS = {
    "name": "orders",
    "tags": ["shop"],
    "collect": {"kind": "python", "function": "tests.integration.feed:everything"},
}
PEOPLE = {"name": "people", "collect": {"kind": "simulated", "rows": 2, "columns": {"country": "string"}}}
TOTAL = {"name": "total", "transform": "tests.integration.sums:total", "depends_on": ["orders"]}
GRAND = {"name": "grand", "transform": "tests.integration.sums:grand", "depends_on": ["total"]}
LONELY = {"name": "lonely", "collect": {"kind": "simulated"}}


@pytest.fixture
def installation(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Installation:
    monkeypatch.setattr("tests.integration.feed.FEED", Feed())
    feed.FEED.rows = [{"country": "TR", "amount": 1}]
    found = Installation(tmp_path)
    sink = {"kind": "file", "path": str(tmp_path / "out.csv")}
    looks_up = {"references": {"column": "country", "dataset": "people", "key": "country", "severity": "warning"}}
    found.configure(ORDERS, PEOPLE, {**TOTAL, "rules": [looks_up]}, {**GRAND, "publish": [sink]}, LONELY)
    return found


def asked(installation: Installation, *selectors: str) -> Lineage:
    with installation.system() as system:
        return lineage(system, selectors)


def test_before_any_run_it_says_who_needs_whom(installation: Installation) -> None:
    """Of all datasets and the places they go to; each edge with the key that it comes from."""
    found = asked(installation)
    place = f"grand -> {installation.folder / 'out.csv'}"

    assert [node.id for node in found.nodes] == ["orders", "people", "total", "grand", place, "lonely"]
    assert found.edges == (
        Link("orders", "total", "depends_on"),
        Link("people", "total", "references"),
        Link("total", "grand", "depends_on"),
        Link("grand", place, "publish"),
    )
    assert {node.status for node in found.nodes if node.kind != "sink"} == {"never ran"}


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("total", ["orders", "people", "total", "grand"]),
        ("grand", ["orders", "people", "total", "grand"]),
        ("people", ["people", "total", "grand"]),
        ("tag:shop", ["orders", "total", "grand"]),
        ("lonely", ["lonely"]),
    ],
)
def test_of_one_dataset_it_shows_what_is_above_and_below(
    installation: Installation, selector: str, names: list[str]
) -> None:
    """And no edge to what is not shown."""
    found = asked(installation, selector)
    assert [node.id for node in found.nodes if node.kind != "sink"] == names
    assert {edge.source for edge in found.edges} | {edge.target for edge in found.edges} <= {
        node.id for node in found.nodes
    }


def test_it_says_what_the_newest_version_was_made_from(installation: Installation) -> None:
    """And whether there is newer: then it would be made again."""
    first = {one.dataset: one.version or "" for one in installation.run().datasets}
    total = next(node for node in asked(installation).nodes if node.id == "total")
    assert total.made_from == (Input("orders", first["orders"], True),)
    assert total.looked_at == (Input("people", first["people"], True),)
    assert total.code

    feed.FEED.rows = [{"country": "TR", "amount": 2}]
    installation.run("orders", fresh=True)
    total = next(node for node in asked(installation).nodes if node.id == "total")
    assert total.made_from == (Input("orders", first["orders"], False),)


def test_every_version_that_is_kept_says_what_it_was_made_from(installation: Installation) -> None:
    """Newest first; one of a dataset that was collected was made from none."""
    made = []
    for amount in (1, 2):
        feed.FEED.rows = [{"country": "TR", "amount": amount}]
        made.append({one.dataset: one.version for one in installation.run(fresh=True).datasets})
    with installation.system() as system:
        kept = {name: versions(system, name).to_json()["versions"] for name in ("total", "orders")}

    assert [one["inputs"] for one in kept["total"]] == [{"orders": one["orders"]} for one in reversed(made)]
    assert {one["inputs"] for one in kept["orders"]} == {None}


def test_the_command_prints_it(installation: Installation, capfd: pytest.CaptureFixture[str]) -> None:
    """As a table for people, as data with `--json`, and says which dataset was made of an older version."""
    import json

    installation.run()
    feed.FEED.rows = [{"country": "TR", "amount": 2}]
    installation.run("orders", fresh=True)
    capfd.readouterr()

    assert installation.typed("lineage", "total") == 0
    out = capfd.readouterr().out
    assert "tests.integration.sums:total" in out
    assert "total was made of an older version of orders: `run total`" in out
    assert "4 datasets, 2 of them made of others; 4 edges" in out

    assert installation.typed("lineage", "--json") == 0
    found = json.loads(capfd.readouterr().out)
    assert {"source": "orders", "target": "total", "kind": "depends_on"} in found["edges"]
    assert {node["id"]: node["kind"] for node in found["nodes"]}["grand"] == "derived"


def test_an_unknown_dataset_is_told(installation: Installation) -> None:
    """With the nearest."""
    with pytest.raises(ConfigError, match="did you mean `total`"):
        asked(installation, "totl")
