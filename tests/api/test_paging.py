"""Pages of a long list."""

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from api.paging import Cursor, Limit, opened, page
from integrated_system import IntegratedSystem
from operations.actor import UsageError
from tests.api.serving import asked

NUMBERS = list(range(25))


def _extend(app: FastAPI) -> None:
    @app.get("/numbers")
    async def numbers(request: Request, cursor: Cursor = None, limit: Limit = 10, least: int = 0) -> dict[str, object]:
        after = opened(request, cursor)
        found = [number for number in NUMBERS if number >= least and (after is None or number > after)]
        shown = found[:limit]
        return page(request, shown, shown[-1] if len(found) > limit else None)


def test_all_pages_together_are_the_list(system: IntegratedSystem) -> None:
    """Each `next` leads on, also with another limit; the last page has none."""

    async def talk(client: httpx.AsyncClient) -> list[int]:
        found: list[int] = []
        cursor, limit = None, 10
        while True:
            asks = {"limit": limit, **({} if cursor is None else {"cursor": cursor})}
            body = (await client.get("/numbers", params=asks)).json()
            found += body["items"]
            cursor, limit = body["next"], 7
            if cursor is None:
                return found

    assert asked(system, talk, extend=_extend) == NUMBERS


def test_a_cursor_belongs_to_its_query(system: IntegratedSystem) -> None:
    """With another parameter, another path or changed by hand it is refused, and the message says what to do."""

    async def talk(client: httpx.AsyncClient) -> list[httpx.Response]:
        cursor = (await client.get("/numbers?least=3")).json()["next"]
        cursors = (("least=4", cursor), ("least=3", "?" + cursor), ("least=3", "bm8"), ("least=3", cursor))
        return [
            await client.get(f"/numbers?{query}", params={"cursor": one, "least": query[-1]}) for query, one in cursors
        ]

    *refused, fine = asked(system, talk, extend=_extend)

    assert [answer.status_code for answer in refused] == [422, 422, 422]
    assert "belongs to another query" in refused[0].json()["detail"]
    assert {answer.json()["error"] for answer in refused} == {"UsageError"}
    assert fine.json()["items"] == NUMBERS[13:23]


def _request(query: bytes) -> Request:
    return Request({"type": "http", "path": "/x", "query_string": query, "headers": [], "server": ("h", 80)})


@given(st.text(max_size=200))
def test_no_text_that_is_no_cursor_gets_through(text: str) -> None:
    """Whatever it is, it is a mistake of the asker's."""
    with pytest.raises(UsageError):
        opened(_request(b""), text)


def test_the_order_of_parameters_does_not_matter() -> None:
    """The same query, written in another order, takes the cursor."""
    first = page(_request(b"a=1&b=2&limit=5"), [], 7)["next"]

    assert opened(_request(b"b=2&a=1&cursor=x"), first) == 7
