"""Every path gives what the operation tells, and what the OpenAPI document promises."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import jsonschema
import pytest

from api.app import create_app
from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.alerting import after_run
from operations.run import run
from tests.api.conftest import UNBOUND
from tests.api.serving import asked
from tests.integration.installation import Installation

ME = Actor("test")

DOWN = {"kind": "simulated", "script": [{"after": "0s", "do": "down"}]}

DATASETS: tuple[dict[str, Any], ...] = (
    {
        "name": "orders",
        "collect": {"kind": "simulated", "rows": 20, "columns": {"id": "integer", "value": "float"}},
        "rules": [{"range": {"column": "id", "max": 17}}],
        "objective": {"fresh": 0.99},
        "promise": {"max_age": "2h"},
        "schedule": {"every": "1h"},
    },
    {
        "name": "held",
        "collect": {"kind": "simulated", "rows": 20},
        "rules": [{"range": {"column": "id", "max": -1, "severity": "critical"}}],
    },
    {"name": "broken", "collect": DOWN, "promise": {"max_age": "1h"}},
    {
        "name": "daily",
        "collect": {"kind": "simulated", "rows": 3},
        "write": "append",
        "partition": {"by": ["a", "b"]},
    },
)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IntegratedSystem]:
    """After a run of datasets that deliver, are held, and fail: with an incident, and a recorded number."""
    made = Installation(tmp_path_factory.mktemp("ran"))
    made.configure(*DATASETS, api=UNBOUND)
    with made.system() as system:
        run(system, ME, ["orders", "held", "broken"])
        after_run(system)
        for value in range(3):
            system.record("open", float(value), tags={"shop": "berlin"})
        yield system


def test_every_answer_is_as_the_document_says(ran: IntegratedSystem) -> None:
    """Each GET, asked for what there is, answers 200 with a body that fits its schema."""
    document = create_app(ran).openapi()
    (incident, *_) = [one["id"] for one in _body(ran, "/api/v1/incidents")["incidents"]]
    (latest,) = _body(ran, "/api/v1/runs")["items"]
    places = {
        "{name}": "orders",
        "{dataset}": "orders",
        "{run_id}": latest["run_id"],
        "{incident}": incident,
        "{seq}": "1",
    }
    queries = {
        "/incidents/trial": {"event": "dataset.failed", "dataset": "orders"},
        "/metrics/history": {"metric": ["open", "orders.rows"]},
        "/anomalies/expected": {"metric": ["orders.rows"]},
        "/incidents": {"over": "5"},
        "/news": {"since": "2026-01-01T00:00:00Z"},
        "/datasets/{name}/difference": {"before": latest["run_id"], "after": latest["run_id"]},
    }
    paths = [path for path, ways in document["paths"].items() if path.startswith("/api/v1/") and "get" in ways]
    left_out = ("/follow", "/backfills/{backfill}", "/partitions", "/tokens", "/letters/{key}")

    async def talk(client: httpx.AsyncClient) -> dict[str, tuple[int, Any]]:
        found = {}
        for path in paths:
            if path.endswith(left_out):
                continue
            place = path
            for name, value in places.items():
                place = place.replace(name, value)
            query = queries.get(path.removeprefix("/api/v1"), {})
            answer = await client.get(place, params=query)
            found[path] = answer.status_code, answer.json()
        return found

    answers = asked(ran, talk)

    assert {path: status for path, (status, _) in answers.items() if status != 200} == {}
    assert len(answers) > 25
    for path, (_, body) in answers.items():
        content = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
        _fits(body, content["schema"], document, path)


def test_every_document_has_an_example_for_what_is_sent(ran: IntegratedSystem) -> None:
    """Whoever opens the page sees for each path what it does; each body that is sent takes its own examples."""
    document = create_app(ran).openapi()
    for path, ways in document["paths"].items():
        for way, told in ways.items():
            if path.startswith("/api/v1/"):
                assert told.get("summary"), (way, path)
                assert told.get("description"), (way, path)
                assert told.get("tags"), (way, path)
                assert "default" in told["responses"] or "4XX" in told["responses"], (way, path)


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/status", lambda system: _operation("status").status(system)),
        ("/datasets/orders/why", lambda system: _operation("why").why(system, "orders")),
        ("/datasets/orders/versions", lambda system: _operation("versions").versions(system, "orders")),
        ("/datasets/orders/profile", lambda system: _operation("profile").profile(system, "orders")),
        ("/schedules", lambda system: _operation("schedules").listed(system)),
        ("/incidents", lambda system: _operation("alerts").listed(system)),
        ("/anomalies", lambda system: _operation("detect").detect(system)),
    ],
    ids=["status", "why", "versions", "profile", "schedules", "incidents", "anomalies"],
)
def test_a_body_is_what_the_command_prints_with_json(
    ran: IntegratedSystem, path: str, query: Callable[[IntegratedSystem], Any]
) -> None:
    """The same operation, the same document; only ages have moved meanwhile."""
    told = _body(ran, f"/api/v1{path}")
    printed = json.loads(json.dumps(query(ran).to_json()))

    assert _shape(told) == _shape(printed)


def test_what_does_not_exist_is_not_found_and_says_what_does(ran: IntegratedSystem) -> None:
    """A name that is nearly right is answered with the right one."""

    async def talk(client: httpx.AsyncClient) -> list[httpx.Response]:
        paths = ("datasets/order", "runs/nothing", "backfills/nothing", "incidents/ffffffff", "datasets/order/data")
        return [await client.get(f"/api/v1/{path}") for path in paths]

    answers = asked(ran, talk)

    assert {answer.status_code for answer in answers} == {404}
    assert {answer.headers["content-type"] for answer in answers} == {"application/problem+json"}
    assert "did you mean `orders`?" in answers[0].json()["detail"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/runs?stauts=failed", "there is no parameter `stauts`; did you mean `status`?"),
        ("/runs?status=well", "query.status"),
        ("/runs?limit=0", "query.limit"),
        ("/status?as_of=yesterday", "this is no time"),
        ("/datasets/orders/history?since=2026-11-20T08:00:00Z&until=2026-11-20T08:00:00Z", "not before `until`"),
        ("/datasets/orders/data?columns=idd", "no column `idd`; did you mean `id`?"),
        ("/datasets/orders/data?columns=id,id", "there twice"),
        ("/datasets/orders/data?format=xml", "query.format"),
    ],
    ids=["name", "value", "number", "time", "range", "column", "twice", "format"],
)
def test_a_wrong_parameter_is_told(ran: IntegratedSystem, path: str, words: str) -> None:
    """Which, and what is wrong with it."""

    async def talk(client: httpx.AsyncClient) -> httpx.Response:
        return await client.get(f"/api/v1{path}")

    answer = asked(ran, talk)

    assert answer.status_code == (404 if "no column" in words else 422)
    assert words in answer.json()["detail"]


def test_a_list_is_paged_to_its_end_without_repeating(ran: IntegratedSystem) -> None:
    """What happens meanwhile moves nothing: the pages together are the log as it was at the first one."""

    async def talk(client: httpx.AsyncClient) -> tuple[list[int], int]:
        found: list[int] = []
        cursor: str | None = None
        head = (await client.get("/api/v1/events", params={"limit": 1})).json()["items"][0]["seq"]
        while True:
            query = {"limit": "3"} if cursor is None else {"limit": "3", "cursor": cursor}
            page = (await client.get("/api/v1/events", params=query)).json()
            found += [event["seq"] for event in page["items"]]
            if (cursor := page["next"]) is None:
                return found, head
            await client.post("/api/v1/cache/clear")  # is an event

    found, head = asked(ran, talk)

    assert found == list(range(head, 0, -1))


@pytest.mark.parametrize(
    "of",
    [lambda cursor: "none of ours", lambda cursor: cursor[:-4] + "AAAA", lambda cursor: "WyJhIiwxXQ=="],
    ids=["words", "damaged", "forged"],
)
def test_a_cursor_of_another_query_is_refused(ran: IntegratedSystem, of: Callable[[str], str]) -> None:
    """Whoever changes the query, or makes a cursor up, is told; never given other rows."""

    async def talk(client: httpx.AsyncClient) -> list[httpx.Response]:
        page = (await client.get("/api/v1/events", params={"limit": 1})).json()
        other = {"type": "run.*", "cursor": page["next"]}
        made_up = {"limit": 1, "cursor": of(page["next"])}
        return [await client.get("/api/v1/events", params=query) for query in (other, made_up)]

    answers = asked(ran, talk)

    assert [answer.status_code for answer in answers] == [422, 422]


def test_a_cursor_that_holds_something_else_is_refused(ran: IntegratedSystem) -> None:
    """It belongs to the query, and its position is none."""

    async def talk(client: httpx.AsyncClient) -> httpx.Response:
        import base64

        page = (await client.get("/api/v1/events", params={"limit": 1})).json()
        made_of, _ = json.loads(base64.urlsafe_b64decode(page["next"]))
        forged = base64.urlsafe_b64encode(json.dumps([made_of, {"a": 1}]).encode()).decode()
        return await client.get("/api/v1/events", params={"limit": 1, "cursor": forged})

    assert asked(ran, talk).status_code == 422


def _fits(body: Any, schema: Mapping[str, Any], document: Mapping[str, Any], path: str) -> None:
    whole = {**schema, "components": document["components"]}
    problems = [error.message for error in jsonschema.Draft202012Validator(whole).iter_errors(body)]
    assert problems == [], path


def _body(system: IntegratedSystem, path: str) -> Any:
    async def talk(client: httpx.AsyncClient) -> Any:
        answer = await client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return asked(system, talk)


def _operation(name: str) -> Any:
    from importlib import import_module

    return import_module(f"operations.{name}")


def _shape(document: Any) -> Any:
    """A document without its numbers: ages move."""
    if isinstance(document, dict):
        return {name: _shape(value) for name, value in document.items()}
    if isinstance(document, list):
        return [_shape(value) for value in document]
    return "number" if isinstance(document, int | float) and not isinstance(document, bool) else document
