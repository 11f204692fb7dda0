"""The Python client against a real server: what it gives, what it raises, when it tries again."""

import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.client import ApiError, Client, Operations, Queries
from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.run import run
from operations.show import delivered
from tests.api.serving import served
from tests.api.test_operations import at_work
from tests.integration.installation import Installation


@pytest.fixture
def client(system: IntegratedSystem) -> Iterator[Client]:
    with served(system) as url, Client(url) as made:
        yield made


def test_a_run_in_three_calls(system: IntegratedSystem, client: Client) -> None:
    """Start it, wait for it, read the rows: each as it was stored."""
    with at_work(system):
        started = client.operations.run(["orders"], fresh=True)
        assert client.queries.wait(started["run_id"], timeout=120)["status"] == "succeeded"

    table = client.queries.table("orders", columns=["value", "id"])
    assert table.equals(delivered(system, "orders").table.select(["value", "id"]))
    assert client.queries.rows("orders", limit=2) == table.select(["id", "value"]).slice(0, 2).to_pylist()
    assert sum(batch.num_rows for batch in client.queries.batches("orders")) == table.num_rows


def test_the_example_of_the_papers_runs(system: IntegratedSystem, capsys: pytest.CaptureFixture[str]) -> None:
    """As it stands there, against a real server."""
    page = Path(__file__).parents[2] / "docs" / "api-paths.md"
    (example,) = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)

    with at_work(system), served(system) as url:
        exec(compile(example.replace("http://127.0.0.1:8000", url), str(page), "exec"), {})

    *states, rows, refused = capsys.readouterr().out.splitlines()
    assert states[-1] == "succeeded"
    assert rows == "100"
    assert refused.startswith("404 unknown dataset `order`; did you mean `orders`?")


def test_a_run_is_followed_to_its_end(system: IntegratedSystem, client: Client) -> None:
    """The last that comes is the run that is over."""
    started = run(system, Actor("test"), ["orders"])

    seen = list(client.queries.follow(started.run_id))

    assert [one["status"] for one in seen] == ["succeeded"]


