"""Answers to reads that are kept."""

import asyncio
import gzip

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import Request

from api.cached import STALE_S, read
from integrated_system import IntegratedSystem
from tests.api.serving import asked
from tests.integration.installation import Installation
from utils.clock import ManualClock
from utils.events import NewEvent

LONG = {"words": "always the same " * 200}


class Counted:
    """A read whose answer tells how often it was made."""

    def __init__(self) -> None:
        self.made = 0

    def make(self, _: IntegratedSystem) -> dict[str, int]:
        self.made += 1
        return {"made": self.made}

    def extend(self, app: FastAPI) -> None:
        @app.get("/counted")
        async def counted(request: Request) -> None:
            return await read(request, self.make)

        @app.get("/long")
        async def long(request: Request) -> None:
            return await read(request, lambda _: LONG)

        @app.post("/change")
        async def change() -> int:
            return 1


def test_an_answer_is_made_once_while_nothing_happens(installation: Installation) -> None:
    """Fifty who ask cost one; with the query string it is another question."""
    counted = Counted()
    with installation.system(ManualClock()) as system:

        async def talk(client: httpx.AsyncClient) -> set[str]:
            answers = await asyncio.gather(*(client.get("/counted") for _ in range(50)))
            await client.get("/counted?of=another")
            return {answer.text for answer in answers}

        assert asked(system, talk, extend=counted.extend) == {'{"made":1}'}
    assert counted.made == 2


def test_who_changed_something_reads_it_at_once(installation: Installation) -> None:
    """After a POST the next read is made anew, however young the answer is."""
    counted = Counted()
    with installation.system(ManualClock()) as system:

        async def talk(client: httpx.AsyncClient) -> list[int]:
            found = [(await client.get("/counted")).json()["made"]]
            await client.post("/change")
            found.append((await client.get("/counted")).json()["made"])
            return found

        assert asked(system, talk, extend=counted.extend) == [1, 2]


def test_what_another_process_commits_is_heard(installation: Installation) -> None:
    """An event that is appended through another connection makes the answer old, without a question to the database."""
    counted = Counted()
    with installation.system(ManualClock()) as system, installation.system() as other:

        async def talk(client: httpx.AsyncClient) -> int:
            await client.get("/counted")
            await asyncio.to_thread(other.events.append, [NewEvent("test.happened", "x")])
            async with asyncio.timeout(120):
                while (found := (await client.get("/counted")).json()["made"]) == 1:
                    await asyncio.sleep(0.01)  # the kernel tells within milliseconds
            return int(found)

        assert asked(system, talk, extend=counted.extend) == 2


def test_ages_move_on_though_nothing_happens(installation: Installation) -> None:
    """An answer older than a second is made anew behind the back of its reader; one older than two is waited for."""
    counted, clock = Counted(), ManualClock()
    with installation.system(clock) as system:

        async def talk(client: httpx.AsyncClient) -> list[int]:
            found = [(await client.get("/counted")).json()["made"]]
            clock.advance(STALE_S + 0.1)
            found.append((await client.get("/counted")).json()["made"])
            clock.advance(1.1)
            found.append((await client.get("/counted")).json()["made"])
            async with asyncio.timeout(120):
                while (newest := (await client.get("/counted")).json()["made"]) == 2:
                    await asyncio.sleep(0.001)
            return [*found, newest]

        assert asked(system, talk, extend=counted.extend) == [1, 2, 2, 3]


def test_who_has_an_answer_already_is_told_so(system: IntegratedSystem) -> None:
    """`If-None-Match` with the tag of the answer gives 304 without a body; with another one the whole answer."""

    async def talk(client: httpx.AsyncClient) -> list[httpx.Response]:
        first = await client.get("/long")
        tag = first.headers["etag"]
        seen = (tag, f'"other", {tag}', "*", '"other"')
        return [first, *[await client.get("/long", headers={"If-None-Match": one}) for one in seen]]

    first, *others = asked(system, talk, extend=Counted().extend)

    assert [answer.status_code for answer in others] == [304, 304, 304, 200]
    assert {answer.content for answer in others[:3]} == {b""}
    assert {answer.headers["etag"] for answer in others} == {first.headers["etag"]}


@pytest.mark.parametrize("accepted", ["gzip", "identity"], ids=["packed", "as it is"])
def test_a_long_answer_is_packed_for_who_takes_it(system: IntegratedSystem, accepted: str) -> None:
    """gzip, once for all; the answer is the same, its tag as well."""

    async def talk(client: httpx.AsyncClient) -> tuple[httpx.Response, bytes]:
        async with client.stream("GET", "/long", headers={"Accept-Encoding": accepted}) as answer:
            return answer, b"".join([part async for part in answer.aiter_raw()])

    answer, body = asked(system, talk, extend=Counted().extend)

    assert answer.headers.get("content-encoding", "identity") == accepted
    assert int(answer.headers["content-length"]) == len(body)
    assert (gzip.decompress(body) if accepted == "gzip" else body).startswith(b'{"words":"always')


def test_a_read_that_fails_is_tried_again(system: IntegratedSystem) -> None:
    """An error is told to all who waited, and kept for nobody."""
    calls = []

    def make(_: IntegratedSystem) -> int:
        calls.append(1)
        if len(calls) == 1:
            raise OSError("gone")
        return 7

    async def talk(client: httpx.AsyncClient) -> list[int]:
        return [(await client.get("/fails")).status_code for _ in range(2)]

    def extend(app: FastAPI) -> None:
        @app.get("/fails")
        async def fails(request: Request) -> None:
            return await read(request, make)

    assert asked(system, talk, extend=extend) == [500, 200]


def test_an_application_that_never_started_answers_all_the_same(system: IntegratedSystem) -> None:
    """Without its start nobody hears of commits: every answer is made anew."""
    from api.app import create_app

    counted = Counted()

    async def whole() -> list[int]:
        app = create_app(system)
        counted.extend(app)
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            found = [(await client.get("/counted")).json()["made"] for _ in range(2)]
        app.state.asking.close()
        return found

    assert asyncio.run(whole()) == [1, 2]
