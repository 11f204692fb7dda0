"""What is around every request: its id, its time, its line in the log."""

import asyncio
import re

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import Request

from api.asking import ask
from api.correlation import Correlation
from integrated_system import IntegratedSystem
from tests.api.serving import asked
from utils.events import NewEvent
from utils.logger import get_logger


def _write(system: IntegratedSystem) -> int:
    get_logger("test").warning("test.said", colour="blue")
    (event,) = system.events.append([NewEvent("test.happened", "x", {"colour": "blue"})])
    return event.seq


def _extend(app: FastAPI) -> None:
    @app.post("/write")
    async def write(request: Request) -> int:
        return await ask(request, _write)


@pytest.mark.parametrize(
    ("given", "taken"),
    [("abc-123.X:9", True), ("a b", False), ("x" * 65, False), ("", False)],
    ids=["fits", "with a space", "too long", "empty"],
)
def test_the_id_of_a_request_is_in_its_answer_its_log_lines_and_its_events(
    system: IntegratedSystem, caplog: pytest.LogCaptureFixture, given: str, taken: bool
) -> None:
    """One that fits is taken, else one is made; the thread that does the work knows it."""

    async def talk(client: httpx.AsyncClient) -> httpx.Response:
        return await client.post("/write", headers={"X-Request-ID": given})

    answer = asked(system, talk, extend=_extend)

    identity = answer.headers["x-request-id"]
    (event,) = system.events.read(type="test.happened")
    assert (identity == given) is taken
    assert re.fullmatch(r"[A-Za-z0-9._:-]{1,64}", identity)
    assert event.data == {"colour": "blue", "request_id": identity}
    said = [record.getMessage() for record in caplog.records]
    assert f"test.said colour=blue request_id={identity}" in said


def test_events_that_nobody_asked_for_carry_no_id(system: IntegratedSystem) -> None:
    """A run of the scheduler is nobody's request, though the API is served beside it."""
    _write(system)

    (event,) = system.events.read(type="test.happened")
    assert event.data == {"colour": "blue"}


def test_an_answer_that_does_not_begin_is_a_problem(system: IntegratedSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    """504 after the time of a request; the route is cancelled."""
    ended: list[bool] = []

    def extend(app: FastAPI) -> None:
        (layer,) = [one for one in app.user_middleware if one.cls is Correlation]
        layer.kwargs["answer_s"] = 0.05

        @app.get("/never")
        async def never() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(True)

    async def talk(client: httpx.AsyncClient) -> httpx.Response:
        return await client.get("/never")

    answer = asked(system, talk, extend=extend)

    assert (answer.status_code, ended) == (504, [True])
    assert answer.json()["transient"] is True


def test_a_question_that_takes_too_long_is_a_problem(system: IntegratedSystem) -> None:
    """The thread goes on; the asker is told, and others are answered."""
    import threading

    gate = threading.Event()

    def extend(app: FastAPI) -> None:
        @app.get("/slow")
        async def slow(request: Request) -> bool:
            return await request.app.state.asking.call(gate.wait, within=0.05)

    async def talk(client: httpx.AsyncClient) -> list[int]:
        found = [(await client.get("/slow")).status_code, (await client.get("/readyz")).status_code]
        gate.set()
        return found

    assert asked(system, talk, extend=extend) == [504, 200]


def test_more_questions_than_can_wait_are_sent_away(system: IntegratedSystem) -> None:
    """503 with `Retry-After` for what is beyond the threads and the queue; nothing piles up without an end."""
    import threading

    from api.asking import Asking
    from api.problems import Refused

    gate = threading.Event()

    async def talk() -> tuple[int, list[bool]]:
        asking = Asking(system, threads=1, waiting=1)
        waiting = [asyncio.ensure_future(asking.call(gate.wait)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Refused) as refused:
            await asking.call(gate.wait)
        gate.set()
        done = await asyncio.gather(*waiting)
        asking.close()
        return refused.value.status_code, done

    assert asyncio.run(talk()) == (503, [True, True])
