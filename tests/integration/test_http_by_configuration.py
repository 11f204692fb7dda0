"""HTTP sources nobody cleaned up, in one block of configuration each: exactly the rows that are there."""

from typing import Any

import pytest

from tests import faulty_server as fault
from tests.faulty_server import Answer, FaultyServer, Request
from tests.integration.installation import Installation


@pytest.fixture
def server() -> Any:
    with FaultyServer() as running:
        yield running


def rows(start: int, stop: int) -> list[dict[str, int]]:
    return [{"id": number} for number in range(start, stop)]


def ids(installation: Installation, dataset: str) -> list[int]:
    """The delivered rows."""
    with installation.system() as system:
        found: list[int] = system.load(dataset)["id"].tolist()
    return found


def test_counted_pages_end_with_an_empty_envelope(installation: Installation, server: FaultyServer) -> None:
    """`{"data": [], "page": 4}` is no row, no failure and no fifth request; the records are told to the collector."""

    def answer(request: Request) -> Answer:
        page = int(request.query["page"])
        return fault.as_json({"data": rows(page * 3 - 3, min(7, page * 3)), "tags": ["x"], "page": page})

    server.answer = answer
    collect = {"kind": "http", "url": server.url, "paginate": {"kind": "page"}, "success": "data"}
    installation.configure({"name": "things", "collect": collect, "parse": {"records": "data"}})

    run = installation.run_one(fresh=True)

    assert (run.status, run.rows, run.partial, server.count) == ("succeeded", 7, False, 4)
    assert ids(installation, "things") == list(range(7))


def test_offsets_of_a_provider_that_caps_its_pages_skip_nothing(
    installation: Installation, server: FaultyServer
) -> None:
    """A hundred rows are asked for, forty come."""

    def answer(request: Request) -> Answer:
        start = int(request.query["offset"])
        return fault.as_json(rows(start, min(95, start + min(40, int(request.query["limit"])))))

    server.answer = answer
    paginate = {"kind": "offset", "size": 100, "size_param": "limit"}
    installation.configure({"name": "things", "collect": {"kind": "http", "url": server.url, "paginate": paginate}})

    assert (installation.run_one(fresh=True).rows, server.count) == (95, 4)
    assert ids(installation, "things") == list(range(95))


def test_a_part_never_passes_for_the_whole(installation: Installation, server: FaultyServer) -> None:
    """Page 3 fails after its retries: two are delivered, degraded and called a part, since nothing else is there."""

    def answer(request: Request) -> Answer:
        page = int(request.query["page"])
        return fault.as_json(rows(page, page + 1)) if page < 3 else fault.status(500)

    server.answer = answer
    installation.configure(
        {"name": "things", "collect": {"kind": "http", "url": server.url, "paginate": {"kind": "page"}}}
    )

    run = installation.run_one(fresh=True)

    assert (run.status, run.partial, run.rows) == ("degraded", True, 2)
    assert "page 3 did not come" in str(run.reason)


def test_a_login_page_at_one_address_is_data_at_its_mirror(installation: Installation, server: FaultyServer) -> None:
    """Two hosts, two breakers, one dataset."""
    server.answer = fault.html()
    with FaultyServer(fault.ok(b"id,v\n1,2\n", "text/csv")) as mirror:
        collect = {"kind": "http", "url": server.url, "mirrors": [mirror.url], "success": "^id,v"}
        installation.configure({"name": "things", "collect": collect})
        assert installation.run_one(fresh=True).status == "succeeded"
    assert ids(installation, "things") == [1]


def test_details_are_collected_for_each_row_of_another_dataset(
    installation: Installation, server: FaultyServer
) -> None:
    """Two datasets, the second asked once for each station of the first; each row says which one it is of."""

    def answer(request: Request) -> Answer:
        if request.path == "/stations":
            return fault.as_json([{"id": "n/1"}, {"id": "s 2"}, {"id": "n/1"}])
        return fault.as_json([{"id": request.number, "at": request.path}])

    server.answer = answer
    base = f"http://{server.host}"
    each = {"dataset": "stations", "column": "id", "into": "station"}
    installation.configure(
        {"name": "stations", "collect": {"kind": "http", "url": f"{base}/stations"}},
        {"name": "readings", "collect": {"kind": "http", "url": f"{base}/s/{{station}}/now", "for_each": each}},
    )

    installation.run("stations", fresh=True)
    (run,) = installation.run("readings", fresh=True).datasets

    assert (run.status, run.rows) == ("succeeded", 2), run.reason
    assert [request.path for request in server.requests[1:]] == ["/s/n%2F1/now", "/s/s%202/now"]
    assert [row["station"] for row in installation.rows("readings")] == ["n/1", "s 2"]


def test_details_of_a_dataset_that_was_never_delivered_say_what_to_run(
    installation: Installation, server: FaultyServer
) -> None:
    """No request is made."""
    each = {"dataset": "stations", "column": "id", "into": "params.station"}
    installation.configure(
        {"name": "stations", "collect": {"kind": "http", "url": server.url}},
        {"name": "readings", "collect": {"kind": "http", "url": server.url, "for_each": each}},
    )

    (run,) = installation.run("readings", fresh=True).datasets

    assert (run.status, server.count) == ("failed", 0)
    assert "nothing was delivered of dataset `stations` yet" in str(run.reason)
