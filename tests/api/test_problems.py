"""Errors as the API tells them."""

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from api.cached import read
from api.problems import Problem
from integrated_system import IntegratedSystem
from operations.actor import NotAllowedError, UsageError
from tests.api.serving import asked
from utils.database import StateError
from utils.events.commits import ConcurrencyError


class Order(BaseModel):
    amount: int


def _extend(error: Exception | None = None):
    def extend(app: FastAPI) -> None:
        @app.get("/raises")
        async def raises() -> None:
            assert error is not None
            raise error

        @app.post("/order")
        async def order(order: Order) -> int:
            return order.amount

    return extend


@pytest.mark.parametrize(
    ("error", "status", "transient"),
    [
        (UsageError("no such colour", hint="take blue"), 422, False),
        (UsageError("no such thing", hint="look", missing=True), 404, False),
        (NotAllowedError("you are viewer"), 403, False),
        (StateError("the disk is full", hint="make room"), 503, False),
        (StateError("it is locked", hint="wait", transient=True), 503, True),
        (ConcurrencyError("it moved on", hint="look again"), 409, False),
    ],
    ids=["usage", "unknown name", "role", "state", "state for a moment", "conflict"],
)
def test_errors_of_ours_say_the_same_as_on_the_command_line(
    system: IntegratedSystem, error: Exception, status: int, transient: bool
) -> None:
    """Message, hint, name and `transient` of the error, in a problem of the right status."""

    async def talk(client: httpx.AsyncClient) -> httpx.Response:
        return await client.get("/raises")

    answer = asked(system, talk, extend=_extend(error))

    told = Problem.model_validate(answer.json())
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, told.status, told.transient) == (status, status, transient)
    assert (told.detail, told.error) == (str(error), type(error).__name__)
    assert told.hint == getattr(error, "hint", "")
    assert told.instance == "/raises"
    assert told.request_id == answer.headers["x-request-id"]
    assert ("retry-after" in answer.headers) == (status == 503)


def test_what_nobody_expected_says_its_name_only(system: IntegratedSystem, caplog: pytest.LogCaptureFixture) -> None:
    """The words of an unexpected error may hold anything: they go to the log, not to the asker."""

    async def talk(client: httpx.AsyncClient) -> httpx.Response:
        return await client.get("/raises")

    answer = asked(system, talk, extend=_extend(ZeroDivisionError("4711 is a secret")))

    assert (answer.status_code, answer.json()["detail"]) == (500, "internal error: ZeroDivisionError")
    assert "4711" not in answer.text
    assert "4711" in str([vars(record).get("entry") for record in caplog.records])


@pytest.mark.parametrize(
    ("body", "kind", "status", "words"),
    [
        (b'{"amount": "four and a secret"}', "application/json", 422, "body.amount"),
        (b'{"amount": ', "application/json", 400, "no JSON"),
        (b"amount=4", "application/x-www-form-urlencoded", 415, "not declared as JSON"),
        (b'{"amount": 4}', "text/plain", 415, "not declared as JSON"),
    ],
    ids=["wrong value", "cut off", "a form", "JSON declared as text"],
)
def test_a_body_that_cannot_be_understood_is_told_with_the_place(
    system: IntegratedSystem, body: bytes, kind: str, status: int, words: str
) -> None:
    """Which value is wrong, and never the value itself."""

    async def talk(client: httpx.AsyncClient) -> httpx.Response:
        return await client.post("/order", content=body, headers={"Content-Type": kind})

    answer = asked(system, talk, extend=_extend())

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert words in answer.json()["detail"]
    assert "secret" not in answer.text


def test_paths_and_methods_that_are_not_there_are_problems(system: IntegratedSystem) -> None:
    """404 and 405, with what is allowed."""

    async def talk(client: httpx.AsyncClient) -> list[httpx.Response]:
        return [await client.get("/nowhere"), await client.post("/livez")]

    missing, wrong = asked(system, talk)

    assert (missing.status_code, wrong.status_code) == (404, 405)
    assert wrong.headers["allow"] == "GET"
    assert {answer.headers["content-type"] for answer in (missing, wrong)} == {"application/problem+json"}


def test_a_form_that_we_have_not_is_not_acceptable(system: IntegratedSystem) -> None:
    """`Accept` without JSON is 406, and says what there is."""

    def extend(app: FastAPI) -> None:
        from starlette.requests import Request

        @app.get("/read")
        async def route(request: Request) -> None:
            return await read(request, lambda _: {"a": 1})

    async def talk(client: httpx.AsyncClient) -> list[httpx.Response]:
        accepts = ("text/html", "application/json;q=0", "text/html, application/*;q=0.1")
        return [await client.get("/read", headers={"Accept": accept}) for accept in accepts]

    answers = asked(system, talk, extend=extend)

    assert [answer.status_code for answer in answers] == [406, 406, 200]
    assert "application/json" in answers[0].json()["hint"]
