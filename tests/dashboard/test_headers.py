"""What browsers are told about the page."""

import asyncio

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from streamlit.web.server.starlette import starlette_app

from dashboard.headers import install


async def _page(_: Request) -> PlainTextResponse:
    return PlainTextResponse("here")


@pytest.mark.parametrize("path", ["/", "/nowhere"])
def test_no_page_of_another_origin_may_frame_ours(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """Whatever is asked for, in the way in which Streamlit makes its server."""
    monkeypatch.setattr(starlette_app, "create_streamlit_middleware", starlette_app.create_streamlit_middleware)
    install()
    app = Starlette(routes=[Route("/", _page)], middleware=starlette_app.create_streamlit_middleware())

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
            return await client.get(path)

    headers = asyncio.run(ask()).headers

    assert headers["content-security-policy"] == "frame-ancestors 'self'"
    assert (headers["x-frame-options"], headers["x-content-type-options"]) == ("SAMEORIGIN", "nosniff")
    assert headers["referrer-policy"] == "same-origin"
