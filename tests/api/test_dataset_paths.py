"""What the API tells of one dataset's past: its runs, versions, rows of any of them; and a run from raw answers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.client import ApiError, Client
from api.in_process import ApiHere
from integrated_system import IntegratedSystem
from operations.actor import Actor
from tests.api.conftest import UNBOUND
from tests.api.test_operations import at_work
from tests.integration.installation import Installation


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """A dataset of a file that came twice, raw answers kept; and one that is made of it."""
    made, file = Installation(tmp_path), tmp_path / "in.csv"
    orders = {
        "name": "orders",
        "collect": {"kind": "file", "path": str(file)},
        "keep_raw": "7d",
        "rules": [{"not_null": ["id"]}],
    }
    made.configure(orders, {"name": "fx", "collect": {"kind": "simulated"}, "depends_on": ["orders"]}, api=UNBOUND)
    for content in ("id\n1\n2\n", "id\n1\n2\n3\n"):
        file.write_text(content)
        made.run("orders", fresh=True)
    return made


@pytest.fixture
def client(system: IntegratedSystem) -> Iterator[Client]:
    here = ApiHere(system)
    yield here.client(Actor("tester", "operator"))
    here.close()


def test_a_datasets_runs_come_page_after_page(client: Client) -> None:
    """Newest first, whatever the page's size; each with its time."""
    whole = list(client.queries.dataset_runs("orders"))
    first = client.get("/datasets/orders/runs", limit=1)
    second = client.get("/datasets/orders/runs", limit=1, cursor=first["next"])

    assert [run["rows"] for run in whole] == [3, 2]
    assert [*first["items"], *second["items"]] == whole
    assert second["next"] is None
    assert all(run["time"] for run in whole)


def test_rows_of_any_version_and_any_page(client: Client) -> None:
    """Those of an older version, those behind the first ones; none behind the last."""
    versions = client.queries.versions("orders")["versions"]

    def ids(**asked: Any) -> list[int]:
        found: list[int] = client.queries.table("orders", **asked)["id"].to_pylist()
        return found

    assert ids() == [1, 2, 3]
    assert ids(after=1, limit=1) == [2]
    assert ids(after=9) == []
    assert ids(version=versions[1]["version"]) == [1, 2]
    assert ids(version=versions[1]["version"], after=1, columns=["id"]) == [2]
    with pytest.raises(ApiError, match="no version x"):
        ids(version="x")
    with pytest.raises(ApiError, match="leave one of them out"):
        ids(version=versions[1]["version"], batch=True)


def test_a_table_comes_as_a_file_part_by_part(client: Client) -> None:
    """What readers get, or a version."""
    first = client.queries.versions("orders")["versions"][1]["version"]

    assert b"".join(client.queries.download("orders")).split() == [b"id", b"1", b"2", b"3"]
    assert b"".join(client.queries.download("orders", version=first)).split() == [b"id", b"1", b"2"]
    assert next(client.queries.download("orders", format="parquet")).startswith(b"PAR1")


def test_what_differs_between_versions_is_told(client: Client) -> None:
    """The last two are the default; one of another dataset there is not."""
    found = client.queries.difference("orders")
    versions = client.queries.versions("orders")["versions"]
    back = client.queries.difference("orders", versions[0]["version"], versions[1]["version"])

    assert (found["rows"]["added"], found["rows"]["samples"]["added"]) == (1, [{"id": "3"}])
    assert (back["rows"]["added"], back["rows"]["removed"]) == (0, 1)
    with pytest.raises(ApiError) as raised:
        client.queries.difference("fx")
    assert (raised.value.status, "nothing was delivered" in raised.value.message) == (409, True)


def test_a_run_is_asked_for_from_raw_answers(system: IntegratedSystem, client: Client) -> None:
    """What came in the first run comes again, without the file; of another run nothing is kept, and it is said."""
    first = client.queries.raw("orders")["runs"][-1]["run_id"]

    with at_work(system):
        asked = client.operations.run(["orders"], from_raw=first)
        ran = client.queries.wait(asked["run_id"], timeout=120)

    assert ran["datasets"][0]["rows"] == 2
    with pytest.raises(ApiError, match="no raw answers of run none are kept"):
        client.operations.run(["orders"], from_raw="none")


def test_versions_and_scores_are_told_as_of_a_moment(client: Client) -> None:
    """Before the second run there was one version."""
    versions = client.queries.versions("orders")["versions"]
    then = versions[1]["time"]

    assert [one["version"] for one in client.queries.versions("orders", as_of=then)["versions"]] == [
        versions[1]["version"]
    ]
    assert len(client.queries.quality_history("orders")["points"]) == 2
    with pytest.raises(ApiError, match="has not come yet"):
        client.queries.versions("orders", as_of="2999-01-01T00:00:00Z")


def test_lineage_is_told_of_what_is_above_and_below(client: Client) -> None:
    """Of one dataset, or of all."""
    edges = client.queries.lineage("orders")["edges"]

    assert edges == client.queries.lineage()["edges"]
    assert [(one["source"], one["target"]) for one in edges] == [("orders", "fx")]
