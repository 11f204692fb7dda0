"""WebSocket connections as the server keeps them: one that we ended is gone, whether the client reads or not."""

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

__all__ = ["Sockets"]

CUT_S = 2.0
"""Seconds for the goodbye. A client that does not read would keep its socket, and what waits in it, for ever."""


class Sockets(WebSocketsSansIOProtocol):
    """As uvicorn has them, and cut off when our handler has ended."""

    async def run_asgi(self) -> None:
        """Run the handler."""
        try:
            await super().run_asgi()
        finally:
            self.loop.call_later(CUT_S, self.transport.abort)
