"""What every answer of the page's server tells browsers: no page of another origin may hold this one in a frame.

Else one that somebody has open could lay this one invisibly over its own, and have them click our buttons.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.middleware import Middleware
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["HEADERS", "Headers", "install"]

HEADERS = (
    (b"content-security-policy", b"frame-ancestors 'self'"),
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
)
"""The second says the same to old browsers; of addresses, in which stands what was chosen, others are told nothing."""


class Headers:
    """The layer that adds them."""

    def __init__(self, app: "ASGIApp") -> None:
        self._app = app

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        async def told(message: "Message") -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            await send(message)

        await self._app(scope, receive, told if scope["type"] == "http" else send)


def install() -> None:
    """Put the layer around the server that Streamlit is about to start."""
    from starlette.middleware import Middleware
    from streamlit.web.server.starlette import starlette_app

    # There is no setting for headers. If a release renames it, tests/dashboard/test_headers.py says so.
    inner = starlette_app.create_streamlit_middleware

    def outer() -> "list[Middleware]":
        return [Middleware(Headers), *inner()]

    vars(starlette_app)["create_streamlit_middleware"] = outer
