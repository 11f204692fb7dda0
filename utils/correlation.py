"""Which request something is done for: known to whatever runs in its context, threads included."""

from contextvars import ContextVar

__all__ = ["request_id"]

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Of the request that is being answered; "" where nobody asked."""
