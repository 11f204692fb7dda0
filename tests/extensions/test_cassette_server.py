"""The cassette server: real HTTP, and faults where the script says."""

import httpx
import pytest

from data_pipeline.collect.cassette import Cassette, Exchange
from extensions.cassette_server import CassetteServer, Fault

pytest_plugins = ["extensions.pytest_cassette"]

HOME = "https://api.example.org"
TAPE = Cassette(
    "orders",
    HOME,
    "2026-03-01T07:05:00+00:00",
    (
        Exchange("GET", "/orders", (), "", 200, {"content-type": "application/json", "etag": '"1"'}, b'[{"id": 1}]'),
        Exchange("POST", "/search", (), '{"after": null}', 200, {"content-type": "application/json"}, b'{"items": []}'),
    ),
)


def test_it_answers_as_the_provider_did() -> None:
    """Status, headers, body; POST as well as GET; and says what it holds when asked for something else."""
    with CassetteServer(TAPE) as server, httpx.Client(base_url=server.url, timeout=120) as client:
        answer = client.get("/orders")
        assert (answer.status_code, answer.headers["etag"], answer.json()) == (200, '"1"', [{"id": 1}])
        assert client.post("/search", json={"after": None}).json() == {"items": []}
        missing = client.get("/customers")
        assert missing.status_code == 404
        assert "GET /orders" in missing.text
        assert server.requests == [("GET", "/orders"), ("POST", "/search"), ("GET", "/customers")]


def test_faults_come_at_their_requests_and_the_tape_waits() -> None:
    """One 503 with a time to wait, then a login page, then half of the body, then the answer itself."""
    faults = [
        Fault(at=1, status=503, retry_after=2),
        Fault(at=2, do="garbage"),
        Fault(at=3, do="half"),
        Fault(at=4, do="reset"),
    ]
    with CassetteServer(TAPE, faults=faults) as server, httpx.Client(base_url=server.url, timeout=120) as client:
        first = client.get("/orders")
        assert (first.status_code, first.headers["retry-after"]) == (503, "2")
        assert "Please sign in" in client.get("/orders").text
        with pytest.raises(httpx.RemoteProtocolError):
            client.get("/orders")
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            client.get("/orders")
        assert client.get("/orders").json() == [{"id": 1}]


def test_a_request_that_hangs_ends_with_the_server() -> None:
    """The client's time-out is what ends it; leaving the block waits for nobody."""
    with CassetteServer(TAPE, faults=[Fault(at=1, do="hang", until=0)]) as server, pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{server.url}/orders", timeout=0.1)


@pytest.mark.parametrize(("until", "hit"), [(None, [2]), (3, [2, 3]), (0, [2, 3, 4])])
def test_a_fault_lasts_as_long_as_it_says(until: int | None, hit: list[int]) -> None:
    """Once, until a request, or for ever."""
    fault = Fault(at=2, until=until)
    assert [number for number in range(1, 5) if fault.hits(number)] == hit


def test_the_fixture_plays_a_file(play, tmp_path) -> None:  # type: ignore[no-untyped-def]  # a fixture of ours
    """From a path, and ends with the test."""
    path = tmp_path / "orders.json"
    path.write_bytes(TAPE.to_bytes())

    server = play(path)

    assert httpx.get(f"{server.url}/orders", timeout=120).json() == [{"id": 1}]
