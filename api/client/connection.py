"""A connection to one API, with what may be asked of it and what it can be told to do."""

import time
from collections.abc import Callable

import httpx

from .operations import Operations
from .queries import Queries
from .transport import Transport

__all__ = ["Client"]

TRIES = 3


class Client(Transport):
    """A connection to one API. Thread-safe; close it, or use it in a `with` block.

    What fails in passing (nobody answers, 429, 503) is tried again, `TRIES` times in all. A POST has an
    `Idempotency-Key`, so that it is done once however often it is sent.

    Args:
        url: Where the API is, e.g. `http://127.0.0.1:8000`.
        token: As `tokens create` printed it; "": none, on the machine of the API.
        timeout: Seconds for an answer.
        transport: Of httpx, for tests and proxies.
        tries: How often what fails in passing is asked for, all in all.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str = "",
        timeout: float = 30.0,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        tries: int = TRIES,
    ) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        base = f"{url.rstrip('/')}/api/v1"
        http = httpx.Client(base_url=base, headers=headers, timeout=timeout, transport=transport)
        super().__init__(http, sleep, tries)
        self.queries = Queries(self)
        self.operations = Operations(self)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