def test_who_waits_is_told_when_the_time_is_up(
    system: IntegratedSystem, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run goes on; nobody takes it for over."""
    monkeypatch.setattr("operations.detached.start_detached", lambda *_: None)
    started = client.operations.run()

    with pytest.raises(ApiError, match=r"is queued after 0\.5 s") as raised:
        client.queries.wait(started["run_id"], timeout=0.5)

    assert raised.value.transient


def test_long_lists_come_page_after_page(
    system: IntegratedSystem, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as are asked for, over the limit of a page."""
    system.events.append([_fact(number) for number in range(1_500)])

    subjects = [event["subject"] for event in client.queries.events(limit=1_200, type="fact.told")]

    assert subjects == [str(number) for number in range(1_499, 299, -1)]


def _fact(number: int) -> Any:
    from utils.events import NewEvent

    return NewEvent("fact.told", str(number))


@pytest.mark.parametrize(
    ("ask", "status", "error", "words"),
    [
        (lambda client: client.queries.dataset("order"), 404, "ConfigError", "did you mean `orders`"),
        (lambda client: client.queries.table("order"), 404, "ConfigError", "did you mean `orders`"),
        (lambda client: client.queries.rows("orders"), 409, "PipelineError", "nothing was delivered yet"),
        (lambda client: client.operations.run(["order"]), 404, "ConfigError", "did you mean `orders`"),
        (lambda client: client.operations.take_back(7), 404, "UsageError", "there is no feedback 7"),
        (lambda client: client.get("/nothing"), 404, "NotFound", "Not Found"),
    ],
    ids=["query", "stream", "rows", "operation", "delete", "path"],
)
def test_what_is_refused_is_an_error_with_message_and_hint(
    client: Client, ask: Callable[[Client], Any], status: int, error: str, words: str
) -> None:
    """The same words as those of the command line."""
    with pytest.raises(ApiError) as raised:
        ask(client)

    found = raised.value
    assert (found.status, found.error) == (status, error)
    assert words in found.message
    assert found.hint or "Declared are: orders" in found.message
    assert found.request_id
    assert not found.transient


def test_nobody_there_is_told_with_what_to_do(tmp_path: Path) -> None:
    """After three tries."""
    pauses: list[float] = []
    with Client("http://127.0.0.1:1", sleep=pauses.append) as client, pytest.raises(ApiError) as raised:
        client.queries.status()

    assert (raised.value.status, raised.value.transient, len(pauses)) == (0, True, 2)
    assert raised.value.hint == "is `api` or `serve` running there?"


def test_what_fails_in_passing_is_tried_again_with_the_same_key() -> None:
    """503 and 429 after the pause that is asked for; a POST is the same request each time."""
    seen: list[httpx.Request] = []
    answers = [
        httpx.Response(503, headers={"Retry-After": "2"}, json={"detail": "in trouble", "transient": True}),
        httpx.Response(429, headers={"Retry-After": "1"}, json={"detail": "too often", "transient": True}),
        httpx.Response(202, json={"run_id": "one"}),
    ]

    def answered(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return answers[len(seen) - 1]

    pauses: list[float] = []
    with Client("http://there", token="t", transport=httpx.MockTransport(answered), sleep=pauses.append) as client:
        assert client.operations.run(["orders"]) == {"run_id": "one"}

    assert pauses == [2.0, 1.0]
    assert len({request.headers["idempotency-key"] for request in seen}) == 1
    assert {request.headers["authorization"] for request in seen} == {"Bearer t"}


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(503, headers={"Retry-After": "3600"}, json={"detail": "later", "transient": True}),
        httpx.Response(504, json={"detail": "no answer", "transient": True}),
        httpx.Response(500, text="<html>"),
        httpx.Response(401, json={"detail": "a token is needed", "transient": False}),
    ],
    ids=["long", "late", "foreign", "unknown"],
)
def test_what_does_not_pass_soon_is_told_at_once(answer: httpx.Response) -> None:
    """No try more: an hour's pause is the caller's to take."""
    seen: list[httpx.Request] = []

    def answered(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return answer

    transport = httpx.MockTransport(answered)
    with Client("http://there", transport=transport, sleep=lambda _: None) as client, pytest.raises(ApiError) as raised:
        client.operations.run()

    assert len(seen) == 1
    assert raised.value.status == answer.status_code


def test_each_method_asks_a_path_that_there_is(installation: Installation) -> None:
    """Whatever the client can say, the API understands: no path, parameter or field that is not in the document."""
    from api.app import create_app

    sent: list[httpx.Request] = []

    def answered(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        raise httpx.ConnectError("seen")

    with Client("http://there", transport=httpx.MockTransport(answered), sleep=lambda _: None) as client:
        for part in (client.queries, client.operations):
            for name in _methods(type(part)):
                with pytest.raises(ApiError):
                    _called(getattr(part, name))
    with installation.system() as system:
        document = create_app(system).openapi()
    paths = document["paths"].items()
    known = {path.removeprefix("/api/v1"): ways for path, ways in paths if path.startswith("/api/v1/")}

    for request in sent:
        path = request.url.path.removeprefix("/api/v1")
        (ways,) = [one for place, one in known.items() if _is(place, path)][:1]
        way = ways[request.method.lower()]
        names = {one["name"] for one in way.get("parameters", []) if one["in"] == "query"}
        assert set(request.url.params.keys()) <= names, path
    assert len(sent) > 40


def _methods(kind: type[Queries] | type[Operations]) -> list[str]:
    return [name for name in vars(kind) if not name.startswith("_")]


_SAMPLE = {"str": "x", "float": 1.0, "int": 1}


def _called(method: Any) -> Any:
    """A method with something for all that it needs."""
    places, named = [], {}
    for one in inspect.signature(method).parameters.values():
        value = _SAMPLE.get(getattr(one.annotation, "__name__", ""), "fine")
        if one.kind is one.VAR_POSITIONAL:
            places.append("x")
        elif one.default is one.empty and one.kind is one.POSITIONAL_OR_KEYWORD:
            places.append(value)
        elif one.default is one.empty and one.kind is one.KEYWORD_ONLY:
            named[one.name] = value
    found = method(*places, **named)
    return list(found) if hasattr(found, "__next__") else found


def _is(place: str, path: str) -> bool:
    pattern = "".join(
        "[^/]+" if piece.startswith("{") else re.escape(piece) for piece in re.split(r"(\{[^}]+\})", place)
    )
    return re.fullmatch(pattern, path) is not None
