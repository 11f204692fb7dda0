"""Which request and which run something is done for: known to whatever runs in its context, threads included."""

from contextvars import ContextVar

__all__ = ["request_id", "run_id"]

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Of the request that is being answered; "" where nobody asked."""

run_id: ContextVar[str] = ContextVar("run_id", default="")
"""Of the run whose dataset is at its turn; "" outside of one."""
