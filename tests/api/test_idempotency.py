"""`Idempotency-Key`: asked twice, done once."""

import asyncio
import contextlib
import threading

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse

from api.app import create_app
from api.asking import ask
from integrated_system import IntegratedSystem
from operations.actor import UsageError
from tests.api.serving import asked, client_of
from tests.databases import opened_at
from tests.integration.installation import Installation
from utils.clock import SYSTEM_CLOCK, ManualClock
from utils.database import StateError
from utils.events import NewEvent
from utils.idempotency import SCHEMA, Answers, Kept

KEY = {"Idempotency-Key": "0198f2d2-5b0e"}


class Order(BaseModel):
    amount: int


def _buy(system: IntegratedSystem, amount: int) -> int:
    if amount == 13:
        raise UsageError("thirteen are not sold", hint="take twelve")
    if amount == 99:
        raise StateError("the log cannot be written", hint="make room")
    (event,) = system.events.append([NewEvent("test.bought", "x", {"amount": amount})])
    return event.seq


def _extend(app: FastAPI) -> None:
    @app.post("/orders")
    async def buy(request: Request, order: Order) -> JSONResponse:
        seq = await ask(request, _buy, order.amount)
        return JSONResponse({"order": seq}, 202, headers={"Location": f"/orders/{seq}"})


async def _order(client: httpx.AsyncClient, amount: int = 4, **headers: str) -> httpx.Response:
    return await client.post("/orders", json={"amount": amount}, headers={**KEY, **headers})


def _bought(system: IntegratedSystem) -> int:
    return len(system.events.read(type="test.bought"))


def test_a_second_request_gets_the_first_answer_also_after_a_restart(installation: Installation) -> None:
    """The same status, body and location, and nothing is done again; the answer says that it is a repetition."""

    async def talk(client: httpx.AsyncClient) -> list[httpx.Response]:
        return [await _order(client), await _order(client)]

    with installation.system() as system:
        first, second = asked(system, talk, extend=_extend)
    with installation.system() as system:
        third, _ = asked(system, talk, extend=_extend)
        assert _bought(system) == 1

    assert first.status_code == 202
    for again in (second, third):
        assert (again.status_code, again.content) == (202, first.content)
        assert again.headers["location"] == first.headers["location"]
        assert (again.headers["idempotent-replayed"], "idempotent-replayed" in first.headers) == ("true", False)


def test_of_two_at_once_one_is_done_and_both_are_answered(installation: Installation) -> None:
    """Two processes over one state are asked at the same moment."""

    async def talk(one: IntegratedSystem, other: IntegratedSystem) -> list[httpx.Response]:
        async with contextlib.AsyncExitStack() as stack:
            clients = []
            for system in (one, other):
                app = create_app(system)
                _extend(app)
                clients.append(await stack.enter_async_context(client_of(app)))
            return list(await asyncio.gather(*(_order(client) for client in clients * 3)))

    with installation.system() as one, installation.system() as other:
        answers = asyncio.run(talk(one, other))
        assert _bought(one) == 1

    assert {(answer.status_code, answer.text) for answer in answers} == {(202, answers[0].text)}
    assert sum("idempotent-replayed" in answer.headers for answer in answers) == 5


def test_another_body_with_the_same_key_is_refused(system: IntegratedSystem) -> None:
    """422: a key belongs to one thing that is to be done."""

    async def talk(client: httpx.AsyncClient) -> list[int]:
        return [(await _order(client, amount)).status_code for amount in (4, 5)]

    assert asked(system, talk, extend=_extend) == [202, 422]
    assert _bought(system) == 1


@pytest.mark.parametrize(("amount", "status", "again"), [(13, 422, True), (99, 503, False)], ids=["refused", "state"])
def test_what_failed_for_good_is_kept_and_what_may_pass_is_tried_again(
    system: IntegratedSystem, amount: int, status: int, again: bool
) -> None:
    """An answer that would be the same is kept; after one that may be another next time the key is free."""

    async def talk(client: httpx.AsyncClient) -> list[httpx.Response]:
        return [await _order(client, amount), await _order(client, amount)]

    answers = asked(system, talk, extend=_extend)

    assert [answer.status_code for answer in answers] == [status, status]
    assert ("idempotent-replayed" in answers[1].headers) is again


def test_answers_are_kept_for_a_day(installation: Installation) -> None:
    """Just before its end the answer is there; after it the key is free."""
    clock = ManualClock()

    async def talk(client: httpx.AsyncClient) -> None:
        for later in (0.0, 86_399.0, 2.0):
            clock.advance(later)
            assert (await _order(client)).status_code == 202

    with installation.system(clock) as system:
        asked(system, talk, extend=_extend)
        assert _bought(system) == 2


def test_what_was_interrupted_is_never_begun_again(installation: Installation) -> None:
    """A process was killed between claim and answer: nobody knows whether it took effect, and the asker is told so."""
    clock = ManualClock()
    with installation.system(clock) as system:

        async def talk(client: httpx.AsyncClient) -> httpx.Response:
            killed = asyncio.Event()

            async def die(scope: object, receive: object, send: object) -> None:
                killed.set()
                await asyncio.Event().wait()

            app = client._transport.app  # type: ignore[attr-defined]  # httpx has no public way to it
            await client.get("/livez")  # builds the layers
            layer = app.middleware_stack
            while type(layer).__name__ != "Idempotency":
                layer = getattr(layer, "app", None) or layer._app
            inner, layer._app = layer._app, die
            first = asyncio.ensure_future(_order(client))
            await killed.wait()
            first.cancel()
            layer._app = inner
            clock.advance(3600.0)
            return await _order(client)

        answer = asked(system, talk, extend=_extend)
        assert _bought(system) == 0

    assert (answer.status_code, answer.json()["transient"]) == (409, False)
    assert "interrupted" in answer.json()["detail"]


@pytest.mark.parametrize("key", ["", "two words", "x" * 256], ids=["empty", "with a space", "too long"])
def test_a_key_that_is_none_is_refused(system: IntegratedSystem, key: str) -> None:
    """Nothing is done then."""

    async def talk(client: httpx.AsyncClient) -> int:
        return (await _order(client, **{"Idempotency-Key": key})).status_code

    assert asked(system, talk, extend=_extend) == 422
    assert _bought(system) == 0


def test_the_answers_are_kept_on_every_database(address: str) -> None:
    """Claims of many threads at once over the database: one gets the key, and all read its answer."""
    with contextlib.closing(opened_at(address, [SCHEMA])) as database:
        kept = Answers(database, clock=SYSTEM_CLOCK)
        ours: list[bool] = []
        threads = [threading.Thread(target=lambda: ours.append(kept.claim("k", "r").ours)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        answer = Kept(202, (("location", "/x"),), '{"a": "ü"}')
        kept.keep("k", answer)

        assert sorted(ours) == [False] * 7 + [True]
        assert kept.claim("k", "r").answer == answer
        assert kept.claim("k", "other").same is False
